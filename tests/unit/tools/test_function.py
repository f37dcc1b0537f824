"""The `tool` mark: the schema a model sees is made from the signature, and what it enforces is the same."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.tools import ToolDefinitionError, tool
from covey.tools.function import ArgumentError, Described, described, found_in


class Unit(enum.Enum):
    METRE = "m"
    FOOT = "ft"


@tool
def forecast(
    city: Annotated[str, "its English name"],
    days: int = 1,
    *,
    units: list[Unit] | None = None,
    detail: Literal["short", "long"] = "short",
    weights: dict[str, float] | None = None,
) -> str:
    """Say what the weather
    will be.

    More that a model need not know.

    Args:
        city: not this, the annotation comes first
        days: how many days ahead

    Returns:
        Words.
    """
    return f"{city} {days} {units} {detail} {weights}"


def mark(function: Any) -> Described:
    found: Described = function.__covey_tool__
    return found


def test_a_marked_function_stays_the_function_it_is() -> None:
    assert forecast("Bern") == "Bern 1 None short None"


def test_the_schema_comes_from_the_signature_and_the_docstring() -> None:
    assert mark(forecast).name == "forecast"
    assert mark(forecast).description == "Say what the weather will be."
    assert mark(forecast).schema == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "its English name"},
            "days": {"type": "integer", "description": "how many days ahead"},
            "units": {"anyOf": [{"type": "array", "items": {"enum": ["m", "ft"]}}, {"type": "null"}]},
            "detail": {"enum": ["short", "long"]},
            "weights": {
                "anyOf": [
                    {"type": "object", "additionalProperties": {"type": "number"}},
                    {"type": "null"},
                ]
            },
        },
        "required": ["city"],
        "additionalProperties": False,
    }


def test_arguments_become_what_the_function_takes() -> None:
    given = {"city": "Bern", "days": 3.0, "units": ["m"], "weights": {"a": 1}}
    assert mark(forecast).arguments(given) == {
        "city": "Bern",
        "days": 3,
        "units": [Unit.METRE],
        "weights": {"a": 1.0},
    }


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "city: missing"),
        ({"city": 1}, "city: expected a string, got 1"),
        ({"city": "x", "days": True}, "days: expected an integer, got True"),
        ({"city": "x", "days": "3"}, "days: expected an integer, got '3'"),
        ({"city": "x", "detail": "loud"}, "detail: expected one of ['short', 'long'], got 'loud'"),
        ({"city": "x", "units": ["mile"]}, "units: expected one of ['m', 'ft'] or null, got ['mile']"),
        ({"city": "x", "town": "y"}, "town: no such argument; there are: city, days, units, detail, weights"),
        ({"city": "\x1b[2J", "days": "\x1b" * 99}, r"days: expected an integer, got '\x1b"),
    ],
)
def test_arguments_that_do_not_fit_never_reach_the_function(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        mark(forecast).arguments(given)
    assert str(caught.value).startswith(says)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 200


def test_what_cannot_be_described_is_refused_where_it_is_written() -> None:
    def untyped(a):  # type: ignore[no-untyped-def]  # that it has no type is what is tried
        """."""

    def stars(*a: int) -> None: ...
    def odd(a: set[int]) -> None: ...
    def unknown(a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821 - as a user may write it

    for function, says in (
        (untyped, "has no type"),
        (stars, "given by name"),
        (odd, "not a type a model can give"),
        (unknown, "cannot be read"),
        (lambda: None, "a tool's name"),
    ):
        with pytest.raises(ToolDefinitionError, match=says):
            tool(function)


def test_a_tool_may_have_another_name_and_two_may_not_share_one() -> None:
    def one() -> None: ...
    def two() -> None: ...

    tool(name="same", description="d")(one)
    assert (mark(one).name, mark(one).description) == ("same", "d")
    assert set(found_in({"a": one, "b": one, "c": 3})) == {"same"}
    tool(name="same")(two)
    with pytest.raises(ToolDefinitionError, match="two tools"):
        found_in({"a": one, "b": two})


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["city", "days", "units", "detail", "weights", "x"]), JSON))
def test_any_arguments_fit_or_are_refused_with_a_sentence(given: dict[str, Any]) -> None:
    try:
        fitted = described(forecast).arguments(given)
    except ArgumentError as error:
        assert str(error).isprintable()
    else:
        assert isinstance(fitted["city"], str)
        forecast(**fitted)
