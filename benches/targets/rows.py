"""A row of the report: what was measured, beside what it is held, what the aim is, and whether it is met.

Nothing here measures: figures come in, words and a document go out.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

TIMES = {"s": 1.0, "ms": 1e-3, "µs": 1e-6}
"""Units of time, in seconds."""
A_SECOND = "/s"
"""What units of rates end with."""

NEAR = 0.01
"""A figure this close to its aim might be rounded to it by three digits."""

COLUMNS = (
    "speaker + hearer, µs",
    "two cores allow",
    "index behind at the last",
    "all there after",
)
"""Of a meeting of two peers: both ends' processor time, its bound, and the hearer's full text."""

Kind = Literal["at least", "at most", "under"]


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure should reach, or stay below."""

    kind: Kind
    bound: float

    def met(self, figure: float) -> bool:
        """Tell whether this figure is within the aim."""
        if self.kind == "at least":
            return figure >= self.bound
        return figure <= self.bound if self.kind == "at most" else figure < self.bound

    def __str__(self) -> str:
        return f"{self.kind} {self.bound:,.6g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of a part, measured once or more often; or why there is none."""

    part: str
    what: str
    unit: str = ""
    samples: tuple[float, ...] = ()
    aim: Aim | None = None
    ratio: float | None = None
    against: str = ""
    """What the ratio is to."""
    notes: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    """What stands beside it in the table of meetings, in the order of `COLUMNS`."""
    least: int = 1
    """Samples that decide; fewer than these leave an aim open."""
    skipped: str = ""
    failed: str = ""

    @property
    def figure(self) -> float:
        """The middle sample, which decides."""
        return statistics.median(self.samples)

    @property
    def state(self) -> str:
        """Say `met`, `NOT MET`, `unsure` of too few samples; of no aim `beside`, of no figure why."""
        if self.failed or self.skipped:
            return f"failed: {self.failed}" if self.failed else f"skipped: {self.skipped}"
        if self.aim is None:
            return "beside"
        if len(self.samples) < self.least:
            return "unsure"
        return "met" if self.aim.met(self.figure) else "NOT MET"


def has_check(row: Row) -> bool:
    """Tell whether a strict signature check says something of a row: a rate or time without another ratio."""
    is_pace = row.unit.endswith(A_SECOND) or row.unit in TIMES
    return bool(row.samples) and row.ratio is None and is_pace


def beside_check(row: Row, check_seconds: float) -> Row:
    """Add the ratio to the strict signature check."""
    if row.unit in TIMES:
        return replace(row, ratio=row.figure * TIMES[row.unit] / check_seconds, against="a strict check")
    return replace(row, ratio=row.figure * check_seconds, against="the rate of strict checks on one core")


def lines(row: Row) -> Iterator[str]:
    """Yield the row as a person reads it, its notes indented below."""
    if not row.samples:
        yield f"{row.part}: {row.what}: {row.state}"
        return
    parts = [f"{_figure(row)} {row.unit}{_span(row.samples)}"]
    if row.ratio is not None:
        parts.append(f"{number(row.ratio)} times {row.against}")
    if row.aim is not None:
        parts.append(f"aim {row.aim} ({number(row.figure / row.aim.bound)} of it)")
    yield f"{row.part}: {row.what}: {'; '.join(parts)}: {row.state}"
    yield from (f"    {note}" for note in row.notes)


def _span(samples: tuple[float, ...]) -> str:
    if len(samples) < 2:
        return ""
    return f" ({number(min(samples))} to {number(max(samples))} of {len(samples)})"


def _figure(row: Row) -> str:
    """Write the figure that decides; close to its aim with the aim's digits, to show on which side it is."""
    if row.aim is not None and abs(row.figure - row.aim.bound) < NEAR * abs(row.aim.bound):
        return f"{row.figure:,.6g}"
    return number(row.figure)


def number(figure: float) -> str:
    """Write a figure with three digits, or all of them before the point."""
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the meetings of peers once more, as a table that can be pasted; nothing where there are none."""
    met = [row for row in rows if row.cells]
    if met:
        yield f"| | blocks/s | of the rate of strict checks | {' | '.join(COLUMNS)} | aim |"
        yield "|" + "---|" * (len(COLUMNS) + 4)
    for row in met:
        ratio = "" if row.ratio is None else number(row.ratio)
        aim = "" if row.aim is None else f"{row.aim.bound:,.0f}"
        yield f"| {row.what} | {number(row.figure)} | {ratio} | {' | '.join(row.cells)} | {aim} |"


def summary(rows: Iterable[Row]) -> str:
    """Count the rows by what became of them, in one line."""
    states = [row.state.partition(":")[0] for row in rows]
    named = ("met", "NOT MET", "unsure", "beside", "skipped", "failed")
    return ", ".join(f"{states.count(name)} {name}" for name in named if name in states)


def document(rows: Iterable[Row], **head: Any) -> dict[str, Any]:
    """Return the report as one JSON object: what it is of, and every row with its state."""
    kept = []
    for row in rows:
        figure = row.figure if row.samples else None
        kept.append({**asdict(row), "figure": figure, "state": row.state})
    return {"format": "covey-targets-1", **head, "rows": kept}
