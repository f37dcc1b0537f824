"""The circuit breaker: after failures in a row the model is left alone, then asked once.

    closed ──5th failure in a row──▶ open ──60 s, or what the vendor asked for──▶ half-open
      ▲  ▲                            ▲                                             │
      │  └──any success               └──────────the one probe fails────────────────┤
      └───────────────────────────────────────the one probe succeeds────────────────┘

Rules: pure; time and chance come in. Half-open lets exactly one call through, and only that probe's end
closes or re-opens: a call from before the trip that ends late moves nothing. Every failure starts a pause
(1, 2, 4 … 30 s, or the vendor's Retry-After where longer, and up to a fifth more by chance, so that peers
that failed together do not come back together); "later" is never "at once".
"""

from __future__ import annotations

from enum import StrEnum

from covey import limits
from covey.values import dataclass


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
    probing: bool = False
    """Half-open, and its one call is under way: nobody else may call."""


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

    def success(self, *, probe: bool = False) -> None:
        """Report an answer. A probe's closes the breaker; a late one from before the trip changes nothing.

        Args:
            probe: What `attempt` said of this call.
        """
        if self._tripped and not probe:
            return
        self._failures, self._tripped, self._not_before, self._probe_until = 0, False, 0.0, None

    def failure(
        self, now: float, *, retry_after_s: float | None = None, probe: bool = False, chance: float = 0.0
    ) -> float:
        """Report a call that failed.

        Args:
            now: Monotonic seconds.
            retry_after_s: What the vendor asked for; taken up to an hour.
            probe: What `attempt` said of this call.
            chance: A random number from 0 to 1: how much of the jitter the pause gets.

        Returns:
            Seconds until the next call may be tried.
        """
        late = self._tripped and not probe
        asked_s = min(max(retry_after_s or 0.0, 0.0), limits.MODEL_RETRY_AFTER_SECONDS)
        pause_s = 0.0
        if not late:
            self._failures += 1
            self._probe_until = None
            self._tripped = self._tripped or self._failures >= self._threshold
            pause_s = self._reset_s if self._tripped else self._backoff_s()
        spread = 1.0 + limits.BREAKER_JITTER * min(max(chance, 0.0), 1.0)
        self._not_before = max(self._not_before, now + max(pause_s, asked_s) * spread)
        return self._not_before - now

    def abandoned(self, *, probe: bool = True) -> None:
        """Report that a permitted call was not made after all; its probe is free again."""
        if probe:
            self._probe_until = None

    def view(self, now: float) -> BreakerView:
        """Return the state without changing it."""
        wait_s = max(0.0, self._not_before - now)
        if not self._tripped:
            state = BreakerState.CLOSED
        else:
            state = BreakerState.OPEN if wait_s > 0 else BreakerState.HALF_OPEN
        probing = (
            state is BreakerState.HALF_OPEN and self._probe_until is not None and now < self._probe_until
        )
        return BreakerView(state, self._failures, wait_s, probing)

    def _backoff_s(self) -> float:
        doublings = min(self._failures - 1, 16)
        return min(limits.BREAKER_BACKOFF_LAST_SECONDS, limits.BREAKER_BACKOFF_FIRST_SECONDS * 2.0**doublings)
