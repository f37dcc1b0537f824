"""What safety decided, counted by reason and with the latest in full: what `status` shows of it.

Rules: pure. A decision is a note of the record that carries a reason; each is counted, so that a sum over the
record and a look at `status` never differ.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import field
from typing import Any

from covey.limits import AGENT_DECISION_WORDS, AGENT_DECISIONS
from covey.values import dataclass

_NO_DECISIONS = frozenset({"run-ended", "settled"})
_OTHER = ("other", "other")


@dataclass(slots=True)
class Decisions:
    """Counts by event and reason, and the latest decisions."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    latest: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=AGENT_DECISIONS))

    def take(self, event: str, facts: dict[str, Any], wall_ms: int) -> None:
        """Count a note, where it is a decision."""
        reason = facts.get("reason")
        if not reason or event in _NO_DECISIONS:
            return
        place = (event, str(reason))
        if place not in self.counts and len(self.counts) >= AGENT_DECISION_WORDS:
            place = _OTHER
        self.counts[place] += 1
        detail = str(facts.get("detail") or "")[:200]
        self.latest.append({"at_ms": wall_ms, "event": event, "reason": str(reason), "detail": detail})

    def as_dict(self) -> dict[str, dict[str, int]]:
        """Return how often each event had each reason."""
        shown: dict[str, dict[str, int]] = {}
        for (event, reason), count in sorted(self.counts.items()):
            shown.setdefault(event, {})[reason] = count
        return shown
