"""Messages between agents that the inbox holds and no agent has come to: verified again before they count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from covey import _core
from covey.store.opening import store_error

if TYPE_CHECKING:
    from collections.abc import Sequence


class StoreMessages:
    """One peer's unread messages.

    Args:
        store: The peer's store.
    """

    def __init__(self, store: _core.Store) -> None:
        self._store = store

    def unread(self, limit: int) -> tuple[Sequence[tuple[_core.Record, int | None]], int]:
        """Return messages and when each expires, oldest first; and how many rows do not verify. Blocks.

        Raises:
            StoreError: The store cannot be read.
        """
        try:
            keys = {node_id: key for node_id, key, _, _ in self._store.bindings()}
            rows = self._store.mail.messages(limit)
        except _core.CoreError as error:
            raise store_error(error) from error
        found: list[tuple[_core.Record, int | None]] = []
        broken = 0
        for author, json, expires_ms in rows:
            try:
                record = _core.verify(_core.Unverified.parse(json), keys[author])
            except (_core.CoreError, KeyError):
                broken += 1
                continue
            found.append((record, expires_ms))
        return found, broken
