"""Tapes: what a vendor answered, kept as files, and played again without a key, a network or an SDK.

A tape is a folder of JSON files, one for each call, played in the order of their names:

    {"adapter": "anthropic", "asked": {…}, "answer": {"type": "text/event-stream", "lines": ["event: …", …]}}
    {"adapter": "anthropic", "asked": {…}, "failed": {"kind": "rate_limit", "status": 429, "transient": true}}

Rules: the answer is kept as it came, byte for byte where it is UTF-8, so that a replay runs through the same
reader. `asked` is for people: a prompt's delimiters are new for each request, so nothing is compared with it.
Headers are never kept, and the key is cut out wherever else it stands.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from covey.errors import ModelError, ModelErrorKind
from covey.limits import MODEL_REPLY_BYTES, MODEL_TAPE_FILES
from covey.models import failures, wire
from covey.models.incoming import Fold, Incoming
from covey.models.line import Line, Patience


class Recorder:
    """A line that writes down what another line carries.

    Args:
        line: The line that asks.
        folder: Where the tape is; it is made where it is not. New calls follow those that are there.
        adapter: The adapter's name, kept beside each call.
        secret: The key, cut out of what is kept.
    """

    def __init__(self, line: Line, folder: Path, adapter: str, secret: str | None) -> None:
        self._line = line
        self._folder = folder
        self._adapter = adapter
        self._secret = secret

    async def warm(self) -> None:
        """Load what the line needs."""
        await self._line.warm()

    async def ask(
        self, asked: Mapping[str, Any], patience: Patience, reader: Callable[[], Incoming]
    ) -> Mapping[str, object]:
        """Ask by the other line, and keep what came of it, failures too.

        Raises:
            ModelError: What the line raises; or the tape cannot be written.
        """
        made: list[_Tee] = []

        def tee() -> Incoming:
            made.append(_Tee(reader()))
            return made[-1]

        try:
            answer = await self._line.ask(asked, patience, tee)
        except ModelError as error:
            await self._keep({"asked": asked, "failed": _as_json(error)})
            raise
        await self._keep({"asked": asked, "answer": made[-1].as_json()})
        return answer

    async def close(self) -> None:
        """Close the line."""
        await self._line.close()

    async def _keep(self, call: Mapping[str, Any]) -> None:
        text = json.dumps({"adapter": self._adapter, **call}, indent=2, ensure_ascii=False, default=str)
        try:
            await asyncio.to_thread(_write, self._folder, self._adapter, failures.hidden(text, self._secret))
        except OSError as error:
            raise _unusable(self._folder, f"cannot write: {error.strerror or error}") from None


class Player:
    """A line that answers from a tape.

    Args:
        label: `adapter/model`, for messages.
        folder: Where the tape is.
        adapter: Whose calls are played.
    """

    def __init__(self, label: str, folder: Path, adapter: str) -> None:
        self._label = label
        self._folder = folder
        self._adapter = adapter
        self._left: list[Path] | None = None

    async def warm(self) -> None:
        """Find the calls on the tape.

        Raises:
            ModelError: There is no tape, or nothing of this adapter on it.
        """
        if self._left is None:
            self._left = await asyncio.to_thread(calls_on, self._folder)
            if not self._left:
                raise _unusable(self._folder, "no recorded calls in it")

    async def ask(
        self, asked: Mapping[str, Any], patience: Patience, reader: Callable[[], Incoming]
    ) -> Mapping[str, object]:
        """Return the next answer of the tape, read as if it came from the vendor.

        Raises:
            ModelError: A recorded failure; a tape that is at its end, unreadable or of another adapter.
        """
        await self.warm()
        if not self._left:
            raise _unusable(self._folder, "its last call is played")
        path = self._left.pop(0)
        call = await asyncio.to_thread(_read, path)
        if call.get("adapter") != self._adapter:
            raise _unusable(path, f"recorded with {call.get('adapter')}, asked with {self._adapter}")
        if "failed" in call:
            raise _as_error(self._label, wire.table(call["failed"]))
        try:
            return played(wire.table(call.get("answer")), reader())
        except ValueError as error:
            raise failures.misread(self._label, error) from None

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


def calls_on(folder: Path) -> list[Path]:
    """Return the files of a tape in the order they are played.

    Raises:
        ModelError: The folder cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".json")[:MODEL_TAPE_FILES]
    except OSError as error:
        raise _unusable(folder, error.strerror or str(error)) from None


def played(answer: Mapping[str, object], reader: Incoming) -> Mapping[str, object]:
    """Return what a reader makes of a recorded answer.

    Raises:
        ValueError: What `Incoming` raises.
    """
    lines = answer.get("lines")
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise wire.UnreadableError("a recorded answer without lines")
    reader.start(wire.text(answer.get("type")) or None)
    reader.feed("\n".join(lines).encode())
    return reader.finish()


class _Tee(Incoming):
    """A reader that keeps what it reads."""

    def __init__(self, reader: Incoming) -> None:
        super().__init__(_NoFold())
        self._reader = reader
        self._type: str | None = None
        self._kept = bytearray()

    @property
    def begun(self) -> bool:
        return self._reader.begun

    def start(self, content_type: str | None) -> None:
        self._type = content_type
        self._reader.start(content_type)

    def feed(self, data: bytes) -> None:
        self._kept += data[: MODEL_REPLY_BYTES + 1 - len(self._kept)]
        self._reader.feed(data)

    def finish(self) -> Mapping[str, object]:
        return self._reader.finish()

    def as_json(self) -> dict[str, Any]:
        return {"type": self._type or "", "lines": self._kept.decode("utf-8", "replace").split("\n")}


class _NoFold(Fold):
    begun = False
    complete = False

    def take(self, event: Mapping[str, object]) -> None:
        """Take nothing: another reader folds."""

    def document(self) -> Mapping[str, object]:
        return {}


def _write(folder: Path, adapter: str, text: str) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = len(calls_on(folder)) + 1
    if number > MODEL_TAPE_FILES:
        raise OSError(None, f"more than {MODEL_TAPE_FILES} calls")
    path = folder / f"{number:05}-{adapter}.json"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")


def _read(path: Path) -> Mapping[str, object]:
    try:
        with path.open("rb") as file:
            # JSON escapes and the request beside it make a file longer than its answer.
            return wire.document_within(file.read(4 * MODEL_REPLY_BYTES + 1), 4 * MODEL_REPLY_BYTES)
    except (OSError, ValueError) as error:
        raise _unusable(path, str(error)) from None


def _as_json(error: ModelError) -> dict[str, object]:
    return {
        "kind": error.kind.value,
        "message": error.message,
        "transient": error.transient,
        "status": error.status,
        "retry_after_s": error.retry_after_s,
    }


def _as_error(label: str, failed: Mapping[str, object]) -> ModelError:
    try:
        kind = ModelErrorKind(wire.text(failed.get("kind")))
    except ValueError:
        kind = ModelErrorKind.PROTOCOL
    later = failed.get("retry_after_s")
    return ModelError(
        wire.text(failed.get("message")) or f"{label}: a recorded failure",
        kind=kind,
        transient=failed.get("transient") is True,
        retry_after_s=float(later) if isinstance(later, int | float) else None,
        status=wire.count(failed.get("status")),
    )


def _unusable(path: Path, why: str) -> ModelError:
    return ModelError(
        f"the tape {path}: {failures.one_line(why)}",
        kind=ModelErrorKind.UNAVAILABLE,
        transient=False,
        hint="model.record writes a tape, model.replay plays one",
    )
