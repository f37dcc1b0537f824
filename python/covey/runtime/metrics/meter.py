"""What a running agent's notes add to metrics: how long calls and answers took, and which events came.

Rules: fed with notes on the loop's thread; keeps sums, never a block's text, and of open wakes a bounded
number. What is counted elsewhere (the ledger, the node's counters) is not counted here a second time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from covey import limits
from covey.ports import Clock
from covey.runtime.metrics.page import Histogram, Page

WITHOUT_BLOCK: Final = frozenset(
    {
        "wake-ended",
        "wake-kept",
        "no-answer",
        "call-spared",
        "answer-held-back",
        "answer-quarantined",
        "answer-unreadable",
        "emission-duplicate",
        "emission-refused",
    }
)
"""The notes that end a wake without a block."""
CALL_BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 120.0, 300.0)
"""Seconds of a model call: from a scripted one to the longest that is waited for."""
ANSWER_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, *CALL_BOUNDS[1:], 600.0)
"""Seconds from a wake to what ends it; a scripted answer takes milliseconds, deferral makes minutes."""


class Meter:
    """One agent's timings.

    Args:
        clock: Monotonic time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}
        self._calls = Histogram(CALL_BOUNDS)
        self._answers = Histogram(ANSWER_BOUNDS)
        self._events: Counter[tuple[str, str]] = Counter()

    def take(self, level: str, event: str, facts: Mapping[str, Any]) -> None:
        """Take one note."""
        self._events[event, level] += 1
        if event == "woke":
            for key in facts["keys"]:
                self._since[key] = self._clock.monotonic()
            while len(self._since) > limits.AGENT_WOKEN:
                del self._since[next(iter(self._since))]
        elif event == "model-replied":
            self._calls.observe(facts["seconds"])
        elif event == "emitted":
            since = self._taken(facts["parents"])
            if since:
                self._answers.observe(self._clock.monotonic() - min(since))
        elif event in WITHOUT_BLOCK:
            self._taken(facts.get("keys") or ())

    def say(self, page: Page) -> None:
        """Put what was seen on a page."""
        page.histogram(
            "covey_agent_model_call_seconds", "time of a model call that was answered", self._calls
        )
        page.histogram(
            "covey_agent_answer_seconds", "time from a wake to its block, model included", self._answers
        )
        for (event, level), count in sorted(self._events.items()):
            page.counter(
                "covey_agent_events_total", "lines of the agent's record", count, event=event, level=level
            )

    def _taken(self, keys: Iterable[str]) -> list[float]:
        return [self._since.pop(key) for key in keys if key in self._since]
