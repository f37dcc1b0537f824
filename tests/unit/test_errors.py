"""Errors: one root, codes and exits by whose fault it is, and nothing that a user should not see."""

from __future__ import annotations

import inspect
import re

import pytest

from covey import errors
from covey.errors import (
    CollisionError,
    ConfigError,
    CoveyError,
    InvalidNameError,
    ModelError,
    ModelErrorKind,
    NotRunningError,
    Problem,
    StoreError,
    UsageError,
)

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, CoveyError) and cls is not CoveyError
]


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = set(re.findall(r"\b(\w+Error)\b", (errors.__doc__ or "").split("Rules:")[0]))
    assert drawn == {cls.__name__ for cls in CLASSES} | {"CoveyError"}
    parents = {cls.__name__: cls.__mro__[1].__name__ for cls in CLASSES}
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    (│?\s*)(?:├──|└──) (\w+Error)", line)
        if match:
            nested = len(match.group(1)) > 1
            assert (parents[match.group(2)] != "CoveyError") == nested


def test_exits_and_codes() -> None:
    assert [cls("x").exit_code for cls in (StoreError, UsageError, InvalidNameError, CollisionError)] == [
        1,
        2,
        2,
        2,
    ]
    assert NotRunningError("x").code == "not_running"
    assert StoreError("x", code="store_newer").code == "store_newer"
    assert len({cls.default_code for cls in CLASSES}) == len(CLASSES)


def test_what_people_and_programs_get() -> None:
    error = StoreError("store: cannot open a.db", hint="check the disk")
    assert error.lines() == ["store: cannot open a.db", "  hint: check the disk"]
    assert StoreError("plain").lines() == ["plain"]
    assert error.as_dict() == {
        "code": "store",
        "message": "store: cannot open a.db",
        "hint": "check the disk",
    }


def test_a_config_error_carries_every_problem() -> None:
    first = Problem("a.toml", "mesh.room", "a room", "7", 3, "use letters")
    error = ConfigError([first, Problem("a.toml", "x", "nothing")], hint="see schema")
    assert error.lines() == [
        "a.toml:3: mesh.room: expected a room, got 7 (use letters)",
        "a.toml: x: expected nothing",
        "  hint: see schema",
    ]
    assert (error.file, error.line, error.key, error.expected) == ("a.toml", 3, "mesh.room", "a room")
    with pytest.raises(ValueError, match="at least one problem"):
        ConfigError([])


def test_a_model_error_says_whether_later_helps() -> None:
    error = ModelError("x", kind=ModelErrorKind.RATE_LIMIT, transient=True, retry_after_s=3.0, status=429)
    assert (error.code, error.transient, error.retry_after_s, error.status) == (
        "model_rate_limit",
        True,
        3.0,
        429,
    )
