"""What a submitter's engine wants done, in order: rows first, what rests on them once they are durable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from covey import limits
from covey.errors import StoreError
from covey.fleet.work.owner import Effect, Forget, Keep
from covey.runtime.work.port import Keeper

_AGAIN_SECONDS = 1.0
"""Before a disk that failed is tried again."""


class Flow:
    """A queue of effects. Rows that come while others are being written go together in the next write.

    Args:
        keeper: Where rows survive.
        perform: Does what is not about rows.
        trouble: Told why rows could not be kept; they are tried again.
    """

    def __init__(
        self, keeper: Keeper, perform: Callable[[Effect], None], trouble: Callable[[str], None]
    ) -> None:
        self._keeper = keeper
        self._perform = perform
        self._trouble = trouble
        self._rows: dict[str, bytes | None] = {}
        self._after: list[Effect] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._running: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        """Tell whether so much waits for the disk that nothing new should be begun."""
        return len(self._rows) >= limits.TASK_WAITING_WRITES

    def do(self, effects: Sequence[Effect]) -> None:
        """Do these, soon and in order."""
        for effect in effects:
            match effect:
                case Keep():
                    self._rows[effect.task_id] = effect.row
                case Forget():
                    self._rows[effect.task_id] = None
                case _:
                    self._after.append(effect)
        if effects and (self._running is None or self._running.done()):
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def done(self) -> None:
        """Wait until everything that was handed in is done."""
        if self._running is None or self._running.done():
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await waiting

    async def stop(self, seconds: float) -> None:
        """Finish what was handed in, for so long; then give up."""
        if self._running is not None:
            await asyncio.wait([self._running], timeout=seconds)
            self._running.cancel()

    async def _run(self) -> None:
        while self._rows or self._after or self._waiting:
            rows, self._rows = self._rows, {}
            after, self._after = self._after, []
            waiting, self._waiting = self._waiting, []
            await self._keep(rows)
            for effect in after:
                self._perform(effect)
            for each in waiting:
                if not each.done():
                    each.set_result(None)

    async def _keep(self, rows: dict[str, bytes | None]) -> None:
        while rows:
            kept = [(task_id, row) for task_id, row in rows.items() if row is not None]
            try:
                await self._keeper.keep(kept, [task_id for task_id, row in rows.items() if row is None])
            except StoreError as error:
                self._trouble(str(error))
                await asyncio.sleep(_AGAIN_SECONDS)
                newer, self._rows = self._rows, {}
                rows |= newer
            else:
                return
