"""Laws of settings: any text and any data give Settings, or a ConfigError that names each problem."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from covey import settings
from covey.errors import ConfigError

EXAMPLE = (Path(__file__).parents[2] / "examples" / "agent.toml").read_text(encoding="utf-8")
SCRIPT = (Path(__file__).parents[2] / "examples" / "scripted.toml").read_text(encoding="utf-8")

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=80), st.binary(max_size=3)
)
junk = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=12), inner, max_size=3)
    ),
    max_leaves=6,
)


def read(text: str) -> settings.Settings | ConfigError:
    try:
        return settings.parse(text, file="f")
    except ConfigError as error:
        return error


def hold(error: ConfigError) -> None:
    assert error.problems
    for problem in error.problems:
        assert problem.key
        assert problem.expected
        assert "\n" not in str(problem)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    result = read(text)
    assert isinstance(result, ConfigError), "no text of this kind is a whole configuration"
    hold(result)


@given(st.sampled_from([EXAMPLE, SCRIPT]), st.integers(0, 4_000), st.text(max_size=4), st.integers(0, 6))
def test_a_damaged_file_is_read_or_refused(text: str, at: int, put: str, drop: int) -> None:
    at %= len(text)
    result = read(text[:at] + put + text[at + drop :])
    if isinstance(result, ConfigError):
        hold(result)
        assert all(problem.line is None or problem.line >= 1 for problem in result.problems)


SECTIONS = [
    "identity",
    "mesh",
    "role_weights",
    "model",
    "prompt",
    "context",
    "budget",
    "safety",
    "trust",
    "scripted",
]
KEYS = [
    "name",
    "role",
    "room",
    "group",
    "peers",
    "adapter",
    "prices",
    "file",
    "system",
    "rules",
    "trusted",
    "focus",
]


@given(st.sampled_from(SECTIONS), st.sampled_from(KEYS), junk, st.booleans())
def test_any_value_anywhere_is_read_or_refused(section: str, key: str, value: Any, whole: bool) -> None:
    data: dict[str, Any] = {"identity": {"name": "w", "role": "writer"}, "model": {"adapter": "openai"}}
    if whole:
        data[section] = value
    else:
        data.setdefault(section, {})[key] = value
    before = copy.deepcopy(data)
    try:
        settings.from_mapping(data)
    except ConfigError as error:
        hold(error)
    assert repr(data) == repr(before), "what a program hands in is not changed"
