"""How safety's memory survives a restart: small JSON documents with a name and a version.

Rules: an unreadable document is an error, never an empty budget: forgetting what was spent would fail open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from covey import limits, typed
from covey.errors import StoreError
from covey.values import dataclass

_VERSION = 1


def pack(name: str, content: Mapping[str, object], **written: str) -> bytes:
    """Return a state document; `written` are further members, as JSON text already."""
    text = json.dumps({"state": name, "version": _VERSION, **content}, separators=(",", ":"))
    more = "".join(f',"{member}":{value}' for member, value in written.items())
    return f"{text[:-1]}{more}}}".encode()


def unpack(name: str, raw: bytes) -> Mapping[str, object]:
    """Return what a state document holds.

    Raises:
        StoreError: It is not the document `name` of this version; nothing was changed.
    """
    if len(raw) > limits.STATE_BYTES:
        raise unreadable(name, f"{len(raw)} bytes")
    try:
        content = typed.loaded(raw)
    except typed.WrongTypeError as error:
        raise unreadable(name, str(error)) from None
    if not isinstance(content, dict) or (content.get("state"), content.get("version")) != (name, _VERSION):
        raise unreadable(name, f"not version {_VERSION} of it")
    return content


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on both clocks.

    `monotonic` are seconds, `wall_ms` the same moment on the wall clock. `era` names the boot whose monotonic
    clock it is; an empty one says that nobody knows, and then only the wall clock can bridge a restart.
    """

    monotonic: float
    wall_ms: int
    era: str = ""


def stamp(moment: Moment) -> dict[str, object]:
    """Return the members by which a later `away_ms` knows how long the state was away."""
    return {
        "saved_ms": moment.wall_ms,
        "saved_monotonic_ms": int(moment.monotonic * 1000),
        "era": moment.era,
    }


def away_ms(name: str, content: Mapping[str, object], moment: Moment) -> int:
    """Return the milliseconds between a document's saving and `moment`.

    Within one boot the monotonic clock says it, and a wall clock that was set meanwhile changes nothing.
    Over a reboot only the wall clock can; one that went back then forgives nothing.

    Raises:
        StoreError: The document does not say when it was saved.
    """
    by_wall = max(0, moment.wall_ms - whole(name, content, "saved_ms"))
    if not moment.era or content.get("era") != moment.era:
        return by_wall
    passed = int(moment.monotonic * 1000) - whole(name, content, "saved_monotonic_ms")
    return passed if passed >= 0 else by_wall


def whole(name: str, content: Mapping[str, object], key: str) -> int:
    """Return a non-negative integer of a document, or raise StoreError."""
    try:
        return typed.whole(content.get(key), key)  # bounded: sums of them are divided, and kept in 64 bits
    except typed.WrongTypeError:
        raise unreadable(name, f"{key} is not a count") from None


def flag(name: str, content: Mapping[str, object], key: str) -> bool:
    """Return true or false of a document, or raise StoreError."""
    value = content.get(key)
    if not isinstance(value, bool):
        raise unreadable(name, f"{key} is neither true nor false")
    return value


def word(name: str, content: Mapping[str, object], key: str) -> str:
    """Return a string of a document, or raise StoreError."""
    return words(name, {key: [content.get(key)]}, key)[0]


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
