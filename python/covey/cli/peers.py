"""`covey peers`: list the peers that a peer is connected to, with every path to each."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser
from covey.cli.reach import client, the_one
from covey.cli.status import duration
from covey.system.clock import SystemClock
from covey.system.home import Home

EXAMPLE: Final = "covey peers writer"
_HEADS: Final = ("name", "state", "path", "rtt", "identity", "trusted", "since", "fingerprint", "node id")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", nargs="?", help="whose peers; not needed when only one runs")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer."""
    home = Home.resolve(console.env)
    with client(home, the_one(home, arguments.peer)) as peer:
        found = peer.request("peers")
    now_ms = SystemClock().now_ms()
    rows = [row for each in found["peers"] for row in _rows(each, now_ms)]
    text = table(console, _HEADS, rows) if rows else f"{found['peer']} is connected to nobody"
    console.result(found, "\n".join([text, *_others(found)]))
    return 0


def _others(found: Mapping[str, Any]) -> Iterator[str]:
    """Say what membership knows beyond open sessions: members met through others, suspects, and who went."""
    connected = {peer["node_id"] for peer in found["peers"]}
    for member in found["members"]:
        name, ago = printable(member["name"]), duration(member["seconds"])
        if member["state"] == "suspect":
            yield (
                f"{name}: does not answer for {ago}; {member['accusers']} say so, "
                f"given up at 100 % (now {member['suspicion']:.0%})"
            )
        elif member["state"] == "alive" and member["node_id"] not in connected:
            yield f"{name}: in the room for {ago}, known through others"
        elif member["state"] in ("dead", "left"):
            yield f"{name}: {'failed' if member['state'] == 'dead' else 'left'} {ago} ago"


def _rows(peer: Mapping[str, Any], now_ms: int) -> Iterator[tuple[str, ...]]:
    """Give one row for the path that carries a peer's records, and one for each that stands by."""
    who = (
        peer["identity"],
        "yes" if peer["trusted"] else "no",
        duration(max(0, now_ms - peer["since_ms"]) / 1000),
        peer["fingerprint"][:16],
        peer["node_id"],
    )
    for number, path in enumerate(peer["paths"]):
        rtt = "?" if path["rtt_ms"] is None else f"{path['rtt_ms']:.1f} ms"
        way = (path["state"], f"{path['path']} {path['address']}".strip(), rtt)
        yield (printable(peer["name"]), *way, *who) if number == 0 else ("", *way, *[""] * len(who))


def table(console: Console, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows under their heads, each column as wide as it needs."""
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    head = "  ".join(f"{cell:<{width}}" for cell, width in zip(heads, widths, strict=True))
    return "\n".join([console.style(head.rstrip(), "dim"), *(line.rstrip() for line in lines)])
