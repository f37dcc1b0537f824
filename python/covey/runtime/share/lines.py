"""The newest lines of a program's log, for readers elsewhere: a sink of its log that tells who waits."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from covey import limits
from covey.inference.rings import Ring


class Lines:
    """The newest lines. It may be written to from any thread, and is read on the loop it was made on."""

    def __init__(self) -> None:
        self._ring = Ring(limits.DOOR_LOG_LINES)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._came = asyncio.Event()

    def __call__(self, line: str) -> None:
        """Take one line of the log, as JSON; it is scrubbed already."""
        found: Any = json.loads(line)
        if self._loop is None:
            self._add(found)
            return
        try:
            self._loop.call_soon_threadsafe(self._add, found)
        except RuntimeError as error:  # the loop is closed: nobody can read any more
            raise ValueError("the log's readers are gone") from error

    def begin(self) -> None:
        """Take the loop on which readers wait."""
        self._loop = asyncio.get_running_loop()

    async def after(self, seq: int) -> None:
        """Wait until there is a line after a number."""
        while 0 <= seq == self._ring.last:
            self._came.clear()
            await self._came.wait()

    def since(self, seq: int) -> dict[str, Any]:
        """Return lines after a number, as `Ring.since`."""
        return self._ring.since(seq)

    def _add(self, found: dict[str, Any]) -> None:
        self._ring.add(found)
        self._came.set()
