"""What the kit found: cases, each of one artifact, and the counts that make the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import field
from enum import StrEnum
from typing import Final

from covey.values import dataclass

_CHOICE: Final = "by choice: "


class State(StrEnum):
    """How a case came out."""

    PASS = "pass"
    FAIL = "fail"
    NOT_COVERED = "not covered"


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that was tried: what, how it came out, and why where it did not pass."""

    label: str
    state: State
    detail: str = ""


def passed(label: str, detail: str = "") -> Case:
    """Return a case that came out as published."""
    return Case(label, State.PASS, detail)


def chosen(label: str, why: str) -> Case:
    """Return a case that came out otherwise on purpose; it passes, and `why` is shown."""
    return Case(label, State.PASS, f"{_CHOICE}{why}")


def failed(label: str, detail: str) -> Case:
    """Return a case that came out otherwise; `detail` says what was expected and what came."""
    return Case(label, State.FAIL, detail)


def not_covered(label: str, detail: str) -> Case:
    """Return a case that could not be tried, and why."""
    return Case(label, State.NOT_COVERED, detail)


def same(label: str, expected: object, found: object) -> Case:
    """Return a case that passes when both are equal."""
    if expected == found:
        return passed(label)
    return failed(label, f"expected {_short(expected)}, found {_short(found)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "…"


@dataclass(slots=True)
class Row:
    """One artifact and its cases."""

    artifact: str
    family: str
    cases: list[Case] = field(default_factory=list)

    def count(self, state: State) -> int:
        """Return how many cases came out so."""
        return sum(case.state is state for case in self.cases)

    def choices(self) -> Counter[str]:
        """Return the reasons of what passes by choice, and how often each."""
        said = (case.detail for case in self.cases if case.detail.startswith(_CHOICE))
        return Counter(detail.removeprefix(_CHOICE) for detail in said)

    def of(self, state: State) -> Iterator[Case]:
        """Yield the cases that came out so."""
        return (case for case in self.cases if case.state is state)


@dataclass(slots=True)
class Report:
    """Everything of one run."""

    subject: str
    rows: list[Row]

    def count(self, state: State) -> int:
        """Return how many cases came out so, in all artifacts."""
        return sum(row.count(state) for row in self.rows)

    @property
    def conforms(self) -> bool:
        """Tell whether something passed and nothing failed."""
        return self.count(State.FAIL) == 0 and self.count(State.PASS) > 0

    def as_dict(self) -> dict[str, object]:
        """Return what `--json` prints; passing cases are counted, the others listed."""
        return {
            "ok": self.conforms,
            "subject": self.subject,
            "counts": {state.value.replace(" ", "_"): self.count(state) for state in State},
            "artifacts": [
                {
                    "artifact": row.artifact,
                    "family": row.family,
                    **{state.value.replace(" ", "_"): row.count(state) for state in State},
                    "failures": _listed(row.of(State.FAIL)),
                    "choices": dict(sorted(row.choices().items())),
                    "gaps": _listed(row.of(State.NOT_COVERED)),
                }
                for row in self.rows
            ],
        }


def _listed(cases: Iterable[Case]) -> list[dict[str, str]]:
    return [{"case": case.label, "detail": case.detail} for case in cases]
