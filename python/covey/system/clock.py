"""The machine's clocks behind the Clock port."""

from __future__ import annotations

import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """Wall time for signed timestamps and storage, monotonic time for timers."""

    __slots__ = ()

    def now_ms(self) -> int:
        """Return wall-clock milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000

    monotonic = staticmethod(time.monotonic)
    """Returns seconds on a clock that never goes back; its zero means nothing."""

    def era(self) -> str:
        """Return a name of the boot whose monotonic clock this is; empty where the system has none to give.

        Two readings of `monotonic` by any processes of one era can be compared.
        """
        try:
            return _BOOT_ID.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""
