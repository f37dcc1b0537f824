"""The one frame of calls to another peer's model. Who calls numbers its calls; both sides say that number.

From who calls:

    {"type": "x-covey-door", "op": "ask", "call": n, "path": "/chat/completions", "size": n, "key": "",
     "priority": "", "within_ms": n or null}
    {"type": "x-covey-door", "op": "body", "call": n, "data": base64}
    {"type": "x-covey-door", "op": "more", "call": n, "pieces": n}
    {"type": "x-covey-door", "op": "cancel", "call": n}

From who answers:

    {"type": "x-covey-door", "op": "let", "call": n, "pieces": n}
    {"type": "x-covey-door", "op": "head", "call": n, "status": n, "kind": "application/json",
     "retry_s": n or null}
    {"type": "x-covey-door", "op": "data", "call": n, "data": base64}
    {"type": "x-covey-door", "op": "end", "call": n, "reason": ""}

A body is sent once `let` came, and no more pieces of it than `let` said in all; an answer's pieces likewise
under `more`, where the first DOOR_CREDIT need none. `end` with a reason is an answer that broke off.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from covey import limits
from covey.values import dataclass

TOKEN: Final = "x-covey-door-v1"
FRAME_TYPE: Final = "x-covey-door"
_PATH = re.compile(r"/[a-z]{1,32}(/[a-z]{1,32})?\Z")
_REASON = re.compile(r"[a-z0-9-]{0,64}\Z")
_KIND = re.compile(r"[ -~]{0,256}\Z")
_SECONDS: Final = 86_400


class BadFrameError(ValueError):
    """A frame that is not as described; says which member."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody wants to ask; its body of `size` bytes follows once it is let in."""

    call: int
    path: str
    size: int
    key: str = ""
    priority: str = ""
    within_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a body (`op` body) or of an answer (`op` data)."""

    op: str
    call: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Credit:
    """That many pieces more may come: of a body (`op` let) or of an answer (`op` more)."""

    op: str
    call: int
    pieces: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody wants the answer any more."""

    call: int


@dataclass(frozen=True, slots=True)
class Head:
    """How an answer begins."""

    call: int
    status: int
    kind: str
    retry_s: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """An answer is over; with a reason it is not whole."""

    call: int
    reason: str = ""


Frame = Ask | Piece | Credit | Cancel | Head | End


def write(frame: Frame) -> bytes:
    """Return one frame's bytes."""
    said: dict[str, Any] = {"type": FRAME_TYPE}
    if isinstance(frame, Ask):
        said |= {"op": "ask", "call": frame.call, "path": frame.path, "size": frame.size, "key": frame.key}
        said |= {"priority": frame.priority, "within_ms": frame.within_ms}
    elif isinstance(frame, Piece):
        data = base64.b64encode(frame.data).decode("ascii")
        said |= {"op": frame.op, "call": frame.call, "data": data}
    elif isinstance(frame, Credit):
        said |= {"op": frame.op, "call": frame.call, "pieces": frame.pieces}
    elif isinstance(frame, Cancel):
        said |= {"op": "cancel", "call": frame.call}
    elif isinstance(frame, Head):
        said |= {"op": "head", "call": frame.call, "status": frame.status}
        said |= {"kind": frame.kind, "retry_s": frame.retry_s}
    else:
        said |= {"op": "end", "call": frame.call, "reason": frame.reason}
    return json.dumps(said, separators=(",", ":")).encode()


def read(raw: bytes) -> Frame:
    """Read one frame of a peer.

    Raises:
        BadFrameError: It is not as described; nothing of it was used.
    """
    if len(raw) > limits.DOOR_FRAME_BYTES:
        raise BadFrameError("size")
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadFrameError("json") from error
    if not isinstance(value, dict):
        raise BadFrameError("json")
    op = value.get("op")
    if op == "ask":
        return _ask(value)
    if op in ("body", "data"):
        _members(value, "data")
        return Piece(op, _number(value, "call"), _data(value))
    if op in ("let", "more"):
        _members(value, "pieces")
        return Credit(op, _number(value, "call"), _number(value, "pieces", limits.DOOR_CREDIT * 64))
    if op == "cancel":
        _members(value)
        return Cancel(_number(value, "call"))
    if op == "head":
        _members(value, "status", "kind", "retry_s")
        retry = None if value["retry_s"] is None else _number(value, "retry_s", _SECONDS)
        return Head(_number(value, "call"), _number(value, "status", 599), _text(value, "kind", _KIND), retry)
    if op == "end":
        _members(value, "reason")
        return End(_number(value, "call"), _text(value, "reason", _REASON))
    raise BadFrameError("op")


def _ask(value: Mapping[str, Any]) -> Ask:
    _members(value, "path", "size", "key", "priority", "within_ms")
    within = None if value["within_ms"] is None else _number(value, "within_ms", _SECONDS * 1_000)
    return Ask(
        _number(value, "call"),
        _text(value, "path", _PATH),
        _number(value, "size", limits.DOOR_BODY_BYTES),
        _text(value, "key", _KIND),
        _text(value, "priority", _REASON),
        within,
    )


def _members(value: Mapping[str, Any], *names: str) -> None:
    if set(value) != {"type", "op", "call", *names}:
        raise BadFrameError("members")


def _number(value: Mapping[str, Any], name: str, most: int = limits.JSON_INTEGER) -> int:
    number = value[name]
    if type(number) is not int or not 0 <= number <= most:
        raise BadFrameError(name)
    return number


def _text(value: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    text = value[name]
    if not isinstance(text, str) or form.match(text) is None:
        raise BadFrameError(name)
    return text


def _data(value: Mapping[str, Any]) -> bytes:
    text = value["data"]
    try:
        found = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError) as error:
        raise BadFrameError("data") from error
    if not 0 < len(found) <= limits.DOOR_CHUNK_BYTES:
        raise BadFrameError("data")
    return found
