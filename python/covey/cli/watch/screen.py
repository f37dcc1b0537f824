"""Where `covey watch` shows its rows: a live table for a person, lines for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from covey.cli.blocks import clock
from covey.cli.console import Console, printable
from covey.cli.watch.rows import HEADS, Row, widths
from covey.system.clock import SystemClock

if TYPE_CHECKING:
    from rich.table import Table

NOBODY: Final = "no peers running. start one with `covey run --config <path>`"
_COLOURS: Final = {"closed": "green", "-": "dim"}


class Screen(Protocol):
    """Something that shows rows, again and again, while its context lasts."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        ...

    def show(self, rows: Sequence[Row]) -> None:
        """Show one look."""
        ...


def screen(console: Console, interval_ms: int, *, once: bool) -> Screen:
    """Return a live table where a person watches in colour, else lines."""
    if console.live and console.colour and not once:
        return _Live(console, interval_ms)
    return _Lines(console)


class _Lines:
    """One line for each peer at each look; with --json one object for each look."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._headed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """There is nothing to put back."""

    def show(self, rows: Sequence[Row]) -> None:
        now_ms = SystemClock().now_ms()
        wide = widths(rows)
        lines = [] if self._headed else [f"{'':8}  {_line(HEADS, wide)}"]
        for row in rows:
            told = (
                _line(row.cells, wide)
                if row.cells
                else f"{printable(row.peer)}  {row.state}: {printable(row.note)}"
            )
            lines.append(f"{clock(now_ms)[-8:]}  {told}")
        if not rows:
            lines = [NOBODY]
        self._headed = self._headed or bool(rows)
        value = {"at_ms": now_ms, "peers": [row.as_dict() for row in rows]}
        self._console.event(value, "\n".join(lines))


class _Live:
    """A table that refreshes in place. Rich is loaded by who sees it, and by nobody else."""

    def __init__(self, console: Console, interval_ms: int) -> None:
        from rich.console import Console as Terminal
        from rich.live import Live

        self._interval_ms = interval_ms
        self._live = Live(console=Terminal(file=console.out, highlight=False), auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, rows: Sequence[Row]) -> None:
        from rich.console import Group
        from rich.text import Text

        alive = sum(row.state == "alive" for row in rows)
        title = f"covey watch — {alive} peer(s) — refresh {self._interval_ms} ms — Ctrl+C to exit\n"
        body: Any = _table(rows) if rows else Text(NOBODY)
        self._live.update(Group(Text(title, style="dim"), body), refresh=True)


def _table(rows: Sequence[Row]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head in HEADS:
        table.add_column(head, no_wrap=True, overflow="ellipsis")
    for row in rows:
        # Text, never markup: a peer's name is its operator's, a model's name its vendor's.
        if row.cells:
            styles = ("bold", "cyan", *[""] * 6, _COLOURS.get(row.cells[-1], "yellow"))
            table.add_row(*(Text(cell, style=style) for cell, style in zip(row.cells, styles, strict=True)))
        else:
            told = Text(f"{row.state.upper()}: {printable(row.note)}", style="red")
            table.add_row(Text(printable(row.peer), style="bold"), told)
    return table


def _line(cells: Sequence[str], wide: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, wide, strict=True)).rstrip()
