"""The machine's clocks behind the Clock port."""

from __future__ import annotations

import time


class SystemClock:
    """Wall time for signed timestamps and storage, monotonic time for timers."""

    __slots__ = ()

    def now_ms(self) -> int:
        """Return wall-clock milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back; its zero means nothing."""
        return time.monotonic()
