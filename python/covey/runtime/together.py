"""What is emitted in one turn of the loop is one event of the engine, and is signed in one native call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.model import EmissionResult, Proposal
from covey.proto import effects as fx

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.many import ManyResult


class Together:
    """Emissions that wait for the end of this turn of the loop, and everybody who waits for an answer.

    Args:
        feed: Gives the engine an event.
    """

    def __init__(self, feed: Callable[[fx.Event], None]) -> None:
        self._feed = feed
        self._tokens = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._wanted: list[fx.Emit] = []

    def emit(self, proposal: Proposal) -> asyncio.Future[EmissionResult]:
        """Take one more; the future has its `EmissionResult`, or a fault of ours."""
        token, future = self._wait()
        self._wanted.append(fx.Emit(token, proposal))
        if len(self._wanted) == 1:
            future.get_loop().call_soon(self._emit)
        return future

    async def publish(self, batch: _core.OwnBatch) -> ManyResult:
        """Take many that are signed already: an event of their own."""
        token, future = self._wait()
        self._feed(fx.EmitBatch(token, batch))
        result: ManyResult = await future
        return result

    def reply(self, effect: fx.Reply) -> None:
        """Hand an answer to who waits for it."""
        future = self._waiting.pop(effect.token, None)
        if future is not None and not future.done():
            future.set_result(effect.result)

    def _wait(self) -> tuple[int, asyncio.Future[Any]]:
        self._tokens += 1
        future = self._waiting[self._tokens] = asyncio.get_running_loop().create_future()
        return self._tokens, future

    def _emit(self) -> None:
        wanted, self._wanted = self._wanted, []
        try:
            for at in range(0, len(wanted), limits.EMIT_TOGETHER):
                self._feed(fx.EmitMany(tuple(wanted[at : at + limits.EMIT_TOGETHER])))
        except Exception as error:  # who waits for an answer must hear that there is none
            for each in wanted:
                future = self._waiting.pop(each.token, None)
                if future is not None and not future.done():
                    future.set_exception(error)
