"""The log of one process: JSON lines, scrubbed of secrets, in a file that rotates or on a stream.

Rules: one object per line, `{"ts", "level", "evt", "peer", "data"}`; a secret never reaches the line,
wherever in the data it hides; logging never raises into the caller, and what could not be written is counted.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from covey.errors import StoreError
from covey.ports import Clock
from covey.values import dataclass

LEVELS: Final = ("error", "warn", "info", "debug")
SCRUBBED: Final = "[scrubbed]"

_SECRET_NAME: Final = re.compile(
    r"(?i)(^|[_.-])(api_?key|token|secret|seed|password|passphrase|authorization|private_?key)s?$"
)
_SECRET_TEXT: Final = re.compile(
    r"\bsk-[A-Za-z0-9_-]{8,}"  # Anthropic, OpenAI and their imitators
    r"|\bcvk-[0-9a-f]{8}-[A-Za-z0-9_-]{20,}"  # a key to a shared model
    r"|\b(?:gh[pousr]_|github_pat_|glpat-|hf_|xox[abposr]-|AKIA|ASIA|AIza)[A-Za-z0-9_-]{12,}"  # other vendors
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # a JSON web token
    r"|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?s:.*?)(?:-----END (?:[A-Z]+ )*PRIVATE KEY-----|\Z)"
    r"|(?i:\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|(?i:\b[a-z_]*(?:api_?key|token|secret|password|passphrase)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;]{8,}"
    r"|://[^/\s:@]+:[^/\s@]+@"  # user and password in a URL
)
_DEPTH: Final = 16


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a log file is set aside: past `size_bytes`; `keep` older files stay (`.1` is the newest)."""

    size_bytes: int = 5 * 1024 * 1024
    keep: int = 5


class Scrubber:
    """Take secrets out of anything that is about to be shown or written."""

    __slots__ = ("_literals",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Know some secrets by their value; patterns and names are known anyway."""
        self._literals: list[str] = []
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str) -> None:
        """Remember a value that must never be shown; values under 8 characters would hide half a log."""
        if len(secret) >= 8 and secret not in self._literals:
            self._literals.append(secret)
            # The longest first: what begins like another would leave its end behind.
            self._literals.sort(key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return `text` without known secrets and without what looks like one."""
        for literal in self._literals:
            text = text.replace(literal, SCRUBBED)
        return _SECRET_TEXT.sub(SCRUBBED, text)

    def value(self, value: object, depth: int = 0) -> object:
        """Return a JSON-ready copy of `value`, scrubbed at every level."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        if depth >= _DEPTH:
            return "[too deep]"
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._member(str(key), inner, depth) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(inner, depth + 1) for inner in value]
        if isinstance(value, bytes | bytearray | memoryview):
            return f"[{len(value)} bytes]"
        return self.text(str(value))

    def _member(self, name: str, value: object, depth: int) -> object:
        # Numbers under such names are counts (`max_tokens`, `input_tokens`), not secrets.
        if _SECRET_NAME.search(name) and isinstance(value, str | bytes):
            return SCRUBBED
        return self.value(value, depth + 1)


class Log:
    """Write events as JSON lines. Methods never raise; `lost` counts lines that could not be written."""

    def __init__(
        self,
        sink: Callable[[str], None],
        clock: Clock,
        *,
        peer: str = "",
        level: str = "info",
        scrubber: Scrubber | None = None,
    ) -> None:
        """Log to `sink`, which takes one line with its newline; see `to_file` and `to_stream`."""
        self._sink = sink
        self._clock = clock
        self._peer = peer
        self._threshold = LEVELS.index(level)
        self.scrubber = scrubber or Scrubber()
        self.lost = 0

    def error(self, evt: str, /, **data: object) -> None:
        """Say that something failed and somebody should look."""
        self.write("error", evt, data)

    def warn(self, evt: str, /, **data: object) -> None:
        """Say that something is not as it should be, and covey goes on."""
        self.write("warn", evt, data)

    def info(self, evt: str, /, **data: object) -> None:
        """Say that something happened."""
        self.write("info", evt, data)

    def debug(self, evt: str, /, **data: object) -> None:
        """Say what only a developer wants to know."""
        self.write("debug", evt, data)

    def write(self, level: str, evt: str, data: Mapping[str, object]) -> None:
        """Write one event at one of LEVELS."""
        if LEVELS.index(level) > self._threshold:
            return
        line = {"ts": timestamp(self._clock.now_ms()), "level": level, "evt": evt, "peer": self._peer}
        try:
            self._sink(json.dumps({**line, "data": self.scrubber.value(data)}) + "\n")
        except (OSError, ValueError):
            # A full disk or a closed stream must not stop a peer; the count is shown by status.
            self.lost += 1


class LogFile:
    """An append-only file of mode 0600 that rotates by size; a sink for Log."""

    def __init__(self, path: Path, rotation: Rotation | None = None) -> None:
        """Open `path` for appending.

        Raises:
            StoreError: It cannot be opened.
        """
        self.path = path
        self._rotation = rotation or Rotation()
        try:
            self._descriptor = _append(path)
        except OSError as error:
            raise StoreError(f"cannot open log {path}: {error.strerror or error}") from error

    def __call__(self, line: str) -> None:
        """Append one line, whole; rotate first when it would not fit."""
        raw = line.encode("utf-8", "backslashreplace")
        if os.fstat(self._descriptor).st_size + len(raw) > self._rotation.size_bytes:
            self._rotate()
        os.write(self._descriptor, raw)

    def close(self) -> None:
        """Close the file; calling it twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _rotate(self) -> None:
        if os.fstat(self._descriptor).st_size == 0:
            return
        for number in range(self._rotation.keep, 0, -1):
            older = self.path if number == 1 else self.path.with_name(f"{self.path.name}.{number - 1}")
            if older.exists():
                older.replace(self.path.with_name(f"{self.path.name}.{number}"))
        fresh = _append(self.path)
        os.close(self._descriptor)
        self._descriptor = fresh


def to_stream(stream: TextIO) -> Callable[[str], None]:
    """Return a sink that writes to a text stream and flushes each line."""

    def sink(line: str) -> None:
        stream.write(line)
        stream.flush()

    return sink


def tee(*sinks: Callable[[str], None]) -> Callable[[str], None]:
    """Return a sink that writes each line to all of `sinks`; one that fails keeps it from no other."""

    def sink(line: str) -> None:
        failure: OSError | ValueError | None = None
        for each in sinks:
            try:
                each(line)
            except (OSError, ValueError) as error:
                failure = error
        if failure is not None:
            raise failure

    return sink


def timestamp(now_ms: int) -> str:
    """Return wall-clock milliseconds as ISO 8601 in UTC, with milliseconds."""
    moment = datetime.fromtimestamp(now_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now_ms % 1000:03d}Z"


def _append(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
