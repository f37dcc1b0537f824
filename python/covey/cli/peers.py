"""`covey peers`: list the peers that a peer is connected to."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser
from covey.cli.reach import client, the_one
from covey.system.home import Home

EXAMPLE: Final = "covey peers writer"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", nargs="?", help="whose peers; not needed when only one runs")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer."""
    home = Home.resolve(console.env)
    with client(home, the_one(home, arguments.peer)) as peer:
        found = peer.request("peers")
    listed = found["peers"]
    heads = ("name", "state", "path", "trusted", "fingerprint", "node id")
    rows = [
        (
            printable(each["name"]),
            each["state"],
            f"{each['path']} {each['address']}".strip(),
            "yes" if each["trusted"] else "no",
            each["fingerprint"][:16],
            each["node_id"],
        )
        for each in listed
    ]
    text = table(console, heads, rows) if rows else f"{found['peer']} is connected to nobody"
    console.result(found, text)
    return 0


def table(console: Console, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows under their heads, each column as wide as it needs."""
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    head = "  ".join(f"{cell:<{width}}" for cell, width in zip(heads, widths, strict=True))
    return "\n".join([console.style(head.rstrip(), "dim"), *(line.rstrip() for line in lines)])
