"""The adapter protocol as it is spoken: one JSON object a line, question and answer (docs/conformance.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from covey.conform.subject import Answer, Subject


def answer_line(subject: Subject, line: bytes) -> bytes:
    """Answer one line; a line that asks nothing is answered too, so that the asker does not wait."""
    try:
        request = json.loads(line)
        number, op = request["id"], request["op"]
        arguments = {name: value for name, value in request.items() if name not in ("id", "op")}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _line({"id": None, "ok": False, "reason": "bad_request"})
    return _line({"id": number, **spoken(subject.ask(str(op), **arguments))})


def spoken(answer: Answer) -> dict[str, Any]:
    """Return an answer as members of a line."""
    if answer.unsupported:
        return {"ok": False, "unsupported": True}
    if answer.result is None:
        return {"ok": False, "reason": answer.reason}
    return {"ok": True, "result": answer.result}


def serve(subject: Subject, lines: Iterable[bytes], write: Callable[[bytes], object]) -> None:
    """Answer every line until there are no more."""
    for line in lines:
        if line.strip():
            write(answer_line(subject, line))


def _line(value: object) -> bytes:
    # half a character, as a question may name one, is written as JSON says it: UTF-8 cannot
    return (
        json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace") + b"\n"
    )
