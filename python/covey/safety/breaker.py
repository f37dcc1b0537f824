"""The circuit breaker: after failures in a row the model is left alone, then asked once.

    closed ──5th failure in a row──▶ open ──60 s, or what the vendor asked for──▶ half-open
      ▲  ▲                            ▲                                             │
      │  └──any success               └──────────the one probe fails────────────────┤
      └───────────────────────────────────────the one probe succeeds────────────────┘

Rules: pure; time comes in. Half-open lets exactly one call through. Every failure starts a pause (1, 2, 4 …
30 s, or the vendor's Retry-After where longer), so that "later" is never "at once".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from covey import limits


class BreakerState(StrEnum):
    """Where the breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class Go:
    """The call may be made; `probe` says that much depends on it. Report success, failure or abandoned."""

    probe: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """The call may not be made now. `reason` is open, probing or backoff."""

    reason: str
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class BreakerView:
    """What status shows."""

    state: BreakerState
    failures: int
    retry_in_s: float


class Breaker:
    """Decides, before each model call, whether to make it.

    Args:
        threshold: Failures in a row that open it.
        reset_s: Seconds it stays open before one probe.
    """

    def __init__(
        self, *, threshold: int = limits.BREAKER_FAILURES, reset_s: float = limits.BREAKER_RESET_SECONDS
    ) -> None:
        self._threshold = threshold
        self._reset_s = reset_s
        self._failures = 0
        self._tripped = False
        self._not_before = 0.0
        self._probe_until: float | None = None

    def attempt(self, now: float) -> Go | Wait:
        """Ask for one call.

        Args:
            now: Monotonic seconds.
        """
        if now < self._not_before:
            return Wait("open" if self._tripped else "backoff", self._not_before - now)
        if not self._tripped:
            return Go(probe=False)
        if self._probe_until is not None and now < self._probe_until:
            return Wait("probing", self._probe_until - now)
        # No call outlives the longest timeout; a probe that was never reported does not block for ever.
        self._probe_until = now + limits.MODEL_TIMEOUT_SECONDS
        return Go(probe=True)

    def success(self) -> None:
        """Report an answer: all is forgotten."""
        self._failures, self._tripped, self._not_before, self._probe_until = 0, False, 0.0, None

    def failure(self, now: float, *, retry_after_s: float | None = None) -> None:
        """Report a call that failed.

        Args:
            now: Monotonic seconds.
            retry_after_s: What the vendor asked for; taken up to an hour.
        """
        self._failures += 1
        self._probe_until = None
        self._tripped = self._tripped or self._failures >= self._threshold
        pause_s = self._reset_s if self._tripped else self._backoff_s()
        asked_s = min(max(retry_after_s or 0.0, 0.0), limits.MODEL_RETRY_AFTER_SECONDS)
        self._not_before = max(self._not_before, now + max(pause_s, asked_s))

    def abandoned(self) -> None:
        """Report that a permitted call was not made after all; its probe is free again."""
        self._probe_until = None

    def view(self, now: float) -> BreakerView:
        """Return the state without changing it."""
        wait_s = max(0.0, self._not_before - now)
        if not self._tripped:
            state = BreakerState.CLOSED
        else:
            state = BreakerState.OPEN if wait_s > 0 else BreakerState.HALF_OPEN
        return BreakerView(state, self._failures, wait_s)

    def _backoff_s(self) -> float:
        doublings = min(self._failures - 1, 16)
        return min(limits.BREAKER_BACKOFF_LAST_SECONDS, limits.BREAKER_BACKOFF_FIRST_SECONDS * 2.0**doublings)
