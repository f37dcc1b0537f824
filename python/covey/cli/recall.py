"""`covey recall`: search what a peer remembers, running or not."""

from __future__ import annotations

import argparse
from typing import Any, Final

from covey.cli.blocks import block_lines
from covey.cli.console import Console
from covey.cli.parser import Parser, whole
from covey.cli.reach import ask_or_read
from covey.limits import IPC_RECALL_BLOCKS
from covey.system.home import Home

EXAMPLE: Final = 'covey recall writer "release notes"'


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="whose memory")
    parser.add_argument("query", nargs="*", help="words to look for; without any, the newest blocks")
    parser.add_argument(
        "--limit", type=whole(1, IPC_RECALL_BLOCKS), default=10, metavar="N", help="most blocks (default 10)"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer, or read its store when it does not run."""
    query, limit = " ".join(arguments.query), arguments.limit

    def read(memory: Any) -> dict[str, Any]:
        from covey.runtime.answers import recalled

        return {"blocks": recalled(memory, query, limit)}

    found = ask_or_read(
        Home.resolve(console.env), arguments.peer, "recall", {"query": query, "limit": limit}, read
    )
    blocks = found["blocks"]
    text = "\n".join(line for block in blocks for line in block_lines(console, block))
    if not blocks:
        text = f"{arguments.peer} remembers nothing" + (" of that" if query.strip() else " yet")
    console.result({"peer": arguments.peer, "query": query, **found}, text)
    return 0
