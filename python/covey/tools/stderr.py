"""The last words of a process: what it writes to standard error, of which only the end is kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TextIO

from covey.limits import TOOL_STDERR_BYTES

_READ_BYTES = 65_536


class LastWords:
    """A pipe whose end is remembered. `file` is for the process; `close` ends the listening.

    Where the loop cannot watch a pipe (Windows), what the process writes there is lost.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._kept = b""
        self._read, write = os.pipe()
        self.file: TextIO = os.fdopen(write, "w")
        try:
            os.set_blocking(self._read, False)
            self._loop.add_reader(self._read, self._take)
        except NotImplementedError:
            self.close()
            self.file = Path(os.devnull).open("w")  # noqa: SIM115 - it lives as long as the process

    def text(self) -> str:
        """Return what was said last."""
        self._take()
        return self._kept.decode("utf-8", "replace")

    def close(self) -> None:
        """Stop listening; a process that still writes gets a broken pipe."""
        if self._read >= 0:
            with contextlib.suppress(NotImplementedError):  # then nothing was being watched
                self._loop.remove_reader(self._read)
            os.close(self._read)
            self._read = -1
        self.file.close()

    def _take(self) -> None:
        if self._read < 0:
            return
        try:
            while data := os.read(self._read, _READ_BYTES):
                self._kept = (self._kept + data)[-TOOL_STDERR_BYTES:]
        except BlockingIOError:
            return
        # Nobody holds the other end any more.
        self._loop.remove_reader(self._read)
