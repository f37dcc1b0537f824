"""One answer on its way in: bytes to JSON, whole or as a stream of events, within bounds.

Rules: pure; nothing here knows a vendor or waits. What makes a stream's events into an answer is a Fold.
An answer that is cut off anywhere is BrokenOffError, never a shorter answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from covey.limits import MODEL_LINE_BYTES, MODEL_REPLY_BYTES
from covey.models import wire

_DOCUMENT = ("application/json", "text/json", "")
_EVENTS = "text/event-stream"
_LINES = ("application/x-ndjson", "application/jsonl", "application/json-lines", "application/x-jsonlines")
_DONE = b"[DONE]"


class Fold(Protocol):
    """Makes one answer out of a vendor's stream."""

    @property
    def begun(self) -> bool:
        """Say whether the model has begun to speak."""
        ...

    @property
    def complete(self) -> bool:
        """Say whether the vendor said that this was all."""
        ...

    def take(self, event: Mapping[str, object]) -> None:
        """Take one event.

        Raises:
            SaidError: The vendor says that it failed.
            OversizeError: There are more parts than anything we read.
        """
        ...

    def document(self) -> Mapping[str, object]:
        """Return the answer in the form it has without streaming."""
        ...


class Incoming:
    """Reads one answer.

    Args:
        fold: What to do with a stream's events.
    """

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._how = "document"
        self._size = 0
        self._buffer = bytearray()
        self._data: list[bytes] = []

    @property
    def begun(self) -> bool:
        """Say whether there is a first word; of an answer that comes whole, a first byte."""
        return self._fold.begun if self._how != "document" else self._size > 0

    def start(self, content_type: str | None) -> None:
        """Take the kind of the answer.

        Raises:
            UnreadableError: It is nothing that a model's API answers with.
        """
        kind = (content_type or "").partition(";")[0].strip().lower()
        if kind == _EVENTS:
            self._how = "events"
        elif kind in _LINES:
            self._how = "lines"
        elif kind not in _DOCUMENT and not kind.endswith("+json"):
            raise wire.UnreadableError(f"an answer of type {kind[:60]}, not JSON or an event stream")

    def feed(self, data: bytes) -> None:
        """Take some bytes.

        Raises:
            OversizeError: It is more than we read.
            UnreadableError: An event is not what it should be.
            SaidError: The vendor says that it failed.
        """
        self._size += len(data)
        if self._size > MODEL_REPLY_BYTES:
            raise wire.OversizeError(f"more than {MODEL_REPLY_BYTES} bytes")
        self._buffer += data
        if self._how == "document":
            return
        for line in self._lines():
            self._take_line(line)

    def finish(self) -> Mapping[str, object]:
        """Return the answer, now that nothing more comes.

        Raises:
            BrokenOffError: It ended before its end.
            UnreadableError: It is not JSON.
        """
        if self._how == "document":
            return wire.document(bytes(self._buffer))
        if not self._fold.complete:
            self._take_rest()
        if not self._fold.complete:
            where = "before its first word" if not self._fold.begun else "in the middle"
            raise wire.BrokenOffError(f"the stream ended {where}, after {self._size} bytes")
        return self._fold.document()

    def _lines(self) -> Iterator[bytes]:
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            yield line.removesuffix(b"\r")
        if len(self._buffer) > MODEL_LINE_BYTES:
            raise wire.OversizeError(f"one event of more than {MODEL_LINE_BYTES} bytes")

    def _take_line(self, line: bytes) -> None:
        if self._how == "lines":
            if line.strip():
                self._fold.take(_object(line))
        elif not line:
            self._dispatch()
        elif line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
            if sum(map(len, self._data)) > MODEL_LINE_BYTES:
                raise wire.OversizeError(f"one event of more than {MODEL_LINE_BYTES} bytes")

    def _dispatch(self) -> None:
        data, self._data = b"\n".join(self._data), []
        if data and data.strip() != _DONE:
            self._fold.take(_object(data))

    def _take_rest(self) -> None:
        """Take a last event that lacks its line end; half of one is no event."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        try:
            if rest:
                self._take_line(rest.removesuffix(b"\r"))
            self._dispatch()
        except wire.UnreadableError:
            self._data = []


def reading(fold: Callable[[], Fold]) -> Callable[[], Incoming]:
    """Return what makes a reader for each answer of one vendor."""
    return lambda: Incoming(fold())


def _object(data: bytes) -> Mapping[str, object]:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        raise wire.UnreadableError("an event that is not JSON") from None
    if not isinstance(event, dict):
        raise wire.UnreadableError("an event that is not a JSON object")
    return event
