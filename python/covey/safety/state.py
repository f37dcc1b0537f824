"""How safety's memory survives a restart: small JSON documents with a name and a version.

Rules: an unreadable document is an error, never an empty budget: forgetting what was spent would fail open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from covey import limits
from covey.errors import StoreError

_VERSION = 1


def pack(name: str, content: Mapping[str, object]) -> bytes:
    """Return a state document."""
    return json.dumps({"state": name, "version": _VERSION, **content}, separators=(",", ":")).encode()


def unpack(name: str, raw: bytes) -> Mapping[str, object]:
    """Return what a state document holds.

    Raises:
        StoreError: It is not the document `name` of this version; nothing was changed.
    """
    if len(raw) > limits.STATE_BYTES:
        raise unreadable(name, f"{len(raw)} bytes")
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise unreadable(name, str(error)) from None
    if not isinstance(content, dict) or (content.get("state"), content.get("version")) != (name, _VERSION):
        raise unreadable(name, f"not version {_VERSION} of it")
    return content


def whole(name: str, content: Mapping[str, object], key: str) -> int:
    """Return a non-negative integer of a document, or raise StoreError."""
    value = content.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise unreadable(name, f"{key} is not a count")
    return value


def wholes(name: str, content: Mapping[str, object], key: str) -> list[int]:
    """Return a list of non-negative integers of a document, or raise StoreError."""
    values = content.get(key)
    if not isinstance(values, list):
        raise unreadable(name, f"{key} is not a list")
    return [whole(name, {key: value}, key) for value in values]


def words(name: str, content: Mapping[str, object], key: str) -> list[str]:
    """Return a list of strings of a document, or raise StoreError."""
    values = content.get(key)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise unreadable(name, f"{key} is not a list of strings")
    return values


def unreadable(name: str, why: str) -> StoreError:
    """Return the error for a document that cannot be used."""
    return StoreError(
        f"restart state {name}: cannot be read: {why}",
        code="state_unreadable",
        hint="restore the peer's store from a backup, or start a peer under another name",
    )
