"""What was not believed, kept for a person to read: who wrote it, who brought it, why."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING

from covey import limits
from covey.proto.link import Lane
from covey.values import dataclass

if TYPE_CHECKING:
    from covey._core import MergeReport
    from covey.proto.turn import Turn


@dataclass(frozen=True, slots=True)
class Refusal:
    """One flush, or one frame (`first` is then 0 and `author` empty), that was left out."""

    at_ms: int
    scope: str
    peer: str
    author: str
    first: int
    reason: str
    detail: str


class Refusals:
    """The newest refusals; counters know of all, the log of as many as a person reads."""

    def __init__(self) -> None:
        self._kept: deque[Refusal] = deque(maxlen=limits.STATE_REFUSALS)
        self._logs = Lane(limits.CLOSED_LOGS_PER_SECOND, limits.CLOSED_LOGS_BURST)

    def merged(self, scope: str, peer: str, report: MergeReport, turn: Turn) -> None:
        """Take note of what a merge left out."""
        for author, first, reason, detail in report.refused:
            self.add(scope, peer, reason, detail, turn, author=author, first=first)

    def add(
        self, scope: str, peer: str, reason: str, detail: str, turn: Turn, *, author: str = "", first: int = 0
    ) -> None:
        """Count, keep and log one refusal. The same again is only counted."""
        turn.count(f"state.refused.{reason}")
        told = Refusal(turn.now.wall_ms, scope, peer, author, first, reason, detail[:400])
        same = (scope, author, first, reason)
        if any((kept.scope, kept.author, kept.first, kept.reason) == same for kept in self._kept):
            return
        self._kept.append(told)
        self._logs.refill(turn.now.monotonic)
        if self._logs.wait_seconds() > 0.0:
            turn.count("logs.suppressed")
            return
        self._logs.tokens -= 1.0
        turn.log("warn", "state-refused", **asdict(told))

    def listed(self) -> list[dict[str, object]]:
        """Return what is kept, newest first."""
        return [asdict(refusal) for refusal in reversed(self._kept)]
