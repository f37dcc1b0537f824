"""The one frame of the bus: an announcement, a message, or what became of one.

    {"type": "x-covey-bus", "op": "who", "serial": n, "names": […], "patterns": […], "more": bool}
    {"type": "x-covey-bus", "op": "message", "seq": n, "topic": "a.b", "message": {…}}
    {"type": "x-covey-bus", "op": "taken", "seq": n, "state": "executed", "reason": ""}

`who` is all that a peer's agents answer to, in parts while `more` is true; a later `serial` replaces an
earlier one. `message` is sent to a topic, or with an empty one to its own recipient. `taken` answers it.
The message itself is not read here: the shell's envelope says what it must be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from covey import limits
from covey.values import dataclass

TOKEN: Final = "x-covey-bus-v1"
FRAME_TYPE: Final = "x-covey-bus"
STATES: Final = ("delivered", "executed", "refused")
"""What a receiver may say: it waits for its handler, its handlers ran, or nobody took it."""

_REASON = re.compile(r"[a-z0-9-]{0,64}\Z")


class BadFrameError(ValueError):
    """A frame that is not as described; says which member."""


@dataclass(frozen=True, slots=True)
class Who:
    """What a peer's agents answer to: nicknames, and patterns of topics; a part of it while `more`."""

    serial: int
    names: tuple[str, ...]
    patterns: tuple[str, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """A message, unread."""

    seq: int
    topic: str
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a message of ours."""

    seq: int
    state: str
    reason: str


def write_who(serial: int, names: Sequence[str], patterns: Sequence[str]) -> Iterator[bytes]:
    """Yield an announcement, in frames of bounded size; one at least."""
    entries = [("names", name) for name in names] + [("patterns", pattern) for pattern in patterns]
    size = limits.BUS_WHO_ENTRIES
    for start in range(0, max(1, len(entries)), size):
        part = entries[start : start + size]
        yield _json(
            {
                "type": FRAME_TYPE,
                "op": "who",
                "serial": serial,
                "names": [text for kind, text in part if kind == "names"],
                "patterns": [text for kind, text in part if kind == "patterns"],
                "more": start + size < len(entries),
            }
        )


def write_message(seq: int, topic: str, body: bytes) -> bytes:
    """Return one message's frame; `body` is the message as JSON."""
    head = {"type": FRAME_TYPE, "op": "message", "seq": seq, "topic": topic}
    return _json(head)[:-1] + b',"message":' + body + b"}"


def write_taken(seq: int, state: str, reason: str) -> bytes:
    """Return what became of a message of the peer's."""
    return _json({"type": FRAME_TYPE, "op": "taken", "seq": seq, "state": state, "reason": reason})


def read(raw: bytes) -> Who | Sent | Taken:
    """Read one frame of a peer.

    Raises:
        BadFrameError: It is not as described; nothing of it was used.
    """
    if len(raw) > limits.BUS_FRAME_BYTES:
        raise BadFrameError("size")
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadFrameError("json") from error
    if not isinstance(value, dict):
        raise BadFrameError("json")
    op = value.get("op")
    if op == "who":
        return _who(value)
    if op == "message":
        return _message(value)
    if op == "taken":
        return _taken(value)
    raise BadFrameError("op")


def _who(value: dict[str, Any]) -> Who:
    _members(value, "serial", "names", "patterns", "more")
    more = value["more"]
    if not isinstance(more, bool):
        raise BadFrameError("more")
    names, patterns = _texts(value, "names"), _texts(value, "patterns")
    if len(names) + len(patterns) > limits.BUS_WHO_ENTRIES:
        raise BadFrameError("entries")
    return Who(_number(value, "serial"), names, patterns, more)


def _message(value: dict[str, Any]) -> Sent:
    _members(value, "seq", "topic", "message")
    topic, message = value["topic"], value["message"]
    if not isinstance(topic, str) or len(topic) > limits.BUS_PATTERN_CHARS:
        raise BadFrameError("topic")
    if not isinstance(message, dict):
        raise BadFrameError("message")
    return Sent(_number(value, "seq"), topic, message)


def _taken(value: dict[str, Any]) -> Taken:
    _members(value, "seq", "state", "reason")
    state, reason = value["state"], value["reason"]
    if state not in STATES:
        raise BadFrameError("state")
    if not isinstance(reason, str) or not _REASON.match(reason):
        raise BadFrameError("reason")
    return Taken(_number(value, "seq"), state, reason)


def _members(value: dict[str, Any], *names: str) -> None:
    if set(value) != {"type", "op", *names}:
        raise BadFrameError("members")


def _number(value: dict[str, Any], name: str) -> int:
    number = value[name]
    if type(number) is not int or not 0 <= number <= limits.JSON_INTEGER:
        raise BadFrameError(name)
    return number


def _texts(value: dict[str, Any], name: str) -> tuple[str, ...]:
    texts = value[name]
    if not isinstance(texts, list) or not all(
        isinstance(text, str) and 0 < len(text) <= limits.BUS_PATTERN_CHARS for text in texts
    ):
        raise BadFrameError(name)
    return tuple(texts)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
