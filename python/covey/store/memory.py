"""The Memory port over the native store: blocks as the capability floor reads them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TypeVar, cast

from covey import _core
from covey.hindsight import Feedback, Found, Search
from covey.model import (
    CAT7,
    Basis,
    Block,
    CategoryVerdict,
    Decided,
    Decision,
    Judgement,
    Lifecycle,
    OutboxEntry,
    SendState,
)
from covey.store.opening import store_error

Read = TypeVar("Read")


class StoreMemory:
    """What an agent may read of its own store.

    Args:
        store: The peer's store. Reading never waits for its writer.
        node_id: Whose store it is; `own` is measured by it.

    Every method raises StoreError when the store cannot be read.
    """

    __slots__ = ("_node_id", "_store")

    def __init__(self, store: _core.Store, node_id: str) -> None:
        self._store = store
        self._node_id = node_id

    def block(self, key: str) -> Block | None:
        """Return the stored block with this content key, if held. What is no content key is not held."""
        try:
            held = self._store.record(key)
        except _core.CoreError as error:
            if error.reason == "invalid_id":
                return None
            raise store_error(error) from error
        return None if held is None else block_of(held)

    def recent(self, limit: int, *, own: bool | None = None, room: str | None = None) -> Sequence[Block]:
        """Return stored blocks, newest first; `own` filters by authorship."""
        author = self._node_id if own is True else None
        exclude = self._node_id if own is False else None
        rows = self._read(
            lambda: self._store.recent(limit, author_node_id=author, exclude_node_id=exclude, room=room)
        )
        return [block_of(row) for row in rows]

    def recall(self, query: str, limit: int) -> Sequence[Block]:
        """Return blocks whose text matches, best first; past 1,000 matches the newest first."""
        return [block_of(row) for row in self._read(lambda: self._store.recall(query, limit)).hits]

    def decisions(self, key: str, limit: int) -> Sequence[Decided]:
        """Return what was decided about a block, newest first; nothing about what is no content key."""
        try:
            rows = self._store.decisions(limit, key=key)
        except _core.CoreError as error:
            if error.reason == "invalid_id":
                return []
            raise store_error(error) from error
        return [decided_of(row) for row in rows]

    def keys_from(self, digits: str) -> Sequence[str]:
        """Return at most 8 keys, of blocks held or turned away, that begin with hexadecimal digits."""
        return self._read(lambda: self._store.keys_from(digits))

    def find(self, search: Search, limit: int) -> Found:
        """Return what matches everything that is asked for; the newest first, or the best.

        Raises:
            StoreError: Also for what is no key, nodeId, category or state of a block.
        """
        asked = asdict(search)
        text = asked.pop("text")
        found = self._read(lambda: self._store.memory.find(text, limit, **asked))
        return Found(tuple(block_of(row) for row in found.hits), found.capped)

    def feedback_of(self, key: str, limit: int) -> Sequence[Feedback]:
        """Return what is said of one block, the last stored first."""
        return [feedback_as(row) for row in self._read(lambda: self._store.memory.feedback_of(key, limit))]

    def feedback_for_own(self, limit: int, room: str) -> Sequence[Feedback]:
        """Return what others say of this peer's own blocks of a room, the last stored first."""
        rows = self._read(lambda: self._store.memory.feedback_for_own(room, limit))
        return [feedback_as(row) for row in rows]

    def children(self, key: str) -> Sequence[str]:
        """Return the keys of held blocks that descend from this one directly."""
        return self._read(lambda: self._store.children(key))

    def carried(self, key: str, schema: str) -> bytes | None:
        """Return the application data of a held block, where it is of that schema."""
        kept = self._read(lambda: self._store.record_json(key))
        application = None if kept is None else json.loads(kept)["metadata"].get("application")
        if not application or application["schema"] != schema:
            return None
        data = application["data"]
        return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))

    def author_keys(self) -> Mapping[str, bytes]:
        """Return the raw public key that each nodeId is bound to."""
        return {node_id: key for node_id, key, _, _ in self._read(self._store.bindings)}

    def is_own(self, block: Block) -> bool:
        """Tell whether a block is of whose store this is."""
        return block.node_id == self._node_id

    def outbox(self, limit: int, assertion_id: str | None = None) -> Sequence[OutboxEntry]:
        """Return what was addressed to somebody and has not met its end, oldest first; or one block's."""
        rows = self._read(lambda: self._store.mail.sends(limit, assertion_id=assertion_id))
        if not rows:
            return []
        names = {node_id: name for node_id, _, name, _ in self._read(self._store.bindings)}
        return [
            OutboxEntry(
                node_id=row.node_id,
                name=names.get(row.node_id, ""),
                key=row.key,
                assertion_id=row.assertion_id,
                number=row.number,
                queued_ms=row.queued_ms,
                deadline_ms=row.deadline_ms,
                state=SendState(row.state),
                reason=row.reason,
                closed=row.closed,
            )
            for row in rows
        ]

    def _read(self, read: Callable[[], Read]) -> Read:
        try:
            return read()
        except _core.CoreError as error:
            raise store_error(error) from error


def block_of(row: _core.StoredRecord) -> Block:
    """Return a stored row as a block."""
    return Block(
        key=row.key,
        assertion_id=row.assertion_id,
        node_id=row.node_id,
        author=row.author,
        created_ms=row.created_ms,
        room=row.room,
        to=row.to,
        parents=row.parents,
        categories=row.categories,
        proof=row.proof,
        lifecycle=cast("Lifecycle", row.lifecycle),
    )


def feedback_as(row: _core.FeedbackRow) -> Feedback:
    """Return a stored word about a block."""
    return Feedback(
        seq=row.seq,
        key=row.key,
        assertion_id=row.assertion_id,
        node_id=row.node_id,
        stored_ms=row.stored_ms,
        kind=row.kind,
        target=row.target,
        words=row.words,
    )


def decided_of(row: _core.DecisionRow) -> Decided:
    """Return a kept decision or refusal as a frozen value."""
    said, basis = row.evaluation, row.basis
    refused = Decided(
        row.key, row.at_ms, row.node_id, row.from_node_id, row.kind, row.reason, row.detail or ""
    )
    if said is None:
        return refused
    verdicts = tuple(
        CategoryVerdict(each.name, each.verdict, each.drift, each.nearest, each.weight, each.cause)
        for each in said.categories
    )
    decision = Decision(said.decision)
    return replace(
        refused,
        detail=said.explanation,
        judgement=Judgement(
            decision,
            said.total_drift,
            said.field_drift,
            said.temporal_drift,
            verdicts,
            said.thresholds,
        ),
        basis=None if basis is None else _basis_of(basis),
        thresholds=said.thresholds,
        max_nearest=said.max_nearest_drift,
    )


def _basis_of(basis: _core.Basis) -> Basis:
    nearest = {name: key for name, key in zip(CAT7, basis.nearest, strict=True) if key is not None}
    return Basis(
        basis.path, basis.kernel, basis.anchors, nearest, basis.lineage, basis.grounding, basis.moved
    )
