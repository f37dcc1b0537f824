"""`covey send`: put a block on the mesh for one peer; it is delivered there whatever admission says."""

from __future__ import annotations

import argparse
from typing import Final

from covey.cli.console import Console
from covey.cli.observe import DEFAULT_NAME, configure_block, say
from covey.cli.parser import Parser, seconds
from covey.limits import IPC_RECEIPT_SECONDS, OUTBOX_SECONDS

EXAMPLE: Final = 'covey send --to reviewer --focus "please look at the release notes" --wait'
WAIT_SECONDS: Final = 60.0
"""How long `--wait` waits where nothing else is said: an answer takes a model 2 to 20 s."""


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("--to", required=True, metavar="NAME", help="the peer's name or node id")
    configure_block(parser)
    parser.add_argument(
        "--wait",
        nargs="?",
        const="executed",
        choices=("delivered", "executed"),
        metavar="STATE",
        help="show each state as it comes, until it is delivered or (the default) executed",
    )
    parser.add_argument(
        "--timeout",
        type=seconds(0, 600),
        metavar="SECONDS",
        help="longest wait for the peer, and then for its answers "
        f"(default {IPC_RECEIPT_SECONDS:g}, with --wait {WAIT_SECONDS:g})",
    )
    parser.add_argument(
        "--deadline",
        type=seconds(0.001, OUTBOX_SECONDS),
        metavar="SECONDS",
        help="not confirmed by then it expires (default and most: a day)",
    )
    parser.add_argument("--peer", metavar="NAME", help=f"who says it (default {DEFAULT_NAME})")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Say it to one peer, and report what became of it."""
    if arguments.timeout is None:
        arguments.timeout = WAIT_SECONDS if arguments.wait else IPC_RECEIPT_SECONDS
    return say(arguments, console, arguments.peer, arguments.to)
