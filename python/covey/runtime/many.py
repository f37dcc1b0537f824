"""Emitting many blocks at once: lines are signed on a thread, then stored and handed on as one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from covey import _core
from covey.model import EmissionRefused

if TYPE_CHECKING:
    from covey.ports import Clock
    from covey.proto.many import ManyResult
    from covey.runtime.together import Together


class ManyBlocks:
    """Batches of own blocks, for a program that has them as lines and wants no value for each.

    Args:
        identity: Who says them.
        room: Where.
        clock: Wall time of their signatures.
        together: Gives the engine an event and waits for its answer.
        ready: Waits until another emission may begin.
        observed: Told once after each batch that was minted: this peer has said something of its own.
    """

    def __init__(
        self,
        identity: _core.Identity,
        room: str,
        clock: Clock,
        together: Together,
        ready: Callable[[], Awaitable[None]],
        observed: Callable[[], None],
    ) -> None:
        self._identity = identity
        self._room = room
        self._clock = clock
        self._together = together
        self._ready = ready
        self._observed = observed

    async def emit(self, lines: bytes) -> ManyResult:
        """Sign, store and send a block for each line.

        Args:
            lines: JSON objects of category texts, one on each line, UTF-8; at most 1,024 and 4 MiB.

        Returns:
            `EmittedMany` once they are durable and handed over, or why none is.
        """
        try:
            batch = await asyncio.to_thread(self.sign, lines)
        except _core.CoreError as error:
            return EmissionRefused(error.reason, error.detail)
        return await self.publish(batch)

    def sign(self, lines: bytes) -> _core.OwnBatch:
        """Sign a block for each line; nothing is stored or sent before `publish`. Blocks for milliseconds.

        Raises:
            CoreError: too_large: more lines or bytes than one batch takes.
        """
        return _core.OwnBatch.sign(lines, self._identity, room=self._room, created_ms=self._clock.now_ms())

    async def publish(self, batch: _core.OwnBatch) -> ManyResult:
        """Store and send a signed batch of this peer; it waits as `emit` does while a queue is long."""
        await self._ready()
        result = await self._together.publish(batch)
        if not isinstance(result, EmissionRefused) and result.minted:
            self._observed()
        return result
