"""`covey pay`: move an amount from an agent's account to another agent's."""

from __future__ import annotations

import argparse
from typing import Final

from covey import limits
from covey.cli.console import Console
from covey.cli.ledger import moved
from covey.cli.parser import Parser
from covey.cli.reach import client
from covey.errors import EXIT_OK
from covey.system.home import Home

EXAMPLE: Final = 'covey pay writer reviewer 500 tokens --memo "two reviews"'


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="name of the running peer that pays")
    parser.add_argument("to", help="a connected peer, or an author")
    parser.add_argument("amount", type=int, help="a whole number")
    parser.add_argument("unit", help="what is counted: tokens, usd-micro, messages, …")
    parser.add_argument("--issuer", help="whose unit, where several agents issued one of this name")
    parser.add_argument("--memo", default="", help="what for: one line that both sides read")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer; the movement is durable there once it has answered."""
    request = {name: getattr(arguments, name) for name in ("to", "amount", "unit", "issuer", "memo")}
    with client(Home.resolve(console.env), arguments.peer) as peer:
        found = peer.request("ledger", {"op": "pay", **request}, timeout_seconds=limits.STATE_ANSWER_SECONDS)
    console.result(found, "\n".join(moved(found)))
    return EXIT_OK
