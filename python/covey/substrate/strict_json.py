"""JSON as bundles have it: one spelling when written, and nothing ambiguous when read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from covey import limits
from covey.substrate.values import BundleError


def dumped(value: Mapping[str, Any]) -> bytes:
    """Return an object in its one spelling: sorted, without spaces, ASCII, a newline at the end."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.encode() + b"\n"


def loaded(raw: bytes, what: str) -> dict[str, Any]:
    """Return an object.

    Raises:
        BundleError: It is none, is nested too deeply, says a name twice, or has a number that is none.
    """
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{what}: {str(error)[:120]}", code="malformed") from error
    if not isinstance(value, dict):
        raise BundleError(f"{what}: expected an object", code="malformed")
    if _deeper(value, limits.BUNDLE_JSON_DEPTH):
        raise BundleError(f"{what}: nested too deeply", code="malformed")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands there twice")
    return made


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _deeper(value: object, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    if depth == 0:
        return True
    return any(_deeper(each, depth - 1) for each in (value.values() if isinstance(value, dict) else value))
