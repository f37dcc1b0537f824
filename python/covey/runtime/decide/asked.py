"""Arguments of the verbs about decisions, checked before they reach anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from covey.errors import RefusedArgumentError


def text(arguments: Mapping[str, Any], name: str) -> str:
    """Return a text; raises IpcError where it is none."""
    value = arguments.get(name)
    if not isinstance(value, str):
        raise RefusedArgumentError(f"{name}: expected text")
    return value


def texts(value: object, name: str) -> list[str]:
    """Return a list of texts; raises IpcError where it is none."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise RefusedArgumentError(f"{name}: expected a list of texts")
    return value


def number(arguments: Mapping[str, Any], name: str, usual: float) -> float:
    """Return a number, or the usual one; raises IpcError where it is none."""
    value = arguments.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RefusedArgumentError(f"{name}: expected a number")
    return float(value)
