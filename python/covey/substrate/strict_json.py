"""JSON as bundles have it: one spelling when written, and nothing ambiguous when read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from covey import limits, typed
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
        value = typed.loaded(raw)
    except typed.WrongTypeError as error:
        raise BundleError(f"{what}: {error}", code="malformed") from error
    if not isinstance(value, dict):
        raise BundleError(f"{what}: expected an object", code="malformed")
    if _deeper(value, limits.BUNDLE_JSON_DEPTH):
        raise BundleError(f"{what}: nested too deeply", code="malformed")
    return value


def _deeper(value: object, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    if depth == 0:
        return True
    return any(_deeper(each, depth - 1) for each in (value.values() if isinstance(value, dict) else value))
