"""A run of measures as one JSON document: written, read back strictly, laid beside another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from covey import limits, typed
from covey.bench.stats import Change, Measure, compare
from covey.errors import UsageError
from covey.values import dataclass

FORMAT: Final = "covey-bench-2"
_EARLIER: Final = ("covey-bench-1",)
"""Their samples hang on each other (ages of one meeting, rounds of one process): they decide nothing."""
_TEXTS: Final = ("name", "what", "unit")
_SIZES: Final = ("blocks", "hearers", "entries", "anchors")
"""Facts that say how much work was measured: runs of other sizes do not measure the same."""

_LEAST: Final = 1e-9
_MOST: Final = 1e15
"""What a sample may be, in its unit: ratios of such numbers are numbers."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured, on what machine, by which build."""

    machine: dict[str, str]
    measures: tuple[Measure, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the document. Samples are kept, so that a later run can be compared with intervals."""
        rows = []
        for measure in self.measures:
            low, high = measure.interval or (None, None)
            rows.append({**asdict(measure), "median": measure.median, "low": low, "high": high})
        return {"format": FORMAT, "machine": self.machine, "measures": rows}

    def against(self, before: Report) -> tuple[Change, ...]:
        """Say how each measure that both runs have moved."""
        known = {measure.name: measure for measure in before.measures}
        same = [m for m in self.measures if _unlike(m, known.get(m.name)) is None]
        return tuple(compare(known[measure.name], measure) for measure in same)

    def apart(self, before: Report) -> tuple[str, ...]:
        """Say what keeps the runs from being compared: another machine, measures of another size."""
        known = {measure.name: measure for measure in before.measures}
        ours, theirs = self.machine, before.machine
        parts = [
            part for part in sorted(ours.keys() & theirs.keys() - {"covey"}) if ours[part] != theirs[part]
        ]
        said = [f"another {part}: {theirs[part]} there, {ours[part]} here" for part in parts]
        why = [(m.name, _unlike(m, known.get(m.name))) for m in self.measures]
        return (*said, *(f"{name} is not compared: {reason}" for name, reason in why if reason is not None))


def _unlike(measure: Measure, before: Measure | None) -> str | None:
    """Return why two measures of a name cannot be compared, or None."""
    if before is None:
        return "the saved run has none"
    if before.unit != measure.unit:
        return f"in {before.unit} there, in {measure.unit} here"
    for size in _SIZES:
        there, here = before.facts.get(size), measure.facts.get(size)
        if there is not None and here is not None and there != here:
            return f"{there:,.0f} {size} there, {here:,.0f} here"
    return None


def read(raw: bytes, where: str) -> Report:
    """Read a saved run.

    Raises:
        UsageError: It is none; the message says what is wrong and in which measure.
    """
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: not JSON: {error}", code="bad_report") from error
    if isinstance(document, dict) and document.get("format") in _EARLIER:
        raise UsageError(
            f"{where}: saved by an earlier covey bench, whose samples hang on each other",
            code="bad_report",
            hint="save one anew with: covey bench --save FILE",
        )
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UsageError(
            f"{where}: no saved run of covey bench (expected format {FORMAT!r})",
            code="bad_report",
            hint="save one with: covey bench --save FILE",
        )
    machine, rows = document.get("machine"), document.get("measures")
    if not isinstance(machine, dict) or not all(isinstance(each, str) for each in machine.values()):
        raise UsageError(f"{where}: machine: expected an object of texts", code="bad_report")
    if not isinstance(rows, list) or len(rows) > limits.BENCH_MEASURES:
        raise UsageError(
            f"{where}: measures: expected a list of at most {limits.BENCH_MEASURES}", code="bad_report"
        )
    return Report(machine, tuple(_measure(row, f"{where}: measures[{n}]") for n, row in enumerate(rows)))


def _measure(row: object, where: str) -> Measure:
    if not isinstance(row, Mapping):
        raise UsageError(f"{where}: expected an object", code="bad_report")
    for name in _TEXTS:
        if not isinstance(row.get(name), str):
            raise UsageError(f"{where}.{name}: expected a text", code="bad_report")
    samples, facts, paces = row.get("samples"), row.get("facts", {}), row.get("paces", {})
    if not isinstance(facts, Mapping) or not isinstance(row.get("higher_is_better"), bool):
        raise UsageError(
            f"{where}: expected facts as an object, higher_is_better as a truth", code="bad_report"
        )
    if not isinstance(paces, Mapping):
        raise UsageError(f"{where}.paces: expected an object of lists", code="bad_report")
    return Measure(
        row["name"],
        row["what"],
        row["unit"],
        row["higher_is_better"],
        _numbers(samples, f"{where}.samples"),
        {str(name): _number(value, f"{where}.facts", -_MOST) for name, value in facts.items()},
        {str(part): _numbers(taken, f"{where}.paces") for part, taken in paces.items()},
    )


def _numbers(given: object, where: str) -> tuple[float, ...]:
    if not isinstance(given, list) or not 1 <= len(given) <= limits.BENCH_SAMPLES:
        raise UsageError(f"{where}: expected 1 to {limits.BENCH_SAMPLES} numbers", code="bad_report")
    return tuple(_number(each, where) for each in given)


def _number(given: object, where: str, least: float = _LEAST) -> float:
    try:
        return typed.amount(given, "each of them", _MOST, least)
    except typed.WrongTypeError as error:
        raise UsageError(f"{where}: {error}", code="bad_report") from error
