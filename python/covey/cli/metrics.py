"""`covey metrics`: print what a running peer's metrics say now, for whatever collects text."""

from __future__ import annotations

import argparse
from typing import Final

from covey.cli.console import Console
from covey.cli.parser import Parser
from covey.cli.reach import client, the_one
from covey.errors import EXIT_OK
from covey.system.home import Home

EXAMPLE: Final = "covey metrics writer"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", nargs="?", help="name of the peer; not needed when only one runs")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer over its control socket: nothing has to listen for this."""
    home = Home.resolve(console.env)
    with client(home, the_one(home, arguments.peer)) as peer:
        found = peer.request("metrics")
    console.result(found, str(found["text"]).rstrip("\n"))
    return EXIT_OK
