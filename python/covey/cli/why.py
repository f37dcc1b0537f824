"""`covey why`: show why memory took a block, category by category; from a running peer, or its store."""

from __future__ import annotations

import argparse
from typing import Any, Final

from covey.cli.console import Console
from covey.cli.parser import Parser
from covey.cli.reach import ask_or_read
from covey.errors import IpcError
from covey.system.home import Home

EXAMPLE: Final = "covey why writer cmb-5e41…"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="whose memory")
    parser.add_argument("key", help="the block's content key (cmb-…); its first digits are enough")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer, or read its store when it does not run."""
    found = reasons(arguments, console)
    if found["block"] is None:
        raise IpcError(
            f"memory of {arguments.peer} does not hold {found['key'][:16]}",
            code="not_held",
            hint=f"covey why-not {arguments.peer} {found['key'][:16]} says why",
        )
    show(arguments, console, found)
    return 0


def reasons(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Return what is known of the decisions about a block.

    Raises:
        IpcError: Nothing is known of it, or several blocks begin so.
    """
    key = arguments.key

    def read(memory: Any) -> dict[str, Any]:
        from covey.runtime.reasons import why

        return why(memory, key)

    return ask_or_read(Home.resolve(console.env), arguments.peer, "why", {"key": key}, read)


def show(arguments: argparse.Namespace, console: Console, found: dict[str, Any]) -> None:
    """Print the decisions, or with --json all that is known."""
    from covey.cli.verdicts import lines

    console.result({"peer": arguments.peer, **found}, "\n".join(lines(console, found)))
