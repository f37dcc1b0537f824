"""What an agent keeps in its peer's store: which blocks have woken it, and its budgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from covey import _core
from covey.model import Delivery
from covey.store.memory import block_of
from covey.store.opening import store_error

Value = TypeVar("Value")


class StoreWakes:
    """The agent's own rows. Every method is one durable transaction or read; call them off the loop.

    Args:
        store: The peer's store.

    Every method raises StoreError when the store cannot be read or written.
    """

    __slots__ = ("_store",)

    def __init__(self, store: _core.Store) -> None:
        self._store = store

    def woken(self, key: str) -> bool:
        """Say whether a block has woken the agent before."""
        return _translated(lambda: self._store.woken(key))

    def unfinished(self, since_ms: int, limit: int) -> list[Delivery]:
        """Return what the inbox got from then on and no agent has come to: the newest, oldest first."""
        rows = _translated(lambda: self._store.mail.unfinished(since_ms, limit))
        return [
            Delivery(
                block=block_of(row.record),
                judgement=None,
                ingested=row.ingested,
                directed=row.directed,
                wakes=row.wakes,
                from_node_id=row.from_node_id,
                received_ms=row.received_ms,
                number=row.number,
                expires_ms=row.expires_ms,
            )
            for row in rows
        ]

    def state_get(self, name: str) -> bytes | None:
        """Return a saved value, or None."""
        return _translated(lambda: self._store.state_get(name))

    def state_put(self, values: Mapping[str, bytes], woken: Sequence[str] = ()) -> None:
        """Save values by name, in place of earlier ones, and mark what woke the agent: all, or nothing."""
        _translated(lambda: self._store.state_put_many(list(values.items()), list(woken)))


def _translated(work: Callable[[], Value]) -> Value:
    try:
        return work()
    except _core.CoreError as error:
        raise store_error(error) from error
