"""`covey cost`: show what a peer's model calls cost."""

from __future__ import annotations

import argparse
from typing import Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser
from covey.cli.reach import client, the_one
from covey.cli.status import flat
from covey.system.home import Home

EXAMPLE: Final = "covey cost writer"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", nargs="?", help="name of the peer; not needed when only one runs")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer."""
    home = Home.resolve(console.env)
    with client(home, the_one(home, arguments.peer)) as peer:
        found = peer.request("cost")
    rows = list(flat(found))
    width = max(len(name) for name, _ in rows) + 1
    console.result(found, "\n".join(f"{name + ':':<{width}} {printable(str(value))}" for name, value in rows))
    return 0
