"""Waiting in a command that has no event loop, until a time is over or somebody ends it.

Rules: the first SIGINT, SIGTERM or SIGHUP ends the wait and is a good end; the second one does what it would
have done. A handler only writes a byte: locks in handlers deadlock.
"""

from __future__ import annotations

import os
import select
import signal
from types import FrameType, TracebackType
from typing import Any, Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt:
    """A wait that signals end. Use as a context manager, on the main thread."""

    def __init__(self) -> None:
        """Begin; nothing is caught before the context is entered."""
        self._read, self._write = -1, -1
        self._before: dict[int, Any] = {}
        self.came = False

    def __enter__(self) -> Self:
        """Catch signals from here on."""
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let signals do what they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._read)
        os.close(self._write)

    def wait(self, seconds: float) -> bool:
        """Wait; return True at once when a signal has come or comes."""
        if not self.came:
            select.select([self._read], [], [], seconds)
        return self.came

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        os.write(self._write, b"\0")
        signal.signal(number, self._before[number])
