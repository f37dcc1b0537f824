"""The encoder and the baseline, through Python, against what was recorded from the Node reference."""

from collections.abc import Callable
from typing import Any

import pytest

from covey import core

Read = Callable[[str], Any]
Json = dict[str, Any]
TOLERANCE = 1e-9


def said(block: Json) -> dict[str, str]:
    return {name: entry["text"] for name, entry in block["categories"].items()}


def whole(block: Json) -> bool:
    """Tell whether every category says something: what is absent here counts as neutral, there as no text."""
    texts = said(block)
    return all(texts.get(name) for name in core.CATEGORIES)


def test_the_encoder_gives_the_recorded_vectors(golden: Read) -> None:
    cases = golden("encoder-vectors.json")["cases"]
    assert len(cases) > 100
    for case in cases:
        assert core.encode(case["text"]) == case["h1"], case["text"]


def test_recorded_decisions_are_reached(golden: Read) -> None:
    cases = [
        case
        for case in golden("svaf-decisions.json")["cases"]
        if not case["in"]["groundingWaiver"]
        and all(whole(block) for block in (case["in"]["cmb"], *case["in"]["anchors"]))
        and not any("confidence" in anchor for anchor in case["in"]["anchors"])
    ]
    assert len(cases) > 40
    for case in cases:
        check(case)


def check(case: Json) -> None:
    given, expected = case["in"], case["out"]
    config, now_ms = given["config"], given["now"]
    profile = {
        "weights": config["categoryWeights"],
        "stable": config["stableThreshold"],
        "guarded": config["guardedThreshold"],
        "temporal_lambda": config["temporalLambda"],
        "freshness_seconds": config["freshnessSeconds"],
        "decay_floor": 0.0,
    }
    anchors = [
        (said(anchor), (now_ms - anchor.get("storedAt", now_ms)) / 1000) for anchor in given["anchors"]
    ]
    evaluation = core.evaluate(said(given["cmb"]), anchors, profile, age_seconds=given["ageSeconds"])
    assert evaluation.decision == expected["decision"], case["i"]
    assert evaluation.accepted == expected["accepted"], case["i"]
    assert evaluation.total_drift == pytest.approx(expected["totalDrift"], abs=TOLERANCE), case["i"]
    verdicts = {verdict.name: verdict.verdict for verdict in evaluation.categories}
    assert verdicts == expected["categoryVerdicts"], case["i"]
    causes = {verdict.name: verdict.cause for verdict in evaluation.categories if verdict.cause}
    assert causes == expected["silentCauses"], case["i"]
