"""`covey ground`: report how a block turned out; evidence, never a judgement (MMP 2.0 §6.7)."""

from __future__ import annotations

import argparse
from typing import Final

from covey.cli.console import Console
from covey.cli.parser import Parser, said
from covey.cli.speaking import add_flags, spoken, told

EXAMPLE: Final = 'covey ground writer cmb-5e41… --failed "two tests broke"'


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="who reports it, and holds the block")
    parser.add_argument("key", help="the block's content key (cmb-…)")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--verified", type=said, metavar="TEXT", help="it held: what was seen")
    how.add_argument("--failed", type=said, metavar="TEXT", help="it did not hold: what was seen")
    add_flags(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Say it, and report where it went."""
    held = arguments.verified is not None
    request = {
        "key": arguments.key,
        "held": held,
        "outcome": arguments.verified if held else arguments.failed,
    }
    found = spoken(arguments, console, arguments.peer, "ground", request)
    return told(console, found, "verified" if held else "failed")
