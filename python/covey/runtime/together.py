"""What is emitted in one turn of the loop is one event of the engine, and is signed in one native call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from covey import limits
from covey.model import EmissionResult
from covey.proto import effects as fx


class Together:
    """Emissions that wait for the end of this turn of the loop.

    Args:
        feed: Gives the engine an event.
    """

    def __init__(self, feed: Callable[[fx.Event], None]) -> None:
        self._feed = feed
        self._wanted: list[tuple[fx.Emit, asyncio.Future[EmissionResult]]] = []

    def add(self, wanted: fx.Emit, future: asyncio.Future[EmissionResult]) -> None:
        """Take one more; `future` hears of a fault of ours here; answers come as replies."""
        self._wanted.append((wanted, future))
        if len(self._wanted) == 1:
            future.get_loop().call_soon(self._emit)

    def _emit(self) -> None:
        wanted, self._wanted = self._wanted, []
        try:
            for at in range(0, len(wanted), limits.EMIT_TOGETHER):
                part = tuple(emit for emit, _ in wanted[at : at + limits.EMIT_TOGETHER])
                self._feed(fx.EmitMany(part))
        except Exception as error:  # who waits for an answer must hear that there is none
            for _, future in wanted:
                if not future.done():
                    future.set_exception(error)
