"""`svaf-baseline`: the arithmetic of admission over given vectors (§9.2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from covey.conform.family import Family
from covey.conform.folder import Artifact, Collection
from covey.conform.report import Case, failed, not_covered, passed
from covey.conform.subject import Subject

TOLERANCE: Final = 1e-9
"""The published decimals were printed by another language and rounded there."""


def _run(artifact: Artifact, _: Collection, subject: Subject) -> Iterator[Case]:
    for case in artifact.value["cases"]:
        yield _tried(case, subject)


def _tried(case: dict[str, Any], subject: Subject) -> Case:
    config, expected, label = case["config"], case["expected"], case["label"]
    answer = subject.ask(
        "evaluate",
        incoming=case["incoming"],
        anchors=case["anchors"],
        age_seconds=case["ageSeconds"],
        profile={
            "weights": config["fieldWeights"],
            "stable": config["stableThreshold"],
            "guarded": config["guardedThreshold"],
            "temporal_lambda": config["temporalLambda"],
            "freshness_seconds": config["freshnessSeconds"],
        },
    )
    if answer.unsupported:
        return not_covered(label, "the implementation has no such operation")
    if not answer.ok:
        return failed(label, f"refused: {answer.reason}")
    for published, found in (("decision", "decision"), ("accepted", "accepted")):
        if expected[published] != answer.member(found):
            return failed(label, f"{published}: {expected[published]}, found {answer.member(found)}")
    for published, found in (("totalDrift", "total_drift"), ("maxNearestDrift", "max_nearest_drift")):
        if published in expected and abs(expected[published] - answer.member(found)) > TOLERANCE:
            return failed(label, f"{published}: {expected[published]}, found {answer.member(found)}")
    return passed(label)


def _recognises(artifact: Artifact) -> bool:
    cases = artifact.value.get("cases") if isinstance(artifact.value, dict) else None
    return isinstance(cases, list) and bool(cases) and "incoming" in cases[0] and "anchors" in cases[0]


FAMILY = Family("admission baseline", _recognises, _run)
