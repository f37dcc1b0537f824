"""`covey send`: put a block on the mesh for one peer; it is delivered there whatever admission says."""

from __future__ import annotations

import argparse
from typing import Final

from covey.cli.console import Console
from covey.cli.observe import DEFAULT_NAME, configure_block, say
from covey.cli.parser import Parser

EXAMPLE: Final = 'covey send --to reviewer --focus "please look at the release notes"'


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("--to", required=True, metavar="NAME", help="the peer's name or node id")
    configure_block(parser)
    parser.add_argument("--peer", metavar="NAME", help=f"who says it (default {DEFAULT_NAME})")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Say it to one peer, and report what became of it."""
    return say(arguments, console, arguments.peer, arguments.to)
