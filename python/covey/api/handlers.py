"""A program's handlers: each works through its own bounded queue, one item at a time, and fails by itself.

A handler that is too slow loses the oldest items, never silently: it is counted, logged, and told through
`on_gap`.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from covey import limits

Item = TypeVar("Item")
Handler = Callable[[Item], Awaitable[object]]
Told = Callable[[str, str], None]
"""Takes an event word and one line about it."""


class Worker(Generic[Item]):
    """One handler with its queue, on the running loop.

    Args:
        handler: A coroutine function; what it returns is ignored.
        tell: Hears of failures and gaps.
        done: Called after each item, with the exception where the handler raised one.
        counts: Where everything is counted.
    """

    def __init__(
        self,
        handler: Handler[Item],
        *,
        tell: Told,
        done: Callable[[Item, BaseException | None], None],
        counts: Counter[str],
    ) -> None:
        self._handler = handler
        self._tell = tell
        self._done = done
        self._counts = counts
        self._waiting: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def label(self) -> str:
        """Return the handler's name, for people."""
        return getattr(self._handler, "__qualname__", repr(self._handler))

    def put(self, item: Item) -> None:
        """Let an item wait; past the bound the oldest goes."""
        if len(self._waiting) >= limits.API_QUEUE:
            lost = self._waiting.popleft()
            self._counts["handlers.dropped"] += 1
            self._tell("handler-too-slow", f"{self.label}: one item dropped, {limits.API_QUEUE} wait")
            self._done(lost, OverflowError("the handler was too slow"))
        self._waiting.append(item)
        self._idle.clear()
        self._wake.set()

    async def stop(self, drain_seconds: float) -> None:
        """Let what waits be handled for that long, then end."""
        try:
            async with asyncio.timeout(drain_seconds):
                await self._idle.wait()
        except TimeoutError:
            self._counts["handlers.cut_off"] += 1 + len(self._waiting)
            self._tell("handler-cut-off", f"{self.label}: {1 + len(self._waiting)} items not finished")
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                item = self._waiting.popleft()
                try:
                    await self._handler(item)
                except Exception as error:  # contained: told and counted, and the next item is handled
                    self._counts["handlers.failed"] += 1
                    self._tell("handler-failed", f"{self.label}: {type(error).__name__}: {error}")
                    self._done(item, error)
                else:
                    self._counts["handlers.ran"] += 1
                    self._done(item, None)
            self._idle.set()
