"""Running a peer's event loop: the fastest one there is, a graceful first signal, an immediate second one."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """The wish to end, and who had it. The first one counts."""

    def __init__(self) -> None:
        """Begin without a wish. Make it on the loop that waits for it."""
        self.reason: str | None = None
        self.drain_seconds: float | None = None
        self._wished = asyncio.Event()

    def request(self, reason: str, drain_seconds: float | None = None) -> None:
        """Wish for the end; what is in flight gets `drain_seconds` to finish, None for the usual time."""
        if self.reason is None:
            self.reason = reason
            self.drain_seconds = drain_seconds
            self._wished.set()

    async def wait(self) -> str:
        """Wait for the wish; return who had it."""
        await self._wished.wait()
        return self.reason or ""


def run(work: Callable[[Stop], Coroutine[Any, Any, int]]) -> int:
    """Run `work` on a new event loop and return its exit code.

    The first SIGINT, SIGTERM or SIGHUP asks `work` to stop; the second ends the process at once, as the
    signal would have.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_with_signals(work))


async def _with_signals(work: Callable[[Stop], Coroutine[Any, Any, int]]) -> int:
    stop = Stop()
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        if stop.reason is not None:
            os._exit(128 + number)
        stop.request(number.name)

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    return await work(stop)


async def until_stopped(work: Coroutine[Any, Any, None], stop: Stop) -> int:
    """Do `work`; when the stop comes first, cancel it and wait for its end.

    Returns:
        0 when the work was done, 130 when it was stopped.
    """
    doing = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            await doing
            return 0
        return 130
    finally:
        stopping.cancel()
        doing.cancel()
        await asyncio.gather(doing, stopping, return_exceptions=True)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not built for every platform; asyncio's own loop does the same, slower
        return None
    return uvloop.new_event_loop
