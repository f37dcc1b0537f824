"""The wake budget: how often a peer may wake in any minute, hour and day.

Rules: pure; time comes in. Windows slide over monotonic time, so a changed wall clock neither opens nor
closes them, and neither does one that is changed while the peer is down: `state.away_ms` says how a restart
is bridged. Nothing is consumed by a refusal.
"""

from __future__ import annotations

from bisect import bisect_right
from enum import Enum

from covey.limits import WAKE_SOFT_RATIO
from covey.safety import state
from covey.values import dataclass

_NAME = "wake-budget"


class Window(Enum):
    """A window of the budget: its length in milliseconds and what running out of it is called."""

    MINUTE = (60_000, "burst")
    HOUR = (3_600_000, "sustained")
    DAY = (86_400_000, "daily")

    @property
    def length_ms(self) -> int:
        """Return the window's length in milliseconds."""
        return self.value[0]

    @property
    def reason(self) -> str:
        """Return the word for a refusal by this window."""
        return self.value[1]

    @property
    def word(self) -> str:
        """Return the window's name in logs: minute, hour, day."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class WakeCounts:
    """Wakes in the last minute, hour and day."""

    minute: int
    hour: int
    day: int


@dataclass(frozen=True, slots=True)
class WakeAllowed:
    """The wake is counted. `nearly_used` names a window that this very wake brought to four fifths."""

    counts: WakeCounts
    nearly_used: Window | None


@dataclass(frozen=True, slots=True)
class WakeDenied:
    """The wake is not counted; it may be tried again after `retry_in_s` seconds."""

    window: Window
    counts: WakeCounts
    retry_in_s: float

    @property
    def reason(self) -> str:
        """Return burst, sustained or daily."""
        return self.window.reason


class WakeBudget:
    """Counts wakes in three sliding windows.

    Args:
        per_minute: Most wakes in any minute; at least 1.
        per_hour: Most wakes in any hour.
        per_day: Most wakes in any day.
    """

    def __init__(self, per_minute: int, per_hour: int, per_day: int) -> None:
        self.caps = {Window.MINUTE: per_minute, Window.HOUR: per_hour, Window.DAY: per_day}
        self._wakes_ms: list[int] = []  # ascending, monotonic milliseconds, none older than a day
        self._latest_ms = 0

    def take(self, now: float) -> WakeAllowed | WakeDenied:
        """Count one wake if every window has room for it.

        Args:
            now: Monotonic seconds.
        """
        now_ms = self._advance(now)
        for window, cap in self.caps.items():
            count = self._count(window, now_ms)
            if count >= cap:
                leaves_ms = self._wakes_ms[len(self._wakes_ms) - cap] + window.length_ms
                return WakeDenied(window, self._counts(now_ms), (leaves_ms - now_ms + 1) / 1000)
        self._wakes_ms.append(now_ms)
        return WakeAllowed(self._counts(now_ms), self._newly_soft(now_ms))

    def counts(self, now: float) -> WakeCounts:
        """Return the counts without consuming anything."""
        return self._counts(self._advance(now))

    def export(self, moment: state.Moment) -> bytes:
        """Return what must survive a restart, as of `moment`."""
        now_ms = self._advance(moment.monotonic)
        ages_ms = [now_ms - wake for wake in self._wakes_ms]
        return state.pack(_NAME, {**state.stamp(moment), "ages_ms": ages_ms})

    def restore(self, raw: bytes, moment: state.Moment) -> None:
        """Take over the wakes of an earlier run, aged by the time that passed since.

        Raises:
            StoreError: The document cannot be read; the budget is as it was.
        """
        content = state.unpack(_NAME, raw)
        away_ms = state.away_ms(_NAME, content, moment)
        ages_ms = state.wholes(_NAME, content, "ages_ms")
        now_ms = self._advance(moment.monotonic)
        earlier = [now_ms - age - away_ms for age in ages_ms]
        self._wakes_ms = sorted([*earlier, *self._wakes_ms])
        self._advance(moment.monotonic)

    def _advance(self, now: float) -> int:
        """Return the moment in milliseconds, never an earlier one than before; forget what left the day."""
        self._latest_ms = max(self._latest_ms, int(now * 1000))
        gone = bisect_right(self._wakes_ms, self._latest_ms - Window.DAY.length_ms)
        del self._wakes_ms[:gone]
        return self._latest_ms

    def _count(self, window: Window, now_ms: int) -> int:
        # A wake exactly one window old is out (feature notes §6).
        return len(self._wakes_ms) - bisect_right(self._wakes_ms, now_ms - window.length_ms)

    def _counts(self, now_ms: int) -> WakeCounts:
        return WakeCounts(*(self._count(window, now_ms) for window in Window))

    def _newly_soft(self, now_ms: int) -> Window | None:
        """Return the first window that the latest wake, and no earlier one, brought over the soft line."""
        for window, cap in self.caps.items():
            count, line = self._count(window, now_ms), cap * WAKE_SOFT_RATIO
            if count - 1 < line <= count:
                return window
        return None
