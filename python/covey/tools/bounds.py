"""What a tool says of itself and what it returns, brought within bounds. Both are a stranger's words.

Rules: pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from covey.limits import TOOL_DESCRIPTION_CHARS, TOOL_NAME_CHARS, TOOL_SCHEMA_BYTES
from covey.model import ToolOutcome, ToolSpec

_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{TOOL_NAME_CHARS}}}\Z")
_LINE_CHARS = 300  # of a failure's own words: enough for a model to do better


def one_line(text: str, most_chars: int = _LINE_CHARS) -> str:
    """Return text on one line, without control characters, cut."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return plain if len(plain) <= most_chars else plain[: most_chars - 1] + "…"


def offered_name(source: str, tool: str) -> str:
    """Return what the model calls a tool.

    Raises:
        ValueError: The vendors' APIs would not take it.
    """
    name = f"{source}__{tool}"
    if not _NAME.match(name):
        raise ValueError(f"{one_line(tool, 60)!r}: a name the model's vendor would not take")
    return name


def fitting(name: str, description: str, schema: Mapping[str, object]) -> ToolSpec:
    """Return a tool as it is offered: its words printable and cut, its schema of a sane size.

    Raises:
        ValueError: Its schema is none, or too large.
    """
    try:
        size = len(json.dumps(schema))
    except (TypeError, ValueError, RecursionError):
        raise ValueError("its input schema is not JSON") from None
    if size > TOOL_SCHEMA_BYTES:
        raise ValueError(f"its input schema has {size} bytes, at most {TOOL_SCHEMA_BYTES}")
    if schema.get("type") != "object":
        raise ValueError("its input schema describes no object")
    return ToolSpec(name, one_line(description, TOOL_DESCRIPTION_CHARS) or name, schema)


def cut(outcome: ToolOutcome, most_bytes: int) -> ToolOutcome:
    """Return an outcome whose text has at most so many bytes, and says how many it lacks."""
    raw = outcome.text.encode("utf-8", "replace")
    if len(raw) <= most_bytes:
        return ToolOutcome(raw.decode(), outcome.failed, outcome.reason, outcome.cut_bytes)
    kept = raw[:most_bytes].decode("utf-8", "ignore")
    left_out = len(raw) - len(kept.encode())
    return ToolOutcome(kept, outcome.failed, outcome.reason, outcome.cut_bytes + left_out)
