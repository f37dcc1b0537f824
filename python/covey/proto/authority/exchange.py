"""What is under way with one peer about authority: what it may cost, what waits, what is asked.

Values that change, no rule beyond their own upkeep; the rules stand in `engine`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import field
from typing import TYPE_CHECKING

from covey import limits
from covey.proto.link import Lane
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core


@dataclass(slots=True)
class Pull:
    """A reading of the peer's whole live set, page by page."""

    after: str = ""
    tries: int = 0
    again: bool = False
    """Its set changed meanwhile: start over when this one is through."""


@dataclass(slots=True)
class Ask:
    """A question that has no answer yet, and what its answer may still cost."""

    request: str
    left: int
    ids: tuple[str, ...] = ()


@dataclass(slots=True)
class Pending:
    """A statement whose grant is not held yet, until it is or its time is over."""

    statement: _core.Statement
    missing: str
    until: float


@dataclass(frozen=True, slots=True)
class Question:
    """What a peer asks: statements by ids, or the page after a cursor."""

    request: str
    ids: tuple[str, ...] | None
    cursor: str


@dataclass(slots=True)
class Exchange:
    """One peer's side of the conversation."""

    lane: Lane = field(
        default_factory=lambda: Lane(limits.AUTHORITY_CHECKS_PER_SECOND, limits.AUTHORITY_CHECKS_BURST)
    )
    """In signature checks: what its statements may cost."""
    serving: Lane = field(
        default_factory=lambda: Lane(limits.AUTHORITY_ANSWERS_PER_SECOND, limits.AUTHORITY_ANSWERS_BURST)
    )
    questions: deque[Question] = field(default_factory=deque)
    pending: dict[str, Pending] = field(default_factory=dict)
    ask: Ask | None = None
    pull: Pull | None = None
    pulled: bool = False
    """A pull is through, and what it brought is not settled yet."""
    root: str | None = None
    """What it said last."""
    told_at: float | None = None
    """When it got our last digest."""
    repull_seconds: float = limits.AUTHORITY_REPULL_FIRST_SECONDS
    failures: int = 0
    failing_since: float = 0.0
    due: dict[str, float] = field(default_factory=dict)
    """Deadlines of this conversation by what they are for."""

    def failed(self, now: float) -> bool:
        """Note a statement that did not hold; tell whether it is the first of its window."""
        if now - self.failing_since >= limits.AUTHORITY_MUTE_SECONDS:
            self.failures, self.failing_since = 0, now
        self.failures += 1
        return self.failures == 1

    def muted(self, now: float) -> bool:
        """Tell whether it delivered too much that does not hold to be listened to now."""
        recent = now - self.failing_since < limits.AUTHORITY_MUTE_SECONDS
        return recent and self.failures >= limits.AUTHORITY_FAILURES

    def misses(self) -> list[str]:
        """Return the grants its pending statements miss, each once."""
        return list(dict.fromkeys(each.missing for each in self.pending.values()))

    def seconds_until(self, checks: int) -> float:
        """Return how long until its lane holds so many checks; 0 when it does now."""
        wait = (checks - self.lane.tokens) / self.lane.rate
        return wait if wait > 1e-6 else 0.0
