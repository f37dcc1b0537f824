"""`covey converge`: whether every peer holds the same shared state, how far who is behind, and since when."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser
from covey.cli.reach import client, the_one
from covey.cli.status import duration
from covey.errors import EXIT_FAILED, EXIT_OK
from covey.system.home import Home

EXAMPLE: Final = "covey converge writer"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", nargs="?", help="whose shared state; not needed when only one runs")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer; 1 where somebody that is here has differed for too long."""
    home = Home.resolve(console.env)
    with client(home, the_one(home, arguments.peer)) as peer:
        found = peer.request("converge")
        met = {each["node_id"]: each["name"] for each in peer.request("peers")["members"]}
    for scope in found["scopes"]:
        for each in scope["peers"]:
            each["name"] = each["name"] or met.get(each["node_id"])  # of those that are away, too
    console.result(found, "\n".join(_lines(found)) or "nothing is shared here")
    alarms = [each for scope in found["scopes"] for each in scope["peers"] if each["alarm"]]
    return EXIT_FAILED if alarms else EXIT_OK


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    for scope in found["scopes"]:
        yield f"{printable(scope['scope'])}: hash {scope['hash'][:16]}"
        if not scope["peers"]:
            yield "  nobody else holds it"
        for peer in scope["peers"]:
            yield "  " + _line(peer, found["now_ms"], found["alarm_after_seconds"])


def _line(peer: Mapping[str, Any], now_ms: int, after_seconds: float) -> str:
    who = printable(peer["name"] or peer["node_id"]) + ("" if peer["here"] else " (away)")
    if peer["synced_ms"] is None:
        said = "has not said where it stands"
    else:
        ago = duration(max(0, now_ms - peer["synced_ms"]) / 1000)
        said = f"{_words(peer)}, last sync {ago} ago"
    if peer["since_ms"] is None or peer["equal"]:
        return f"{who}: {said}"
    since = duration(max(0, now_ms - peer["since_ms"]) / 1000)
    alarm = f"; alarm: longer than {duration(after_seconds)}, see covey logs" if peer["alarm"] else ""
    return f"{who}: {said}, differs for {since}{alarm}"


def _words(peer: Mapping[str, Any]) -> str:
    return {
        "equal": "equal",
        "behind": f"this peer is behind by {peer['behind']}",
        "ahead": f"behind by {peer['ahead']}",
        "apart": f"behind by {peer['ahead']}, and this peer by {peer['behind']}",
        "reset": "this peer starts anew from a snapshot",
        "diverged": "diverged: both have seen the same and hold something else",
    }.get(peer["state"], printable(peer["state"]))
