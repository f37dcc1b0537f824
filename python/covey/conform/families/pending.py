"""Artifacts that are known by sight and not tried yet, each with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from covey.conform.family import Family
from covey.conform.folder import Artifact, Collection
from covey.conform.report import Case, not_covered
from covey.conform.subject import Subject


def _pending(name: str, why: str, *marks: str) -> Family:
    def run(artifact: Artifact, _: Collection, subject: Subject) -> Iterator[Case]:
        yield not_covered("whole artifact", why)

    return Family(name, _having(marks), run)


def _having(marks: tuple[str, ...]) -> Callable[[Artifact], bool]:
    def recognises(artifact: Artifact) -> bool:
        return isinstance(artifact.value, dict) and all(mark in artifact.value for mark in marks)

    return recognises


FAMILIES: Final = (
    _pending("authority", "their vector is not published in a form this kit was written for", "statements"),
)
