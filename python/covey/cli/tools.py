"""`covey tools`: see what an agent's model may use, and decide the calls that wait for a person."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser
from covey.cli.reach import client, the_one
from covey.errors import EXIT_OK, CoveyError, UsageError
from covey.system.home import Home

EXAMPLE: Final = "covey tools allow librarian t-1"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("action", choices=("list", "allow", "deny"), help="what to do")
    parser.add_argument("peer", nargs="?", help="name of the peer; list needs none when only one runs")
    parser.add_argument("id", nargs="?", help="which call: its id, or the beginning of it")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """List the tools of a running peer, or take a decision to it."""
    home = Home.resolve(console.env)
    if arguments.action == "list":
        if arguments.id is not None:
            raise UsageError("list takes a peer, and no id")
        with client(home, the_one(home, arguments.peer)) as peer:
            found = peer.request("tools", {"action": "list"})
        console.result(found, "\n".join(_lines(found)))
        return EXIT_OK
    if arguments.peer is None or arguments.id is None:
        what = "peer and id" if arguments.peer is None else "id"
        hint = "covey tools list shows the calls that wait"
        raise UsageError(f"missing {what}: covey tools {arguments.action} <peer> <id>", hint=hint)
    with client(home, arguments.peer) as peer:
        found = peer.request("tools", {"action": arguments.action, "call": arguments.id})
    if found["result"] == "refused":
        hint = f"covey tools list {arguments.peer} shows what waits"
        raise CoveyError(f"not decided: {found['detail']}", code=f"tools_{found['reason']}", hint=hint)
    console.result(found, f"{found['result']}: {found['tool']} ({found['id']})")
    return EXIT_OK


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    offered = found["offered"]
    width = max(map(len, offered), default=0)
    yield from (f"{name:<{width}}  {permission}" for name, permission in offered.items())
    if not offered:
        yield f"the model of {found['peer']} has no tools"
    yield from (f"missing: {printable(problem)}" for problem in found["missing"])
    for call in found["waiting"]:
        more = f" ({call['arguments_cut']} more characters)" if call["arguments_cut"] else ""
        yield f"{call['id']} waits ({printable(call['why'])}): {call['tool']}"
        yield f"  {printable(call['arguments'])}{more}"
    if found["waiting"]:
        which = f"{found['peer']} {found['waiting'][0]['id']}"
        yield f"covey tools allow {which}   or   covey tools deny {which}"
