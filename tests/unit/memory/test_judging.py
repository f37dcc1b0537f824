"""What words about blocks do: authority moves, outcomes ground, and neither does the other's work."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.hindsight import Feedback
from covey.memory.judging import VERBS, NoStep, Step, grounding, step_of, tier_of, words_about
from covey.model import Ruling
from covey.runtime.unanchored import Unanchored

LOW, VALIDATOR, ANCHOR = "low", "validator", "anchor"


class Roles:
    """Who may do what, by nodeId."""

    def may(self, move, node_id):
        reach = {"validate": (VALIDATOR, ANCHOR), "dismiss": (VALIDATOR, ANCHOR), "canonise": (ANCHOR,)}
        return Ruling(node_id in reach[move], "as the test says")


def word(seq, kind, by=LOW, target="t"):
    return Feedback(seq, f"k{seq}", f"a{seq}", by, seq, kind, target, f"{kind}: words")


@pytest.mark.parametrize(
    ("kind", "by", "to"),
    [
        ("validate", VALIDATOR, "validated"),
        ("dismiss", VALIDATOR, "dismissed"),
        ("archive", VALIDATOR, "archived"),
        ("canonise", ANCHOR, "canonical"),
        ("validate", LOW, None),
        ("dismiss", LOW, None),
        ("archive", LOW, None),
        ("canonise", VALIDATOR, None),
    ],
)
def test_a_judgement_moves_only_for_who_may(kind, by, to):
    step = step_of(word(1, kind, by), Roles())
    if to is None:
        assert step == NoStep("t", by, "as the test says")
    else:
        assert step == Step("t", to, by, "a1")


def test_without_an_anchor_nobody_moves_anything():
    for kind in VERBS:
        assert isinstance(step_of(word(1, kind, ANCHOR), Unanchored()), NoStep)
    assert tier_of(Unanchored(), ANCHOR) == 0


def test_an_outcome_moves_nothing_whoever_reports_it():
    for kind in ("verified", "failed"):
        assert step_of(word(1, kind, ANCHOR), Roles()) is None


def of(words):
    return grounding(words, lambda node_id: tier_of(Roles(), node_id))


def test_the_last_word_among_equals_wins_also_after_a_regression():
    first, second = word(1, "verified"), word(2, "failed")
    assert of([first]).held
    assert not of([first, second]).held and not of([second, first]).held
    assert of([first, second, word(3, "verified")]).held
    assert of([word(1, "validate", ANCHOR)]) is None and of([]) is None


def test_any_number_of_low_words_never_overturns_a_higher_one():
    stands = word(1, "verified", VALIDATOR)
    low = [word(seq, "failed") for seq in range(2, 50)]
    assert of([stands, *low]).word == stands
    regression = word(60, "failed", VALIDATOR)
    assert not of([stands, *low, regression]).held
    assert of([regression, word(61, "verified", ANCHOR)]).tier == 2


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("verified", "failed", "validate")), st.sampled_from((LOW, VALIDATOR, ANCHOR))
        )
    )
)
def test_order_of_reading_never_matters(said):
    words = [word(seq, kind, by) for seq, (kind, by) in enumerate(said)]
    found = of(words)
    assert found == of(words[::-1])
    reports = [each for each in words if each.grounds]
    assert (found is None) == (not reports)
    if found is not None:
        tier = max(tier_of(Roles(), each.node_id) for each in reports)
        last = max((each for each in reports if tier_of(Roles(), each.node_id) == tier), key=lambda w: w.seq)
        assert found.word == last


def about(key, said, below, tethered=lambda key: True, max_blocks=64):
    return {
        each.key
        for each in words_about(
            key, lambda k: said.get(k, ()), lambda k: below.get(k, ()), tethered, max_blocks=max_blocks
        )
    }


def test_grounding_runs_upward_and_never_down():
    report = word(1, "verified", target="remix")
    said, below = {"remix": [report]}, {"claim": ["remix"], "remix": ["k1", "later"]}
    assert about("remix", said, below) == {"k1"}
    assert about("claim", said, below) == {"k1"}
    assert about("later", said, below) == set()


def test_a_remix_that_left_its_subject_lends_nothing():
    said, below = {"remix": [word(1, "verified", target="remix")]}, {"claim": ["remix"]}
    assert about("claim", said, below, tethered=lambda key: key != "remix") == set()


def test_the_look_below_is_bounded():
    asked = itertools.count()

    def children(key):
        next(asked)
        return [f"{key}.{number}" for number in range(3)]

    assert words_about("r", lambda key: (), children, lambda key: True, max_blocks=50) == []
    assert next(asked) < 60
