"""What passes one listener's weights: the peer's own drifts, weighed anew; memory does not notice."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.cognition.hearing import Listening, judgement_in, listening, narrowed, read
from covey.errors import UsageError
from covey.model import CAT7, CategoryVerdict, Decision, Judgement
from covey.proto.news import Delivered, Judged, as_dict
from covey.typed import WrongTypeError
from tests.unit.proto.virtual import Mesh

GUARDED = 0.35
NUMBERS = {"guarded": GUARDED, "temporal_lambda": 0.3}
drifts = st.lists(st.none() | st.floats(0.0, 1.0), min_size=7, max_size=7)
weights = st.lists(st.floats(0.0, 100.0).filter(lambda w: w == 0 or w > 0.01), min_size=7, max_size=7)


def judged(drifts, *, age=0.0, weights=(1.0,) * 7, decision=Decision.GUARDED, causes=None):
    rows = tuple(
        CategoryVerdict(name, "admit", drift, drift, weight, cause)
        for name, drift, weight, cause in zip(
            CAT7,
            drifts,
            weights,
            causes or ["no-text" if drift is None else None for drift in drifts],
            strict=True,
        )
    )
    said = [(weight, drift) for weight, drift in zip(weights, drifts, strict=True) if drift is not None]
    total = sum(weight for weight, _ in said)
    field = sum(weight * drift for weight, drift in said) / total if total else 0.0
    return Judgement(decision, 0.7 * field + 0.3 * age, field, age, rows, NUMBERS)


def test_a_block_about_what_counts_is_heard_and_one_that_matters_elsewhere_is_not():
    near_focus = judged([0.05, 0.9, None, None, None, None, None])
    assert listening({"focus": 2.0}).hears(near_focus)
    assert not listening({"issue": 2.0}).hears(near_focus)
    assert not listening({"focus": 0.1, "issue": 2.0}).hears(near_focus)
    assert listening({"issue": 2.0}, 0.7).hears(near_focus), "a threshold of its own"


def test_a_block_that_says_nothing_of_what_counts_is_not_heard():
    assert not listening({"mood": 1.0}).hears(judged([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, None]))


def test_where_memory_cannot_tell_the_listener_is_not_deprived():
    nothing = judged([None] * 7, causes=["no-anchor"] * 7)
    assert listening({"focus": 1.0}).hears(nothing)
    young = judged([0.9] * 7)
    assert young.total_drift > GUARDED and listening({"focus": 1.0}).hears(young)
    assert not listening({"focus": 1.0}).hears(judged([0.9] * 7, decision=Decision.REJECTED))


def test_what_is_addressed_here_or_was_not_judged_is_heard_in_any_case():
    far = judged([0.9] * 7, decision=Decision.REJECTED)
    assert listening({"focus": 1.0}).hears(far, directed=True)
    assert listening({"focus": 1.0}).hears(None)


@given(drifts, weights, st.floats(0.0, 1.0))
def test_the_peers_own_weights_give_the_peers_own_drift(drifts, weights, age):
    assert Listening(tuple(weights)).drift(judged(drifts, age=age, weights=weights)) == pytest.approx(
        judged(drifts, age=age, weights=weights).total_drift
    )


@given(drifts, weights, st.floats(0.01, 100.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_only_the_ratio_of_weights_counts_and_a_larger_threshold_hears_more(drifts, weights, by, one, other):
    said = judged(drifts, decision=Decision.REJECTED)
    here, there = Listening(tuple(weights)), Listening(tuple(weight * by for weight in weights))
    assert here.drift(said) == pytest.approx(there.drift(said))
    least, most = sorted((one, other))
    if Listening(tuple(weights), least).hears(said):
        assert Listening(tuple(weights), most).hears(said)


@given(drifts, st.floats(0.0, 1.0))
def test_lineage_that_brings_a_block_near_does_so_for_every_listener(drifts, left):
    plain = judged([*drifts[:6], None])  # covey's own path sums no mood
    field = plain.field_drift * left
    near = Judgement(plain.decision, 0.7 * field, field, 0.0, plain.categories, NUMBERS)
    wish = Listening((2.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    assert wish.drift(near) <= wish.drift(plain) + 1e-9


@pytest.mark.parametrize(
    ("weights", "threshold", "named"),
    [
        (None, None, "weights"),
        ({}, None, "weights"),
        ([1.0], None, "weights"),
        ({"colour": 1.0}, None, "colour"),
        ({"focus": -1}, None, "weights.focus"),
        ({"focus": True}, None, "weights.focus"),
        ({"focus": "2"}, None, "weights.focus"),
        ({"focus": float("nan")}, None, "weights.focus"),
        ({"focus": limits.SUBSCRIBER_WEIGHT + 1}, None, "weights.focus"),
        ({"focus": 0, "mood": 0.0}, None, "more than 0"),
        ({"focus": 1}, 1.5, "threshold"),
        ({"focus": 1}, "low", "threshold"),
        ({"focus": 1}, False, "threshold"),
    ],
)
def test_wrong_wishes_are_typed_errors_that_name_what_is_wrong(weights, threshold, named):
    with pytest.raises(UsageError, match=named) as caught:
        listening(weights, threshold)
    assert caught.value.code == "invalid_weights" and caught.value.hint


def test_weights_as_a_person_writes_them():
    assert read("focus=2, mood=0.8") == {"focus": 2.0, "mood": 0.8}
    for text in ("", "focus", "focus=", "focus=much", "focus=-1", "focus=1,focus=2", "focus=nan"):
        with pytest.raises(UsageError) as caught:
            listening(read(text))
        assert caught.value.code == "invalid_weights"


def test_events_of_a_control_socket_are_narrowed_as_the_values_are():
    mesh = Mesh()
    one, two = mesh.pair()
    for number in range(8):
        one.emit(f"the parser drops frame number {number} of the stream")
    one.emit("the parser drops the header of the stream")
    heard = [news for news in two.news if isinstance(news, Delivered | Judged)]
    lets = narrowed({"weights": {"focus": 1.0}, "threshold": 0.2})
    assert lets is not None and heard
    for news in heard:
        event = json.loads(json.dumps(as_dict(news)))
        judgement = news.delivery.judgement if isinstance(news, Delivered) else news.judgement
        assert judgement_in(event) == (judgement, False)
        assert lets(event) == listening({"focus": 1.0}, 0.2).hears(judgement)
    told = event["judgement"] if "judgement" in event else event["delivery"]["judgement"]
    for name, value in (("decision", "maybe"), ("total_drift", "0.1"), ("categories", [{}]), ("more", 1)):
        wrong = {"event": "judged", "directed": False, "judgement": {**told, name: value}}
        with pytest.raises(WrongTypeError):
            judgement_in(wrong)
    assert lets({"event": "peer-left", "node_id": "n"}), "what is about no block concerns everybody"
    assert narrowed({"events": []}) is None
    with pytest.raises(UsageError):
        narrowed({"threshold": 0.2})
