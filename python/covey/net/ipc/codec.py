"""The language of the control socket, without a socket: lines in, requests out, replies and events back.

A request is one line of JSON: `{"id": 1, "cmd": "status", …arguments}`. Its reply is one line that
carries the same id: `{"id": 1, "ok": true, "result": {…}}` or
`{"id": 1, "ok": false, "error": {"code", "message", "hint", "kind"}}`. After `subscribe`, events arrive as
`{"event": name, "seq": n, …}`, as lines or, when the subscriber asked for msgpack, as frames (a four-byte
big-endian length, then one msgpack map), later replies included.

Rules: pure. Any bytes give a request, a named error, or nothing (a blank line); never an exception.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final, Literal

from covey.errors import CoveyError, UsageError
from covey.limits import IPC_LINE_BYTES
from covey.values import dataclass

_ID_CHARACTERS: Final = 64
_ID_BITS: Final = 53
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")

RequestId = int | str | None
Kind = Literal["usage", "failed"]
"""Of a refusal: asked wrongly (a command ends with 2), or not done (1)."""


@dataclass(frozen=True, slots=True)
class Request:
    """One well-formed request; `arguments` holds everything beside id and cmd."""

    id: RequestId
    cmd: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadRequest:
    """A line that is no request; `id` is the line's own where it could be read."""

    id: RequestId
    code: str
    message: str


class Overlong:
    """Stands for a line that passed the limit; its bytes are dropped up to the next newline."""

    __slots__ = ()


OVERLONG: Final = Overlong()


class LineDecoder:
    """Cut a byte stream into lines, holding at most `limit` bytes whatever arrives."""

    __slots__ = ("_buffer", "_limit", "_searched", "_skipping")

    def __init__(self, limit: int = IPC_LINE_BYTES) -> None:
        """Start empty. `limit` is the longest line, in bytes, without its newline."""
        self._buffer = bytearray()
        self._limit = limit
        self._searched = 0
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes | Overlong]:
        """Return the lines that `data` completes, in order; each overlong line is reported once."""
        self._buffer += data
        lines: list[bytes | Overlong] = []
        start = 0
        while (end := self._buffer.find(b"\n", max(start, self._searched))) >= 0:
            if self._skipping:
                self._skipping = False
            elif end - start > self._limit:
                lines.append(OVERLONG)
            else:
                lines.append(bytes(self._buffer[start:end]).removesuffix(b"\r"))
            start = end + 1
        del self._buffer[:start]
        self._searched = len(self._buffer)
        if self._skipping or len(self._buffer) > self._limit:
            if not self._skipping:
                lines.append(OVERLONG)
            self._skipping = True
            self._buffer.clear()
            self._searched = 0
        return lines


def parse_request(line: bytes | Overlong) -> Request | BadRequest | None:
    """Read one line as a request.

    Returns:
        The request, why it is none, or None for a blank line.
    """
    if isinstance(line, Overlong):
        return BadRequest(None, "line_too_long", f"a request line holds at most {IPC_LINE_BYTES} bytes")
    if not line.strip():
        return None
    value = parse_json(line)
    if isinstance(value, str):
        return BadRequest(None, "invalid_json", value)
    if value is None:
        return BadRequest(None, "invalid_request", "expected one JSON object")
    request_id = value.pop("id", None)
    if not _is_id(request_id):
        return BadRequest(None, "invalid_id", "id: expected an integer or a string of at most 64 characters")
    cmd = value.pop("cmd", None)
    if not isinstance(cmd, str):
        return BadRequest(request_id, "invalid_request", "cmd: expected a string")
    return Request(request_id, cmd, value)


def parse_json(line: bytes) -> dict[str, Any] | str | None:
    """Return the JSON object in `line`, None for JSON of another kind, or what makes it no JSON."""
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
        if _SURROGATE.search(line):
            # A lone surrogate is legal JSON but no text: it could be neither stored nor signed.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError:
        return "not valid UTF-8"
    except RecursionError:
        return "nested too deeply"
    except ValueError as error:
        return f"not valid JSON: {error}"
    return value if isinstance(value, dict) else None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _is_id(value: object) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return value.bit_length() <= _ID_BITS
    return value is None or (isinstance(value, str) and len(value) <= _ID_CHARACTERS)


def reply(request_id: RequestId, result: Mapping[str, Any]) -> dict[str, Any]:
    """Build the reply to a request that was done."""
    return {"id": request_id, "ok": True, "result": result}


def refusal(
    request_id: RequestId, code: str, message: str, hint: str | None = None, kind: Kind = "failed"
) -> dict[str, Any]:
    """Build the reply to a request that was not done; its kind says whether asking otherwise could help."""
    error = {"code": code, "message": message, "hint": hint, "kind": kind}
    return {"id": request_id, "ok": False, "error": error}


def refused(request_id: RequestId, error: CoveyError) -> dict[str, Any]:
    """Build the reply to a request that ended in an error."""
    kind: Kind = "usage" if isinstance(error, UsageError) else "failed"
    return refusal(request_id, error.code, error.message, error.hint, kind)


def encode_line(message: Mapping[str, Any]) -> bytes:
    """Encode one message as a line of ASCII JSON; what JSON has no form for becomes its text."""
    return json.dumps(message, separators=(",", ":"), default=str).encode("ascii") + b"\n"


def encode_frame(message: Mapping[str, Any]) -> bytes:
    """Encode one message as a msgpack frame with its length in front."""
    import msgpack  # type: ignore[import-untyped]  # ships no types; imported by those who ask for frames

    body: bytes = msgpack.packb(message, use_bin_type=True, default=str)
    return len(body).to_bytes(4, "big") + body


class FrameError(ValueError):
    """The stream holds no readable frame; its boundaries are lost, so the connection has to go."""


class FrameDecoder:
    """Cut a byte stream into msgpack maps."""

    __slots__ = ("_buffer", "_limit")

    def __init__(self, limit: int = IPC_LINE_BYTES) -> None:
        """Start empty. `limit` is the largest frame body, in bytes."""
        self._buffer = bytearray()
        self._limit = limit

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Return the messages that `data` completes.

        Raises:
            FrameError: A frame is too long or holds no map.
        """
        self._buffer += data
        messages: list[dict[str, Any]] = []
        while len(self._buffer) >= 4:
            size = int.from_bytes(self._buffer[:4], "big")
            if size > self._limit:
                raise FrameError(f"frame of {size} bytes: at most {self._limit}")
            if len(self._buffer) < 4 + size:
                break
            messages.append(_unpack(bytes(self._buffer[4 : 4 + size])))
            del self._buffer[: 4 + size]
        return messages


def _unpack(body: bytes) -> dict[str, Any]:
    import msgpack

    try:
        message = msgpack.unpackb(body, raw=False)
    except ValueError as error:
        raise FrameError(f"frame is not msgpack: {error}") from error
    if not isinstance(message, dict):
        raise FrameError("frame holds no map")
    return message
