"""One scope as a peer holds it: its replica, what others said of theirs, what was sent and not answered."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from covey import limits
from covey.proto.state import wants
from covey.proto.state.scopes import Scope
from covey.values import dataclass

if TYPE_CHECKING:
    from covey._core import AuthorKeys, StateMap, VectorClock


@dataclass(frozen=True, slots=True)
class Told:
    """What a peer last said of its replica."""

    digest: bytes
    seen: VectorClock
    at_ms: int


@dataclass(slots=True)
class Sent:
    """What was sent to a peer that had said it had seen `have`."""

    have: VectorClock
    until: float
    stalls: int = 0


@dataclass(slots=True, eq=False)
class Held:
    """A scope and its replica. Values that change; the rules stand in the rooms beside this one."""

    scope: Scope
    map: StateMap
    keys: AuthorKeys
    """Whose operations are believed here."""
    told: dict[str, Told] = field(default_factory=dict)
    sent: dict[str, Sent] = field(default_factory=dict)
    asked: dict[str, float] = field(default_factory=dict)
    """By peer: not before when it is told again where we stand."""
    diverged: dict[str, int] = field(default_factory=dict)
    """By peer: since when both have seen the same and hold something else, in wall milliseconds."""
    repaired: dict[str, float] = field(default_factory=dict)
    """By peer: not before when the ranges are compared again."""
    gone: set[str] = field(default_factory=set)
    """Authors that the operator declared gone; who comes back is a member again."""
    keyed: set[str] = field(default_factory=set)
    """Authors whose keys lie on disk beside their operations."""
    number: int = 0
    """The last write to the store that concerns it."""
    rows: int = 0
    row_bytes: int = 0
    snapshot_bytes: int = 0
    _digest: tuple[int, bytes] | None = None
    version: int = 0
    """Counts the changes."""

    @property
    def most_bytes(self) -> int:
        """Return how many bytes of operations it may hold."""
        return limits.STATE_AGENT_BYTES if self.scope.owner else limits.STATE_REPLICA_BYTES

    def digest(self) -> bytes:
        """Return what this replica says of itself; computed once for each change."""
        if self._digest is None or self._digest[0] != self.version:
            self._digest = (self.version, self.map.digest())
        return self._digest[1]

    def note(self, node_id: str, told: Told) -> None:
        """Keep what a peer says of its replica, in place of what it said before; the oldest go."""
        self.told.pop(node_id, None)
        self.told[node_id] = told
        while len(self.told) > limits.STATE_TOLD:
            oldest = next(iter(self.told))
            del self.told[oldest]
            self.diverged.pop(oldest, None)

    def changed(self) -> None:
        """Take note that the replica is not what it was."""
        self.version += 1

    def loaded(self, kind: int, size: int) -> None:
        """Take note of a row that lies on disk."""
        if kind == wants.SNAPSHOT:
            self.rows = self.row_bytes = 0
            self.snapshot_bytes = size
        else:
            self.rows += 1
            self.row_bytes += size

    @property
    def long(self) -> bool:
        """Tell whether a snapshot should take the place of what lies on disk."""
        most = max(limits.STATE_ROW_BYTES, 2 * self.snapshot_bytes)
        return self.rows >= limits.STATE_ROWS or self.row_bytes > most

    def forget(self, node_id: str) -> None:
        """Drop what only matters while a peer is here; what it said last stays."""
        for kept in (self.sent, self.asked, self.repaired):
            kept.pop(node_id, None)
