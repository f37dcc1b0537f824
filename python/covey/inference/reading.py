"""What a door reads of requests and answers on their way: the model, the tokens, nothing of the text.

Rules: pure. Bytes go through as they come. Where a stream was asked to end with its counts and its reader had
not asked for them, that one event is taken out again; events are then handed on whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from covey import limits
from covey.inference.accounts import Used

_USAGE: Final = b'"usage"'
_ENDS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")


class BadRequestError(ValueError):
    """A request's body that is no JSON object with a model; says what was expected."""


def body_of(raw: bytes) -> dict[str, Any]:
    """Read a request's body.

    Raises:
        BadRequestError: What was expected.
    """
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadRequestError("a JSON object") from None
    if not isinstance(found, dict):
        raise BadRequestError("a JSON object")
    model = found.get("model", "")
    if not isinstance(model, str) or len(model) > limits.DOOR_HEADER_CHARS:
        raise BadRequestError(f"model: a name of at most {limits.DOOR_HEADER_CHARS} characters")
    if not isinstance(found.get("stream", False), bool):
        raise BadRequestError("stream: true or false")
    return found


def asked_of(body: Mapping[str, Any], path: str, model: str | None) -> tuple[bytes, bool]:
    """Return what a backend is sent, and whether the event with the counts is ours to take out again."""
    asked = dict(body)
    if model is not None:
        asked["model"] = model
    hide = False
    if body.get("stream") is True and path.endswith("/completions"):
        options = body.get("stream_options")
        options = dict(options) if isinstance(options, Mapping) else {}
        hide = options.get("include_usage") is not True
        asked["stream_options"] = {**options, "include_usage": True}
    return json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"), hide


class Tally:
    """Counts the tokens of one exchange while its answer goes through.

    Args:
        request_bytes: Size of the request, for an estimate where nobody counts.
        stream: The answer is a stream of events.
        hide: Take the event out that has nothing but counts.
    """

    def __init__(self, request_bytes: int, *, stream: bool, hide: bool = False) -> None:
        self._request_bytes = request_bytes
        self._stream = stream
        self._hide = hide and stream
        self._rest = b""
        self._seen = 0
        self._found: Used | None = None

    def feed(self, data: bytes) -> bytes:
        """Take some bytes of a stream; return those to hand on now.

        Raises:
            ValueError: One event is longer than any that a model makes.
        """
        self._seen += len(data)
        self._rest += data
        if len(self._rest) > limits.DOOR_EVENT_BYTES and not self._cut()[0]:
            raise ValueError(f"an event of more than {limits.DOOR_EVENT_BYTES} bytes")
        whole, self._rest = self._cut()
        if not self._hide:
            self._look(whole)
            return data
        return b"".join(event for event in _events(whole) if not self._only_counts(event))

    def finish(self) -> bytes:
        """Return what is left of a stream once it has ended."""
        rest, self._rest = self._rest, b""
        self._look(rest)
        return rest if self._hide and not self._only_counts(rest) else b""

    def whole(self, body: bytes) -> None:
        """Take an answer that is no stream."""
        self._seen += len(body)
        try:
            self._take(json.loads(body))
        except (ValueError, RecursionError):
            return  # no JSON: it is handed on as it is, and estimated

    def used(self) -> Used:
        """Return the tokens: as the backend counted them, else by the usual four characters for one."""
        if self._found is not None:
            return self._found
        if not self._seen:
            return Used()
        share = limits.CHARS_PER_TOKEN
        return Used(self._request_bytes // share, self._seen // share, estimated=True)

    def _cut(self) -> tuple[bytes, bytes]:
        """Return the whole events that wait, and the beginning of the next."""
        ends = [at + len(end) for end in _ENDS if (at := self._rest.rfind(end)) >= 0]
        at = max(ends, default=0)
        return self._rest[:at], self._rest[at:]

    def _look(self, whole: bytes) -> None:
        if _USAGE in whole:
            for event in _events(whole):
                self._take(_data(event))

    def _only_counts(self, event: bytes) -> bool:
        """Take an event's counts; tell whether it says nothing else."""
        if _USAGE not in event:
            return False
        found = _data(event)
        self._take(found)
        return isinstance(found, dict) and found.get("choices") == [] and bool(found.get("usage"))

    def _take(self, found: object) -> None:
        if not isinstance(found, dict):
            return
        # The responses API says its counts inside the response that it ends with.
        inner = found.get("response")
        usage = found.get("usage") or (inner.get("usage") if isinstance(inner, dict) else None)
        if isinstance(usage, dict):
            prompt = _count(usage, "prompt_tokens", "input_tokens")
            self._found = Used(prompt, _count(usage, "completion_tokens", "output_tokens"))


def _events(whole: bytes) -> list[bytes]:
    """Return the events of a text, each with its end."""
    for end in _ENDS:
        if end in whole:
            return [part + end for part in whole.split(end) if part]
    return [whole] if whole else []


def _data(event: bytes) -> object:
    """Return the JSON of an event's data, or None."""
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    try:
        return json.loads(b"\n".join(lines)) if lines else None
    except (ValueError, RecursionError):
        return None  # `[DONE]`, or words that are none of ours


def _count(usage: Mapping[str, Any], *names: str) -> int:
    found = next((usage[name] for name in names if type(usage.get(name)) is int), 0)
    return found if 0 <= found <= limits.JSON_INTEGER else 0
