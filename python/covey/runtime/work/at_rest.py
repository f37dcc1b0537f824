"""What a peer needs of tasks while it has none: where they survive, and the nickname they come to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar, cast

from covey.errors import StoreError

if TYPE_CHECKING:
    from covey._core import Store
    from covey.ports import StoreTasks

T = TypeVar("T")
DESK: Final = "tasks"
"""The end of a desk's nickname, and the name under which it forwards."""


def desk_of(name: str) -> str:
    """Return the nickname under which a peer's tasks are spoken of."""
    return f"{name}/{DESK}"


class StoreKeeper:
    """Rows in the peer's store.

    Args:
        store: The store's writer.
    """

    def __init__(self, store: StoreTasks) -> None:
        self._store = store

    async def load(self) -> list[bytes]:
        """Return every row.

        Raises:
            StoreError: They cannot be read.
        """
        rows = await self._run(lambda store: store.tasks())
        return [row for _, row in rows]

    async def keep(self, rows: Sequence[tuple[str, bytes]], dropped: Sequence[str]) -> None:
        """Make rows durable, delete others.

        Raises:
            StoreError: Nothing was changed.
        """
        await self._run(lambda store: store.tasks_put(list(rows), list(dropped)))

    async def _run(self, operation: Callable[[Store], T]) -> T:
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def done(value: object, why: str) -> None:
            if answer.done():
                return
            if why:
                answer.set_exception(StoreError(f"tasks: {why}", code="tasks_not_kept"))
            else:
                answer.set_result(cast("T", value))

        self._store.run(operation, done)
        return await answer
