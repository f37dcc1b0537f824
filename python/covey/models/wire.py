"""Read a vendor's JSON without believing it: small readers that give a typed value or say what is missing.

Rules: pure. Nothing here knows a vendor. A tool call whose arguments cannot be read is kept, with
`arguments=None`: the model did ask, and the loop decides what that means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from covey.limits import MODEL_REPLY_BYTES, MODEL_TOOL_CALLS
from covey.model import ToolCall


class UnreadableError(ValueError):
    """The answer is not what the API promises; the message says what was expected."""


def document(body: bytes) -> Mapping[str, object]:
    """Return an answer's JSON object.

    Raises:
        UnreadableError: It is too large, not JSON, or not an object.
    """
    if len(body) > MODEL_REPLY_BYTES:
        raise UnreadableError(f"an answer of {len(body)} bytes, more than {MODEL_REPLY_BYTES}")
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
    """Return a string, empty where there is none."""
    return value if isinstance(value, str) else ""


def count(value: object) -> int | None:
    """Return a non-negative integer, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def tool_call(call_id: str, name: str, arguments: object) -> ToolCall:
    """Return one tool call, its arguments read from an object or from JSON text."""
    if isinstance(arguments, dict):
        return ToolCall(call_id, name, arguments, json.dumps(arguments, ensure_ascii=False))
    raw = text(arguments)
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError):
        return ToolCall(call_id, name, None, raw)
    return ToolCall(call_id, name, parsed if isinstance(parsed, dict) else None, raw)


def at_most(calls: list[ToolCall]) -> tuple[ToolCall, ...]:
    """Return the calls that are read at all."""
    return tuple(calls[:MODEL_TOOL_CALLS])
