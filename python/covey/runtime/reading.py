"""What a peer's store says of one block, as plain JSON values: who answered it, and how it was judged here.

Rules: reads only, on worker threads; both are bounded. Which blocks answer follows from lineage alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from covey import limits
from covey.errors import IpcError, RefusedArgumentError, StoreError
from covey.runtime.answers import Result, block_as_dict

if TYPE_CHECKING:
    from covey._core import DecisionRow, StoredRecord

Read = TypeVar("Read")
_KEYS = limits.LINEAGE_BLOCKS


class Records(Protocol):
    """The store, as far as it is read here."""

    def record(self, key: str) -> StoredRecord | None:
        """Return a held block."""
        ...

    def children(self, key: str) -> Sequence[str]:
        """Return the keys of the held blocks that name this one as a parent."""
        ...

    def decisions(self, limit: int, *, key: str | None = None) -> Sequence[DecisionRow]:
        """Return what was decided here, newest first; about one block, where its key is given."""
        ...


class Reader:
    """The verbs `replies` and `decisions` of the control socket.

    Args:
        store: The peer's store; reading never waits for its writer.
    """

    def __init__(self, store: Records) -> None:
        self._store = store

    @property
    def verbs(self) -> Mapping[str, Callable[[Mapping[str, Any]], Awaitable[Result]]]:
        """Return the verbs by their names."""
        return {"replies": self.replies, "decisions": self.decisions}

    async def replies(self, arguments: Mapping[str, Any]) -> Result:
        """Return the held blocks that answer a block, over any number of generations, oldest first.

        Raises:
            IpcError: An argument is wrong.
        """
        key, limit = _arguments(arguments)
        return await asyncio.to_thread(_reading, lambda: replies(self._store, key, limit))

    async def decisions(self, arguments: Mapping[str, Any]) -> Result:
        """Return what admission decided about a block, or about the last ones, newest first.

        Raises:
            IpcError: An argument is wrong.
        """
        key, limit = _arguments(arguments, needs_key=False)
        return await asyncio.to_thread(_reading, lambda: decisions(self._store, key or None, limit))


def replies(store: Records, key: str, limit: int) -> Result:
    """Walk from a block to what answers it; `cut` says that a bound ended the walk."""
    seen, frontier = {key}, [key]
    found: list[StoredRecord] = []
    while frontier and len(seen) <= _KEYS:
        below = [child for each in frontier for child in store.children(each) if child not in seen]
        frontier = list(dict.fromkeys(below))
        seen.update(frontier)
        found += [held for child in frontier if (held := store.record(child)) is not None]
    found.sort(key=lambda held: (held.created_ms, held.key))
    cut = bool(frontier) or len(found) > limit
    return {"key": key, "blocks": [block_as_dict(held) for held in found[:limit]], "cut": cut}


def decisions(store: Records, key: str | None, limit: int) -> Result:
    """Return decision rows as JSON values."""
    return {"decisions": [_decision(row) for row in store.decisions(limit, key=key)]}


def _decision(row: DecisionRow) -> Result:
    found = row.evaluation
    return {
        "at_ms": row.at_ms,
        "key": row.key,
        "node_id": row.node_id,
        "from_node_id": row.from_node_id,
        "kind": row.kind,
        "reason": row.reason,
        "detail": row.detail,
        "evaluation": None
        if found is None
        else {
            "decision": found.decision,
            "explanation": found.explanation,
            "total_drift": found.total_drift,
            "field_drift": found.field_drift,
            "temporal_drift": found.temporal_drift,
            "categories": [
                {
                    "name": each.name,
                    "verdict": each.verdict,
                    "drift": each.drift,
                    "nearest": each.nearest,
                    "weight": each.weight,
                    "cause": each.cause,
                }
                for each in found.categories
            ],
        },
    }


def _arguments(arguments: Mapping[str, Any], *, needs_key: bool = True) -> tuple[str, int]:
    for name in arguments:
        if name not in ("key", "limit"):
            raise RefusedArgumentError(f"unknown argument: {name[:64]}")
    key, limit = arguments.get("key", ""), arguments.get("limit", limits.IPC_RECALL_BLOCKS)
    if not isinstance(key, str) or (needs_key and not key):
        raise RefusedArgumentError("key: expected text")
    most = limits.IPC_RECALL_BLOCKS
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= most:
        raise RefusedArgumentError(f"limit: expected a whole number from 1 to {most}")
    return key, limit


def _reading(read: Callable[[], Read]) -> Read:
    from covey import _core

    try:
        return read()
    except _core.CoreError as error:
        if error.reason == "invalid_id":
            raise IpcError("no content key: keys begin with cmb-", code="unknown_block") from error
        raise StoreError(error.detail, code=error.reason) from error
