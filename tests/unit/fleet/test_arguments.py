"""Arguments of what agents do together: what is none is one typed refusal, whatever it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.errors import UsageError
from covey.fleet import arguments as args
from covey.fleet.capabilities import CapabilityError, Offer
from covey.fleet.work.task import TaskError
from tests.unit.fleet.test_work import task

ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.text()),
    st.just(10**5_000), st.builds(object),
)  # fmt: skip
CHECKS: list[Callable[[object], object]] = [
    lambda value: args.seconds("a", "b", value, 60.0, usual=5.0),
    lambda value: args.seconds("a", "b", value, 60.0),
    lambda value: args.share("a", "b", value, below_one=True),
    lambda value: args.whole("a", "b", value, 1, 9),
    lambda value: args.text("a", "b", value, 9),
    lambda value: args.texts("a", "b", value),
    lambda value: args.capability("a", value),
    lambda value: args.capabilities("a", "b", value),
    lambda value: args.one_of("a", "b", value, ("one", "two")),
    lambda value: args.function("a", "b", value),
]


@pytest.mark.parametrize("check", CHECKS)
@given(value=ANYTHING)
def test_whatever_comes_is_taken_or_refused_in_one_line_with_a_next_step(
    check: Callable[[object], object], value: object
) -> None:
    try:
        check(value)
    except UsageError as error:
        assert error.message.startswith("a: ") and "expected" in error.message
        assert "\n" not in error.message and len(error.message) < 250
        assert error.hint


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, -1, 0, 60.1, "5", True, [5], 10**400])
def test_what_are_no_seconds_is_refused_with_what_came(value: Any) -> None:
    with pytest.raises(UsageError, match=r"vote: seconds: expected seconds, more than 0 and at most 60, got"):
        args.seconds("vote", "seconds", value, 60.0, usual=5.0)


@pytest.mark.parametrize("value", [0.001, 1, 60])
def test_seconds_within_their_bound_are_taken(value: float) -> None:
    taken = args.seconds("vote", "seconds", value, 60.0)
    assert taken == value and type(taken) is float


def test_one_text_is_no_list_of_texts() -> None:
    with pytest.raises(UsageError, match="voters: expected a list of texts, got 'bob'"):
        args.texts("vote", "voters", "bob")
    assert args.texts("vote", "voters", ("bob", "cid")) == ["bob", "cid"]


@pytest.mark.parametrize("word", ["a b", "", " a", "a\n", "-a", "a" * 65, "ü", "a*", None, 7])
def test_what_nobody_can_offer_nobody_can_ask_for(word: Any) -> None:
    assert not args.is_capability(word)
    with pytest.raises(UsageError, match="capability: expected one word"):
        args.capability("task", word)
    with pytest.raises(CapabilityError, match="capability: expected one word"):
        Offer("ann", (word,))
    with pytest.raises(TaskError, match="capability: expected one word"):  # and on the wire, and in a row
        task(capability=word)


@pytest.mark.parametrize("word", ["a", "translate", "9", "org.example/ocr:v2", "a-b_c", "a" * 64])
def test_what_can_be_offered_can_be_asked_for(word: str) -> None:
    assert Offer("ann", (word,)).capabilities == (word,) == (task(capability=word).capability,)
