"""Turn the runner's JSON into a table of figures and ratios, for a terminal or a report."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured piece of work. `seconds` is the median for one record."""

    what: str
    who: str
    seconds: float

    @property
    def per_second(self) -> float:
        """Records a second."""
        return 1.0 / self.seconds


def figures(report: Mapping[str, object]) -> list[Figure]:
    """Read the figures from a pytest-benchmark report, in the order in which they ran."""
    rows = report["benchmarks"]
    assert isinstance(rows, list)
    return [
        Figure(row["group"], row["name"], row["stats"]["median"] / row["extra_info"].get("records", 1))
        for row in rows
    ]


def duration(seconds: float) -> str:
    """Show a duration with three digits and its unit."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1.0:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def lines(rows: Sequence[Figure]) -> Iterable[str]:
    """Yield the table: each piece of work once, who did it below, with the ratio to covey's own time."""
    yield f"{'':34} {'per record':>12} {'a second':>12}   ratio"
    for what in dict.fromkeys(row.what for row in rows):
        yield what
        group = [row for row in rows if row.what == what]
        own = next((row for row in group if row.who == "covey"), None)
        for row in sorted(group, key=lambda row: row.who != "covey"):
            compared = own is not None and row is not own
            ratio = f"{row.seconds / own.seconds:.2f} x covey's time" if compared and own else ""
            yield f"  {row.who:32} {duration(row.seconds):>12} {row.per_second:>12,.0f}   {ratio}".rstrip()
