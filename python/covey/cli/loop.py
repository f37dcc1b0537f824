"""Running a peer's event loop: the fastest one there is, a graceful first signal, an immediate second one."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from types import FrameType
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


def run(work: Callable[[Stop], Coroutine[Any, Any, int]], *, plain: bool = False) -> int:
    """Run `work` on a new event loop and return its exit code; `plain` for asyncio's own loop.

    The first SIGINT, SIGTERM or SIGHUP asks `work` to stop, whoever else has asked already; the second ends
    the process at once with 128 and its number (130, 143, 129), whatever the loop is busy with.
    """
    signals = _Signals()
    try:
        with asyncio.Runner(loop_factory=None if plain else _loop_factory()) as runner:
            return runner.run(_with_signals(work, signals))
    finally:
        signals.release()


async def _with_signals(work: Callable[[Stop], Coroutine[Any, Any, int]], signals: _Signals) -> int:
    stop = Stop()
    signals.catch(asyncio.get_running_loop(), stop)
    return await work(stop)


class _Signals:
    """Catches signals in the interpreter, not on the loop: one that is stuck would not hear the second.

    Make it before the loop's runner, which puts a handler of its own in place.
    """

    def __init__(self) -> None:
        self._came = False
        self._before: dict[int, Any] = {number: signal.getsignal(number) for number in _SIGNALS}
        self._wish: Callable[[str], object] = lambda reason: None

    def catch(self, loop: asyncio.AbstractEventLoop, stop: Stop) -> None:
        """Let the first signal wish for the end on `loop`."""
        self._wish = lambda reason: loop.call_soon_threadsafe(stop.request, reason)
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)

    def release(self) -> None:
        """Let signals do what they did before, unless one came: then the next one still ends at once."""
        self._wish = lambda reason: None
        if not self._came:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._came:
            os._exit(128 + number)
        self._came = True
        self._wish(signal.Signals(number).name)


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
