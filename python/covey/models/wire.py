"""Read a vendor's JSON without believing it: small readers that give a typed value or say what is missing.

Rules: pure. Nothing here knows a vendor. A tool call whose arguments cannot be read is kept, with
`arguments=None`: the model did ask, and the loop decides what that means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from covey import typed
from covey.limits import JSON_INTEGER, MODEL_REPLY_BYTES, MODEL_TOOL_CALLS
from covey.model import ToolCall


class UnreadableError(ValueError):
    """The answer is not what the API promises; the message says what was expected."""


class OversizeError(ValueError):
    """The answer is longer than anything we read; the message says how long is too long."""


class BrokenOffError(ValueError):
    """The answer ended before its end; the message says where."""


class SaidError(ValueError):
    """A success turned into a failure on its way: the vendor's own error inside a stream.

    Args:
        kind: The vendor's word for it (`overloaded_error`), or a status as digits.
        body: The event, for the vendor's own words.
    """

    def __init__(self, kind: str, body: bytes) -> None:
        super().__init__(kind)
        self.kind = kind
        self.body = body


def document(body: bytes) -> Mapping[str, object]:
    """Return an answer's JSON object.

    Raises:
        OversizeError: It is too large.
        UnreadableError: It is empty, not JSON, or not an object.
    """
    return document_within(body, MODEL_REPLY_BYTES)


def document_within(body: bytes, most_bytes: int) -> Mapping[str, object]:
    """Return the JSON object of a body that may have so many bytes; raises as `document`."""
    if len(body) > most_bytes:
        raise OversizeError(f"more than {most_bytes} bytes")
    if not body.strip():
        raise UnreadableError("an empty answer")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableError("an answer that is not JSON") from None
    if not isinstance(content, dict):
        raise UnreadableError("an answer that is not a JSON object")
    return content


def table(value: object) -> Mapping[str, object]:
    """Return an object, empty where there is none."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[Mapping[str, object]]:
    """Return the objects of an array, empty where there is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: object) -> str:
    """Return a string, empty where there is none; half a character, which cannot be written, becomes `?`."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def count(value: object) -> int | None:
    """Return a non-negative integer that every reader keeps, or None."""
    return value if type(value) is int and 0 <= value <= JSON_INTEGER else None


def tool_call(call_id: str, name: str, arguments: object) -> ToolCall:
    """Return one tool call, its arguments read from an object or from JSON text."""
    raw = written(arguments) if isinstance(arguments, dict) else text(arguments)
    try:
        parsed = typed.loaded(raw)
    except typed.WrongTypeError:
        return ToolCall(call_id, name, None, raw)
    sound = isinstance(parsed, dict) and typed.is_whole_text(json.dumps(parsed, ensure_ascii=False))
    return ToolCall(call_id, name, parsed if sound else None, raw)


def written(value: object) -> str:
    """Return a value as JSON text; empty where it is nested too deeply to be written again."""
    try:
        return json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()
    except RecursionError:
        return ""


def at_most(calls: list[ToolCall]) -> tuple[ToolCall, ...]:
    """Return the calls that are read at all."""
    return tuple(calls[:MODEL_TOOL_CALLS])
