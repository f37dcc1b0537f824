"""One run of the kit: every artifact of a folder, each by the family that knows it."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from typing import Final

from covey.conform.families import (
    admission,
    application,
    attest,
    earlier,
    examples,
    frames,
    handshake,
    manifest,
    pending,
    projection,
    records,
    registry,
    sealed,
    sizes,
    strict,
    tether,
)
from covey.conform.family import Family
from covey.conform.folder import Artifact, Collection
from covey.conform.report import Case, Report, Row, failed, not_covered
from covey.conform.subject import Subject, SubjectError

FAMILIES: Final[tuple[Family, ...]] = (
    frames.FAMILY,
    manifest.FAMILY,
    handshake.FAMILY,
    sealed.RECORDS,
    sealed.CONTROL,
    records.FAMILY,
    projection.FAMILY,
    sizes.FAMILY,
    application.FAMILY,
    strict.FAMILY,
    admission.FAMILY,
    registry.FAMILY,
    examples.FAMILY,
    attest.FAMILY,
    tether.FAMILY,
    earlier.KEYS,
    earlier.SIGNATURES,
    *pending.FAMILIES,
)
"""In this order: the first that recognises an artifact takes it."""


def run(
    collection: Collection,
    subject: Subject,
    watch: Callable[[Row], None] | None = None,
    *,
    only: Container[str] | None = None,
) -> Report:
    """Try every artifact, or those whose paths are in `only`; `watch` hears of each as soon as it is done.

    Raises:
        SubjectError: The implementation under test broke the conversation.
    """
    rows = []
    for artifact in collection.artifacts:
        if only is not None and artifact.path not in only:
            continue
        row = _row(artifact, collection, subject)
        rows.append(row)
        if watch is not None:
            watch(row)
    rows += [Row(path, "unreadable", [failed("whole artifact", why)]) for path, why in collection.unreadable]
    greeting = subject.ask("hello")
    named = f"{greeting.member('name') or 'unnamed'} {greeting.member('version') or ''}".strip()
    return Report(named, rows)


def _row(artifact: Artifact, collection: Collection, subject: Subject) -> Row:
    family = next((family for family in FAMILIES if family.recognises(artifact)), None)
    if family is None:
        return Row(
            artifact.path, "unknown", [not_covered("whole artifact", "not an artifact this kit knows")]
        )
    return Row(artifact.path, family.name, list(_guarded(family, artifact, collection, subject)))


def _guarded(family: Family, artifact: Artifact, collection: Collection, subject: Subject) -> Iterator[Case]:
    """Yield a family's cases; an artifact that is not built as its family expects fails as such."""
    try:
        yield from family.run(artifact, collection, subject)
    except SubjectError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        yield failed("whole artifact", f"not built as expected: {type(error).__name__}: {error}"[:240])
