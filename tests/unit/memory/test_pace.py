"""How often a peer reports one outcome of one block: as often as others take it, and no more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.memory.pace import TOO_OFTEN, ReportPace, outcome_in

NOW = 1_700_000_000_000
HOUR_MS = limits.GROUNDING_SECONDS * 1000


def test_a_failure_passes_where_successes_came_too_often():
    pace = ReportPace()
    for _ in range(limits.GROUNDINGS_PER_TARGET):
        assert pace.judge(["a"], held=True, now_ms=NOW) is None
    refused = pace.judge(["a"], held=True, now_ms=NOW + 1)
    assert refused.reason == TOO_OFTEN and "in 60 min again" in refused.detail
    assert pace.judge(["b", "a"], held=True, now_ms=NOW) is not None, "another block beside it does not help"
    assert pace.judge(["a"], held=False, now_ms=NOW) is None
    assert pace.judge(["b"], held=True, now_ms=NOW) is None
    assert pace.judge(["a"], held=True, now_ms=NOW + HOUR_MS) is None


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ({"intent": "ground", "commitment": "verified: it runs"}, True),
        ({"intent": "ground", "commitment": "failed: it broke"}, False),
        ({"intent": "ground", "commitment": "Verified: it runs"}, None),
        ({"intent": "learn", "commitment": "verified: it runs"}, None),
        ({}, None),
    ],
)
def test_only_a_recognised_outcome_is_one(said, held):
    assert outcome_in(said) is held


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.booleans()), max_size=80))
def test_in_no_hour_more_is_said_and_what_came_to_nothing_does_not_count(words):
    pace, said = ReportPace(), {}
    for target, held, comes_to_something in words:
        refused = pace.judge([target], held=held, now_ms=NOW)
        assert (refused is not None) == (said.get((target, held), 0) >= limits.GROUNDINGS_PER_TARGET)
        if refused is None and comes_to_something:
            said[target, held] = said.get((target, held), 0) + 1
        elif refused is None:
            pace.undone([target], held=held)


def test_what_is_counted_is_bounded():
    pace = ReportPace()
    for number in range(limits.GROUNDING_PAIRS + 5):
        assert pace.judge([str(number)], held=True, now_ms=NOW) is None
    assert len(pace._said) == limits.GROUNDING_PAIRS
