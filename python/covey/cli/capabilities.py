"""`covey capabilities`: who in the room can do what, with load and capacity."""

from __future__ import annotations

import argparse
from typing import Any, Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser, capability
from covey.cli.peers import table
from covey.cli.reach import client, the_one
from covey.system.home import Home

EXAMPLE: Final = "covey capabilities writer --find translate"
_HEADS: Final = ("agent", "can", "load", "capacity", "heeded", "peer", "node id")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", nargs="?", help="whose view of the room; not needed when only one runs")
    parser.add_argument(
        "--find",
        type=capability,
        metavar="WORD",
        help="only who can do this, the least loaded first, as a task would",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer."""
    home = Home.resolve(console.env)
    asked: dict[str, Any] = {} if arguments.find is None else {"capability": arguments.find}
    with client(home, the_one(home, arguments.peer)) as peer:
        found = peer.request("capabilities", asked)
    rows = [
        (
            printable(each["nickname"]),
            printable(" ".join(each["capabilities"])),
            f"{each['load']:.0%}",
            f"{each['running']}/{each['capacity']}",
            "yes" if each["heeded"] else "no",
            printable(each["peer"]),
            each["node_id"],
        )
        for each in found["agents"]
    ]
    nobody = f"nobody that {found['peer']} knows offers " + (
        "anything"
        if arguments.find is None
        else f"{printable(arguments.find)}: a live member must announce it"
    )
    console.result(found, table(console, _HEADS, rows) if rows else nobody)
    return 0
