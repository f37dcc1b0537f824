"""Reads what memory holds by the kernel in use, behind everything else, and says how far it is.

After another kernel came into use every block that newcomers are compared with is read anew, newest first.
What the old kernel read is compared with nothing: a block that is not read yet is no anchor, but for the
newest, which were read before the start. Where it stands is in the store, so `kill -9` costs a slice at most.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from covey import _core, limits

if TYPE_CHECKING:
    from covey.ports import Clock

Logger = Callable[[str, str, Mapping[str, Any]], None]


class Encoding:
    """One peer's reading.

    Args:
        native: Its store, read and written on a worker thread, a slice at a time.
        clock: Monotonic time, to say how long it took.
        log: Called with level, event word and facts.
    """

    def __init__(self, native: _core.Store, *, clock: Clock, log: Logger) -> None:
        self._native = native
        self._clock = clock
        self._log = log
        self._intake: _core.Intake | None = None
        self._task: asyncio.Task[None] | None = None
        self._kernel, self._read, self._of = "", 0, 0
        self._trouble: str | None = None

    def attach(self, intake: _core.Intake) -> None:
        """Name the judge whose kernel reads, and who gets the anchors."""
        self._intake = intake

    def start(self) -> None:
        """Begin, a moment after the peer: who lives as long as a command reads nothing."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; a slice that is under way is finished by the disk."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def figures(self) -> Mapping[str, Any] | None:
        """Return how far it is; None on the baseline, and before the first look.

        Returns:
            `{"kernel", "read", "of", "trouble"}`: blocks, and why it does not go on, or None.
        """
        if not self._kernel:
            return None
        return {"kernel": self._kernel, "read": self._read, "of": self._of, "trouble": self._trouble}

    # --- within ---------------------------------------------------------------------------------

    async def _run(self) -> None:
        intake = self._intake
        if intake is None:
            return
        first = True
        await asyncio.sleep(limits.ENCODING_FIRST_SECONDS)
        while True:
            try:
                if not await self._look(intake):
                    return  # the baseline reads its few at the start
                await self._catch_up(intake, told=first)
            except _core.CoreError as error:
                if self._trouble is None:
                    self._log("warn", "encoding-failed", {"reason": error.reason, "detail": error.detail})
                self._trouble = error.reason
            else:
                self._trouble, first = None, False
            await asyncio.sleep(limits.ENCODING_EVERY_SECONDS)

    async def _look(self, intake: _core.Intake) -> bool:
        found = await asyncio.to_thread(self._native.memory.encoding, intake)
        if found is not None:
            self._kernel, self._read, self._of = found
        return found is not None

    async def _catch_up(self, intake: _core.Intake, *, told: bool) -> None:
        """Read slice by slice until nothing is left, with a breath for others after each."""
        if self._read == self._of:
            return
        others = await asyncio.to_thread(self._others) if told else []
        began, anchors = self._clock.monotonic(), 0
        if others:
            facts = {"kernel": self._kernel, "instead_of": others, "read": self._read, "of": self._of}
            self._log("info", "encoding-began", facts)
        while True:
            read, fresh = await asyncio.to_thread(self._native.memory.encode, intake)
            if not read:
                break
            anchors += fresh
            self._read = min(self._read + read, self._of)
            self._log("debug", "encoding", {"kernel": self._kernel, "read": self._read, "of": self._of})
            await asyncio.sleep(limits.ENCODING_BREATH_SECONDS)
        await self._look(intake)
        if others:
            seconds = round(self._clock.monotonic() - began, 3)
            facts = {"kernel": self._kernel, "read": self._read, "anchors": anchors, "seconds": seconds}
            self._log("info", "encoding-done", facts)

    def _others(self) -> list[str]:
        return sorted(kernel for kernel in self._native.memory.kernels() if kernel != self._kernel)
