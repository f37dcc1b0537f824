"""`covey mood`: tell the room how a peer is. Nothing of it lasts: it is no block, and nobody keeps it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser
from covey.cli.reach import client
from covey.errors import EXIT_OK, NetworkError, UsageError
from covey.system.home import Home

EXAMPLE: Final = 'covey mood writer "tired, and nearly done" --context "third review today"'


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="whose mood: a peer that runs")
    parser.add_argument("mood", metavar="TEXT", help='what it is, in words; "neutral" for none')
    parser.add_argument("--context", metavar="TEXT", help="what it is about")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Say it through the running peer; 1 where nobody was told.

    Raises:
        UsageError: It is empty or too long.
    """
    from covey.proto.mood import problem

    wrong = problem(arguments.mood, arguments.context)
    if wrong is not None:
        raise UsageError(wrong, code="invalid_mood")
    asked = {"mood": arguments.mood}
    if arguments.context is not None:
        asked["context"] = arguments.context
    with client(Home.resolve(console.env), arguments.peer) as peer:
        found = peer.request("mood", asked)
    lines = [_line(console, each) for each in found["told"]]
    if any(each["state"] == "sent" for each in found["told"]):
        console.result({"peer": arguments.peer, **found}, "\n".join(lines))
        return EXIT_OK
    error = NetworkError(
        f"nobody was told: {arguments.peer} has no session with a peer that can take it",
        code="nobody",
        hint=f"who is there: covey peers {arguments.peer}\na mood is not kept: say it again then",
    )
    console.result({"peer": arguments.peer, **found, "error": error.as_dict()}, "\n".join(lines))
    console.complain("covey mood", error, error.hint)
    return error.exit_code


def _line(console: Console, told: Mapping[str, Any]) -> str:
    name = printable(str(told["name"]))
    if told["state"] == "sent":
        return f"told {name}"
    return f"{console.style('not told', 'yellow')} {name}: it reads too slowly just now"
