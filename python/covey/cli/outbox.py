"""`covey outbox`: what was addressed to a peer and has not met its end: for whom, since when, how far."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, Final

from covey.cli.blocks import short_key, word
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, whole
from covey.cli.reach import ask_or_read
from covey.cli.status import duration
from covey.limits import IPC_OUTBOX_ROWS
from covey.system.clock import SystemClock
from covey.system.home import Home

EXAMPLE: Final = "covey outbox writer"
_WORDS: Final = {
    "unknown": "waits",
    "delivered": "delivered, not finished with",
}


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="whose outbox")
    parser.add_argument(
        "--limit", type=whole(1, IPC_OUTBOX_ROWS), default=100, metavar="N", help="most sends (default 100)"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer, or read its store when it does not run."""
    limit = arguments.limit

    def read(memory: Any) -> dict[str, Any]:
        from covey.runtime.answers import outbox

        return outbox(memory, limit)

    home = Home.resolve(console.env)
    found = ask_or_read(home, arguments.peer, "outbox", {"limit": limit}, read)
    lines = list(_lines(console, found["outbox"], SystemClock().now_ms()))
    if found["more"]:
        lines.append(console.style(f"and more: --limit shows up to {IPC_OUTBOX_ROWS}", "dim"))
    if not lines:
        lines.append(f"nothing {arguments.peer} addressed to anybody is on its way")
    console.result({"peer": arguments.peer, **found}, "\n".join(lines))
    return 0


def _lines(console: Console, rows: list[Mapping[str, Any]], now_ms: int) -> Iterator[str]:
    """Yield the sends of each recipient under its name, oldest first."""
    recipients: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        recipients.setdefault(str(row["node_id"]), []).append(row)
    for node_id, sends in recipients.items():
        name = printable(str(sends[0]["name"])) or "never met"
        since = duration(max(0, now_ms - sends[0]["queued_ms"]) / 1000)
        yield f"{console.style(name, 'bold')} {console.style(node_id, 'dim')}: {len(sends)} since {since}"
        for row in sends:
            yield f"  {_row(console, row, now_ms)}"


def _row(console: Console, row: Mapping[str, Any], now_ms: int) -> str:
    state = str(row["state"])
    since = duration(max(0, now_ms - row["queued_ms"]) / 1000)
    left = duration(max(0, row["deadline_ms"] - now_ms) / 1000)
    said = word(console, state) if state not in _WORDS else console.style(_WORDS[state], "yellow")
    why = f": {printable(row['reason'])}" if row["reason"] else ""
    key = console.style(short_key(row["key"]), "dim")
    return f"{row['number']:>5}  {key}  {said}{why}  for {since}, {left} left"
