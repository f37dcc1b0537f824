"""What a peer's own store gives to questions: its blocks, as they were signed, and keys of their authors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from covey import _core
from covey.store.memory import StoreMemory
from covey.store.opening import store_error

if TYPE_CHECKING:
    from typing import Any


class StoreShelf(StoreMemory):
    """The Memory port, and what stands behind its blocks.

    Every method raises StoreError when the store cannot be read or written.
    """

    __slots__ = ()

    def signed(self, key: str) -> bytes | None:
        """Return a held block as its author signed it, in canonical JSON."""
        return self._read(lambda: self._store.record_json(key))

    def keys(self) -> Mapping[str, bytes]:
        """Return the raw public key that each nodeId is bound to."""
        rows: Sequence[tuple[Any, ...]] = self._read(self._store.bindings)
        return {node_id: key for node_id, key, _, _ in rows}

    def keep(self, records: Sequence[_core.Record], now_ms: int) -> None:
        """Hold verified records that an answer cites; those that are held already stay as they are."""
        try:
            self._store.memory.carry_in(list(records), now_ms)
        except _core.CoreError as error:
            raise store_error(error) from error
