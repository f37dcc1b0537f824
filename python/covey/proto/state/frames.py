"""The frames of shared state, `x-covey-state`: written and read in one place (docs/state.md, Frames)."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from covey import limits
from covey.values import dataclass

TYPE: Final = "x-covey-state"
TOKEN: Final = "x-covey-state-v1"
_KEY_BYTES: Final = 32
_RANGES_BYTES: Final = 8_192


class MalformedError(ValueError):
    """A frame outside its schema; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What a replica has seen. With `answer`, its sender wants to hear where the receiver stands."""

    scope: str
    digest: bytes
    answer: bool


@dataclass(frozen=True, slots=True)
class Delta:
    """Operations, with the keys of authors that the receiver may not know.

    `push` says that they were just written; `ack` that the sender waits for a digest before it sends more.
    """

    scope: str
    delta: bytes
    keys: tuple[bytes, ...]
    push: bool
    ack: bool


@dataclass(frozen=True, slots=True)
class Ranges:
    """The digests of the 256 ranges of a replica that has seen the same and holds something else."""

    scope: str
    ranges: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """The wish for one part of a snapshot: of a new one (`of` is empty), or of one that was begun."""

    scope: str
    of: str
    part: int


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a snapshot; the first brings the keys of its authors."""

    scope: str
    of: str
    part: int
    parts: int
    data: bytes
    keys: tuple[bytes, ...]


Frame = Digest | Delta | Ranges | Ask | Part


def write(frame: Frame) -> bytes:
    """Return the bytes of a frame: JSON without spaces, members in the order of this file."""
    members: dict[str, Any] = {"type": TYPE}
    match frame:
        case Digest():
            members |= {"kind": "digest", "scope": frame.scope, "digest": _b64(frame.digest)}
            members |= {"answer": frame.answer}
        case Delta():
            members |= {"kind": "delta", "scope": frame.scope, "delta": _b64(frame.delta)}
            members |= {"keys": _b64(b"".join(frame.keys)), "push": frame.push, "ack": frame.ack}
        case Ranges():
            members |= {"kind": "ranges", "scope": frame.scope, "ranges": _b64(frame.ranges)}
        case Ask():
            members |= {"kind": "ask", "scope": frame.scope, "of": frame.of, "part": frame.part}
        case Part():
            members |= {"kind": "part", "scope": frame.scope, "of": frame.of, "part": frame.part}
            members |= {"parts": frame.parts, "data": _b64(frame.data), "keys": _b64(b"".join(frame.keys))}
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()


def read(data: bytes) -> Frame:
    """Read a frame that the session has already found to be one JSON object.

    Raises:
        MalformedError: A member is missing, unknown, of another kind, or out of its bounds.
    """
    try:
        members = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedError("not JSON") from error
    if not isinstance(members, dict):
        raise MalformedError("not an object")
    kind = members.get("kind")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise MalformedError("no kind that is known here")
    known, make = reader
    if members.keys() != known:
        raise MalformedError(f"{kind}: expected the members {', '.join(sorted(known))}")
    return make(members)


def _digest(members: dict[str, Any]) -> Frame:
    return Digest(
        _text(members, "scope", limits.STATE_SCOPE_CHARS), _bytes(members, "digest"), _flag(members, "answer")
    )


def _delta(members: dict[str, Any]) -> Frame:
    return Delta(
        _text(members, "scope", limits.STATE_SCOPE_CHARS),
        _bytes(members, "delta"),
        _keys(members),
        _flag(members, "push"),
        _flag(members, "ack"),
    )


def _ranges(members: dict[str, Any]) -> Frame:
    ranges = _bytes(members, "ranges")
    if len(ranges) != _RANGES_BYTES:
        raise MalformedError(f"ranges: expected {_RANGES_BYTES} bytes")
    return Ranges(_text(members, "scope", limits.STATE_SCOPE_CHARS), ranges)


def _ask(members: dict[str, Any]) -> Frame:
    scope, of = _text(members, "scope", limits.STATE_SCOPE_CHARS), _text(members, "of", 64, least=0)
    return Ask(scope, of, _number(members, "part", 0))


def _part(members: dict[str, Any]) -> Frame:
    part, parts = _number(members, "part", 0), _number(members, "parts", 1)
    if part >= parts:
        raise MalformedError("part: beyond the parts there are")
    scope, of = _text(members, "scope", limits.STATE_SCOPE_CHARS), _text(members, "of", 64)
    return Part(scope, of, part, parts, _bytes(members, "data"), _keys(members))


_READERS = {
    "digest": ({"type", "kind", "scope", "digest", "answer"}, _digest),
    "delta": ({"type", "kind", "scope", "delta", "keys", "push", "ack"}, _delta),
    "ranges": ({"type", "kind", "scope", "ranges"}, _ranges),
    "ask": ({"type", "kind", "scope", "of", "part"}, _ask),
    "part": ({"type", "kind", "scope", "of", "part", "parts", "data", "keys"}, _part),
}


def _text(members: dict[str, Any], name: str, most: int, least: int = 1) -> str:
    value = members[name]
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise MalformedError(f"{name}: expected text of {least} to {most} characters")
    return value


def _flag(members: dict[str, Any], name: str) -> bool:
    value = members[name]
    if not isinstance(value, bool):
        raise MalformedError(f"{name}: expected true or false")
    return value


def _number(members: dict[str, Any], name: str, least: int) -> int:
    value = members[name]
    if type(value) is not int or not least <= value <= limits.STATE_PARTS:
        raise MalformedError(f"{name}: expected a whole number from {least} to {limits.STATE_PARTS}")
    return value


def _keys(members: dict[str, Any]) -> tuple[bytes, ...]:
    raw = _bytes(members, "keys")
    if len(raw) % _KEY_BYTES or len(raw) > _KEY_BYTES * limits.STATE_AUTHORS:
        raise MalformedError(f"keys: expected at most {limits.STATE_AUTHORS} of {_KEY_BYTES} bytes")
    return tuple(raw[at : at + _KEY_BYTES] for at in range(0, len(raw), _KEY_BYTES))


def _bytes(members: dict[str, Any], name: str) -> bytes:
    value = members[name]
    if isinstance(value, str) and value.isascii():
        try:
            raw = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        except ValueError as error:
            raise MalformedError(f"{name}: expected base64url without padding") from error
        if _b64(raw) == value:
            return raw
    raise MalformedError(f"{name}: expected base64url without padding")


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
