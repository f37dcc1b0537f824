"""The admission path: a batch of records through the native intake and the store, to its end.

Nothing is told to anyone before it is durable. A store failure takes the batch back out of memory, so
that the same records are judged again when they come again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from covey import limits
from covey.proto.effects import Store
from covey.proto.inbox import Origin
from covey.proto.turn import Turn
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.link import Link


@dataclass(slots=True)
class Batch:
    """One judged batch on its way to the store.

    `counts` are its outcomes by kind.
    `durable` turns True when it may be told; `held` are positions the store knew from long ago.
    `doubtful`: a batch before it failed, and a duplicate in it may mean a record that was taken back.
    """

    token: int
    link: int
    origin: Origin
    outcomes: _core.OutcomeBatch
    size: int
    size_bytes: int
    counts: dict[str, int]
    durable: bool = False
    held: frozenset[int] = frozenset()
    doubtful: bool = False


class Admission:
    """What has been judged and not yet told, in the order it was judged."""

    def __init__(self, intake: _core.Intake) -> None:
        self._intake = intake
        self._order: deque[Batch] = deque()
        self._by_token: dict[int, Batch] = {}
        self._records = 0
        self._of: dict[str, int] = {}
        """Records by whose session they came."""

    def __len__(self) -> int:
        return len(self._order)

    def room(self, node_id: str, *, again: bool = False) -> bool:
        """Tell whether a peer may bring more before the store has caught up; `again`, after it could not.

        Nobody may have more on its way than there is still room for. So one peer has half of it at most, two
        have a third each, and there always is some for the next: who floods makes itself wait, nobody else.
        """
        free = limits.PENDING_RECORDS - self._records
        held = self._of.get(node_id, 0)
        return held <= free // 2 if again else held < free

    def judge(
        self,
        link: Link,
        batch: _core.RecordBatch,
        origin: Origin,
        token: int,
        turn: Turn,
        attend: Callable[[_core.OutcomeBatch, Origin], _core.Attention | None],
    ) -> bool:
        """Evaluate one batch; ask for its storage under `token`, with what `attend` knows of its blocks.

        Returns:
            Whether there is nothing to be stored, so that it may be told at once.
        """
        size_bytes = batch.size_bytes
        outcomes = self._intake.evaluate(
            batch, session_node_id=origin.node_id, now_ms=turn.now.wall_ms, entropy=turn.draw()
        )
        counts = outcomes.counts
        judged = Batch(token, link.id, origin, outcomes, len(outcomes), size_bytes, counts)
        self._order.append(judged)
        self._by_token[token] = judged
        self._records += judged.size
        self._of[origin.node_id] = self._of.get(origin.node_id, 0) + judged.size
        judged.durable = counts["duplicate"] == judged.size  # they change nothing that is stored
        if not judged.durable:
            turn.add(Store(token, outcomes, turn.now.wall_ms, attend(outcomes, origin)))
        return judged.durable

    def stored(self, token: int, held: frozenset[int]) -> bool:
        """Take the store's answer; tell whether the token was a batch's."""
        batch = self._by_token.get(token)
        if batch is None:
            return False
        batch.durable = True
        batch.held = held
        return True

    def failed(self, token: int, reason: str, turn: Turn) -> Batch | None:
        """Take the store's refusal: the batch never happened. None where the token was no batch's."""
        batch = self._by_token.pop(token, None)
        if batch is None:
            return None
        self._intake.rollback(batch.outcomes)
        self._order.remove(batch)
        self._left(batch)
        for later in self._order:
            later.doubtful = True
        turn.count("store.failed")
        turn.count("records.rolled_back", batch.size)
        turn.log("error", "store-failed", reason=reason, records=batch.size, peer=batch.origin.name)
        return batch

    def settled(self) -> list[Batch]:
        """Take out the batches that may be told now: durable ones with nothing undecided before them."""
        ready: list[Batch] = []
        while self._order and self._order[0].durable:
            batch = self._order.popleft()
            del self._by_token[batch.token]
            self._left(batch)
            ready.append(batch)
        return ready

    def _left(self, batch: Batch) -> None:
        self._records -= batch.size
        left = self._of.pop(batch.origin.node_id) - batch.size
        if left:
            self._of[batch.origin.node_id] = left
