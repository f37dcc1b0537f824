"""`covey recall`: search what a peer remembers, running or not."""

from __future__ import annotations

import argparse
import re
from datetime import datetime
from typing import Any, Final, cast

from covey.cli.blocks import block_lines
from covey.cli.console import Console
from covey.cli.parser import Parser, whole
from covey.cli.reach import ask_or_read
from covey.limits import IPC_RECALL_BLOCKS
from covey.model import CAT7, LIFECYCLES
from covey.system.clock import SystemClock
from covey.system.home import Home

EXAMPLE: Final = 'covey recall writer "release notes" --since 2d --lifecycle validated'
_AGO: Final = re.compile(r"([0-9]{1,6})([smhdw])\Z")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_NODE_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="whose memory")
    parser.add_argument("query", nargs="*", help="words to look for; without any, the newest blocks")
    parser.add_argument(
        "--limit", type=whole(1, IPC_RECALL_BLOCKS), default=10, metavar="N", help="most blocks (default 10)"
    )
    parser.add_argument("--category", choices=CAT7, help="look for the words in this category only")
    parser.add_argument("--author", metavar="WHO", help="only of this name, which proves nothing, or nodeId")
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--own", dest="own", action="store_true", default=None, help="only the peer's own")
    whose.add_argument("--others", dest="own", action="store_false", help="only what others said")
    parser.add_argument("--since", type=moment, metavar="WHEN", help="stored since: 2h, 3d, or 2026-01-31")
    parser.add_argument("--until", type=moment, metavar="WHEN", help="stored before; as --since")
    parser.add_argument("--lifecycle", choices=LIFECYCLES, help="only what has come so far")
    parser.add_argument("--below", metavar="KEY", help="only what descends from this block")
    parser.add_argument("--above", metavar="KEY", help="only what this block descends from")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer, or read its store when it does not run."""
    query, limit = " ".join(arguments.query), arguments.limit
    search = _search(arguments, query)
    narrow = len(search) > 1

    def read(memory: Any) -> dict[str, Any]:
        from covey.runtime.answers import found, recalled, search_of

        return (
            found(memory, search_of(search), limit) if narrow else {"blocks": recalled(memory, query, limit)}
        )

    asked: dict[str, object] = {"limit": limit}
    asked |= {"search": search} if narrow else {"query": query}
    found = ask_or_read(Home.resolve(console.env), arguments.peer, "recall", asked, read)
    blocks = found["blocks"]
    lines = [line for block in blocks for line in block_lines(console, block)]
    if not blocks:
        of_that = " of that" if narrow or query.strip() else " yet"
        lines = [f"{arguments.peer} remembers nothing{of_that}"]
    if found.get("capped"):
        lines.append(console.style("(only the newest matches were looked at: ask for less)", "dim"))
    console.result({"peer": arguments.peer, "query": query, **found}, "\n".join(lines))
    return 0


def _search(arguments: argparse.Namespace, query: str) -> dict[str, object]:
    """Return what is asked for beside the words; nothing but the words where nothing is."""
    author = arguments.author
    whose = {} if author is None else {"author" if _NODE_ID.match(author) else "label": author}
    asked = {
        "text": query,
        **whose,
        "category": arguments.category,
        "own": arguments.own,
        "from_ms": arguments.since,
        "to_ms": arguments.until,
        "lifecycle": arguments.lifecycle,
        "below": arguments.below,
        "above": arguments.above,
    }
    return {name: cast("object", value) for name, value in asked.items() if value is not None}


def moment(text: str) -> int:
    """Read a moment: so long ago, or a date, or a date with a time, here; as wall milliseconds."""
    ago = _AGO.match(text)
    if ago:
        return SystemClock().now_ms() - int(ago[1]) * _UNITS[ago[2]] * 1000
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        problem = f"expected a time ago as 90m, 2h, 3d, 1w, or a date as 2026-01-31, got {text!r}"
        raise argparse.ArgumentTypeError(problem) from None
