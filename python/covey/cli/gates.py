"""`covey gates`: see the answers that an approval gate holds, let them out, or throw them away."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser
from covey.cli.reach import client, not_running, saved_state, the_one
from covey.cli.status import duration
from covey.errors import EXIT_OK, CoveyError, NotRunningError, UsageError
from covey.net.ipc.client import IpcClient
from covey.system.home import Home

EXAMPLE: Final = "covey gates approve writer q-1a2b3c4d5e"
_SECONDS: Final = 60.0
_TEXT_CHARS: Final = 400
_HINTS: Final = {
    "unknown": "covey gates list {peer} shows what waits",
    "ambiguous": "give more of the id",
    "decided": "covey gates list {peer} --all shows what was decided",
    "state-not-saved": "see the store's folder: covey status {peer}",
}


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("action", choices=("list", "approve", "deny"), help="what to do")
    parser.add_argument("peer", nargs="?", help="name of the peer; list needs none when only one runs")
    parser.add_argument("id", nargs="?", help="which answer: its id, or the beginning of it")
    parser.add_argument("--all", action="store_true", help="with list: what was decided lately too")
    parser.add_argument("--why", default="", metavar="TEXT", help="with deny: a reason, for the log")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """List what is held, or take a decision to the running peer."""
    home = Home.resolve(console.env)
    if arguments.action == "list":
        return _list(arguments, console, home)
    name, word = arguments.peer, arguments.id
    if name is None or word is None:
        what = "peer and id" if name is None else "id"
        raise UsageError(
            f"missing {what}: covey gates {arguments.action} <peer> <id>",
            hint="covey gates list shows the ids",
        )
    if arguments.why and arguments.action != "deny":
        raise UsageError("--why goes with deny")
    asked = {"action": arguments.action, "answer": word}
    if arguments.why:
        asked["why"] = arguments.why
    try:
        with client(home, name) as peer:
            found = peer.request("gates", asked, timeout_seconds=_SECONDS)
    except NotRunningError as error:
        raise _must_run(home, name, error) from error
    if found["result"] == "refused":
        hint = _HINTS.get(found["reason"])
        raise CoveyError(
            f"not {'approved' if arguments.action == 'approve' else 'denied'}: {found['detail']}",
            code=f"quarantine_{found['reason'].replace('-', '_')}",
            hint=None if hint is None else hint.format(peer=name),
        )
    text = f"denied {found['id']}: the answer is discarded"
    if found["result"] == "approved":
        text = f"approved {found['id']}: emitted as {found['key']}"
    console.result(found, text)
    return EXIT_OK


def _list(arguments: argparse.Namespace, console: Console, home: Home) -> int:
    if arguments.id is not None:
        raise UsageError("list takes a peer, and no id")
    found = _held(home, arguments.peer)
    console.result(found, "\n".join(_lines(found, console, everything=arguments.all)))
    return EXIT_OK


def _held(home: Home, name: str | None) -> dict[str, Any]:
    """Ask the running peer, or read the store of one that does not run."""
    name = the_one(home, name)
    try:
        peer = IpcClient(home.socket_path(name))
    except NotRunningError:
        from covey.safety.quarantine import listed
        from covey.system.clock import SystemClock

        state = "safety.quarantine"
        now_ms = SystemClock().now_ms()
        saved = saved_state(home, name, state)[state]
        return {"peer": name, "running": False, "now_ms": now_ms, **listed(saved)}
    with peer:
        found = peer.request("gates", {"action": "list"})
    return {**found, "running": True}


def _must_run(home: Home, name: str, error: NotRunningError) -> NotRunningError:
    if not home.store_path(name).exists():
        return error
    return NotRunningError(
        f'peer "{name}" does not run, and only it can emit or discard what it holds',
        hint=f"{not_running(home, name).hint}\nsee what waits: covey gates list {name}",
    )


def _lines(found: Mapping[str, Any], console: Console, *, everything: bool) -> Iterator[str]:
    peer, waiting = found["peer"], found["waiting"]
    if not waiting:
        yield f"nothing waits for a person at {peer}"
    for entry in waiting:
        yield from _entry(entry, console)
    if waiting:
        first = waiting[0]["id"]
        yield f"covey gates approve {peer} {first}   or   covey gates deny {peer} {first}"
        if not found["running"]:
            yield f"({peer} does not run: start it to decide)"
    if everything:
        for entry in found["decided"]:
            outcome = f": {printable(entry['outcome'])}" if entry["outcome"] else ""
            yield f"{console.style(entry['id'], 'dim')} {entry['state']}{outcome}"


def _entry(entry: Mapping[str, Any], console: Console) -> Iterator[str]:
    asked = ", ".join(printable(name) for name in entry["asked_by"]) or "nobody"
    to = "the room" if entry["to"] is None else entry["to"]
    waits = duration((entry["until_ms"] - entry["since_ms"]) / 1000)
    name = console.style(entry["id"], "bold")
    yield f"{name} {entry['state']}: an answer to {asked}, for {to}; kept {waits}"
    for hit in entry["hits"]:
        yield f"  held by {printable(hit['gate'])} in {hit['category']}: {printable(hit['found'])}"
    for category, text in entry["said"].items():
        shown = printable(text)
        yield f"  {category}: {shown if len(shown) <= _TEXT_CHARS else shown[: _TEXT_CHARS - 3] + '...'}"
