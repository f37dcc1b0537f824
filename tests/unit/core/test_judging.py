"""Admission by itself: encoding, evaluating, profiles, and what an evaluation says."""

import pytest

from covey import core

BUG = {"focus": "fix the login bug"}
FOCUS_ONLY = {"weights": [1, 0, 0, 0, 0, 0, 0]}


def refusal(*arguments: object, **named: object) -> core.CoreError:
    with pytest.raises(core.CoreError) as raised:
        core.evaluate(*arguments, **named)
    return raised.value


def test_a_vector_has_32_floats_and_ignores_case_and_punctuation():
    vector = core.encode("Hello, World!")
    assert len(vector) == 32
    assert vector == core.encode("hello world", kernel="ngram-h32")
    assert vector[19] == pytest.approx(0.5494422557947561, abs=1e-15)
    assert core.encode("日本語") == [0.0] * 32


def test_an_unknown_kernel_is_refused_by_name():
    with pytest.raises(core.CoreError, match="ngram-h32") as raised:
        core.encode("text", kernel="bert")
    assert raised.value.reason == "invalid_argument"


def test_an_empty_memory_admits():
    evaluation = core.evaluate(BUG, [])
    assert (evaluation.decision, evaluation.accepted) == ("aligned", True)
    assert {verdict.verdict for verdict in evaluation.categories} == {"silent"}
    assert {verdict.cause for verdict in evaluation.categories} == {"no-anchor"}
    assert evaluation.explanation.startswith("aligned: memory holds nothing comparable")


def test_a_pinned_evaluation():
    held = [{"focus": "login fails for users", "mood": "tired"}, {"focus": "the cache is slow"}]
    evaluation = core.evaluate({**BUG, "mood": "calm"}, held, FOCUS_ONLY)
    focus = evaluation.categories[0]
    assert (focus.name, focus.verdict, focus.weight, focus.cause) == ("focus", "reject", 1.0, None)
    assert evaluation.decision == "guarded"
    assert evaluation.field_drift == focus.drift
    assert evaluation.total_drift == pytest.approx(0.7 * evaluation.field_drift, abs=1e-15)
    assert evaluation.total_drift == pytest.approx(0.3960337553093272, abs=1e-12)
    assert evaluation.max_nearest_drift == pytest.approx(0.6098071605045405, abs=1e-12)


def test_records_and_mappings_are_judged_alike():
    key = core.SigningKey(b"\x01" * 32)
    node_id = "018f47a0-7b21-7abc-8def-0123456789ab"
    texts = {"focus": "caf\u0065\u0301 opens", "mood": "glad"}
    draft = core.Draft(texts, node_id=node_id, author="a", created_ms=1, room="default")
    record = core.sign(draft, key)
    anchors = [{"focus": "the café is open"}]
    ours, theirs = core.evaluate(texts, anchors), core.evaluate(record, anchors)
    assert ours.total_drift == theirs.total_drift
    assert core.evaluate(texts, [record]).decision == "redundant"


def test_age_counts_for_the_block_and_for_the_anchor():
    aged = core.evaluate(BUG, [{"focus": "login fails for users"}], FOCUS_ONLY, age_seconds=36_000)
    assert aged.decision == "rejected"
    assert aged.temporal_drift == pytest.approx(1.0, abs=1e-8)
    near, far = {"focus": "fix the login page"}, {"focus": "the bug is old"}
    fresh = core.evaluate(BUG, [(near, 0.0), (far, 0.0)], FOCUS_ONLY).total_drift
    faded = core.evaluate(BUG, [(near, 0.0), (far, 9_000.0)], FOCUS_ONLY).total_drift
    assert fresh != faded
    assert faded == pytest.approx(core.evaluate(BUG, [near], FOCUS_ONLY).total_drift, abs=0.01)


def test_profiles_by_name_and_by_numbers_agree():
    held = [{"focus": "login fails", "mood": "tired"}]
    said = {**BUG, "mood": "tired and cold"}
    weights = dict(zip(core.CATEGORIES, [1, 0.8, 0.8, 0.8, 0.8, 1.2, 2], strict=True))
    music = core.evaluate(said, held, "music")
    assert music.total_drift == core.evaluate(said, held, {"weights": weights}).total_drift
    assert music.total_drift != core.evaluate(said, held).total_drift
    assert [verdict.weight for verdict in music.categories] == list(weights.values())


@pytest.mark.parametrize(
    ("profile", "named"),
    [
        ("jazz", "uniform, coding, music"),
        ({"stabel": 0.2}, "stabel"),
        ({"stable": 0.9}, "stable and guarded"),
        ({"temporal_lambda": 2}, "temporal_lambda"),
        ({"freshness_seconds": 0}, "freshness_seconds"),
        ({"weights": [-1, 0, 0, 0, 0, 0, 0]}, "weights"),
    ],
)
def test_a_profile_that_cannot_decide_is_refused(profile: object, named: str):
    error = refusal(BUG, [], profile)
    assert error.reason == "invalid_argument"
    assert named in error.detail


def test_other_wrong_arguments_are_refused():
    assert refusal({"foucs": "x"}, []).reason == "invalid_category"
    assert refusal(BUG, [], {"weights": {"foucs": 1}}).reason == "invalid_category"
    assert refusal(BUG, [], age_seconds=-1).reason == "invalid_argument"
    assert refusal(BUG, [(BUG, float("nan"))]).reason == "invalid_argument"
    with pytest.raises(TypeError):
        core.evaluate("not a block", [])
