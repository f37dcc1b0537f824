"""What is read back is of its types, or an error that names the member and never shows the value."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits, typed

SECRET = "s3cret-value"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
READERS: tuple[tuple[Callable[[Any], object], type], ...] = (
    (lambda value: typed.text(value, "name", 4), str),
    (lambda value: typed.whole(value, "name", 9), int),
    (lambda value: typed.amount(value, "name", 9.0), float),
    (lambda value: typed.flag(value, "name"), bool),
    (lambda value: typed.listed(value, "name", 2), list),
    (lambda value: typed.exactly(value, "name", 2), list),
    (lambda value: typed.texts(value, "name", 2, 4), tuple),
    (lambda value: typed.members(value, "name", {"a"}, {"b"}), dict),
)


@given(JSON)
def test_whatever_is_read_is_of_the_type_or_a_named_error(value: Any) -> None:
    for read, kind in READERS:
        try:
            found = read(value)
        except typed.WrongTypeError as error:
            assert str(error).startswith("name: expected ")
        else:
            assert type(found) is kind


@pytest.mark.parametrize(
    ("read", "wrong"),
    [
        (typed.whole, True),
        (typed.whole, 1.0),
        (typed.whole, -1),
        (typed.whole, limits.JSON_INTEGER + 1),
        (typed.whole, "1"),
        (typed.amount, True),
        (typed.amount, math.nan),
        (typed.amount, math.inf),
        (typed.amount, 10**400),
        (typed.flag, 1),
        (typed.flag, None),
    ],
)
def test_what_python_would_take_for_another_type_is_refused(
    read: Callable[[object, str], object], wrong: object
) -> None:
    with pytest.raises(typed.WrongTypeError, match=r"^at: expected "):
        read(wrong, "at")


def test_half_a_character_is_a_text_only_where_that_is_said() -> None:
    half = json.loads('"\\ud800"')
    with pytest.raises(typed.WrongTypeError, match="name: expected a text of 0 to 4"):
        typed.text(half, "name", 4)
    assert typed.text(half, "name", 4, halves=True) == half
    assert typed.texts(["a", "b"], "names", 2, 1) == ("a", "b")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"{",
        b'{"a": 1, "a": 1}',
        b"NaN",
        b"[1e999]",
        b"-Infinity",
        b"[" * 100_000,
        b"1" * 5_000,
        b"\xff\xfe[\x00]\x00",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_json_that_could_be_read_two_ways_is_none(data: bytes) -> None:
    with pytest.raises(typed.WrongTypeError, match=r"^not JSON: "):
        typed.loaded(data)


def test_an_error_never_shows_what_was_there() -> None:
    for read, _ in READERS:
        for value in (SECRET, [SECRET] * 9, {SECRET: SECRET}):
            try:
                read(value)
            except typed.WrongTypeError as error:
                assert SECRET not in str(error)
    assert typed.loaded('{"a": [1, 2.5, "x"]}') == {"a": [1, 2.5, "x"]}
