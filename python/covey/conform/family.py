"""One family of artifacts: how it is recognised, and how it is tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from covey.conform.folder import Artifact, Collection
from covey.conform.report import Case, failed, not_covered, passed
from covey.conform.subject import Answer, Subject
from covey.values import dataclass

Run = Callable[[Artifact, Collection, Subject], Iterator[Case]]


@dataclass(frozen=True, slots=True)
class Family:
    """A name for the table, a test on the artifact's value, and the cases in it."""

    name: str
    recognises: Callable[[Artifact], bool]
    run: Run


def members(artifact: Artifact, *names: str) -> bool:
    """Tell whether the artifact is an object with all these members."""
    return isinstance(artifact.value, dict) and all(name in artifact.value for name in names)


def judged(label: str, answer: Answer, expected: Any) -> Case:
    """Return a case that passes when the answer has every expected member."""
    if answer.unsupported:
        return not_covered(label, "the implementation has no such operation")
    if answer.result is None:
        return failed(label, f"refused: {answer.reason}")
    for name, value in expected.items():
        if answer.result.get(name) != value:
            return failed(label, f"{name}: expected {value!r}, found {answer.result.get(name)!r}"[:240])
    return passed(label)


def refused(label: str, answer: Answer) -> Case:
    """Return a case that passes when the answer is a refusal."""
    if answer.unsupported:
        return not_covered(label, "the implementation has no such operation")
    if answer.ok or answer.reason == "bad_request":
        return failed(label, "accepted" if answer.ok else "the question was not understood")
    return passed(label, answer.reason or "")
