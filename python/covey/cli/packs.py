"""`covey packs`: see what agents of a room say they can do, and who has a capability."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser
from covey.cli.reach import client, the_one
from covey.errors import EXIT_FAILED, EXIT_OK
from covey.system.home import Home

EXAMPLE: Final = "covey packs writer --capability translate.de"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", nargs="?", help="whom to ask; not needed when only one runs")
    parser.add_argument("--capability", metavar="WORD", help="only packs with this capability")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer; 1 where a capability was named that nobody has."""
    home = Home.resolve(console.env)
    with client(home, the_one(home, arguments.peer)) as peer:
        found = peer.request("packs", {"capability": arguments.capability})
    console.result(found, "\n".join(_lines(found)))
    return EXIT_FAILED if arguments.capability and not found["packs"] else EXIT_OK


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["packs"]:
        yield "no packs"
    for each in found["packs"]:
        who = each["name"] or each["author"]
        away = "" if each["here"] else " (away)"
        about = f": {each['about']}" if each["about"] else ""
        yield printable(f"{each['pack']} of {who}{away}: {', '.join(each['capabilities'])}{about}")
