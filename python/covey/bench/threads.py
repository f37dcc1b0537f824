"""What each thread of this process had of the cores, and how long it wanted one, as the system counts it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

_TASKS: Final = Path("/proc/self/task")
"""Linux's; elsewhere there is no such count, and nothing is said."""
_NAMES: Final = {"covey-store": "store", "covey-log": "log"}

Counts = dict[int, tuple[str, int, int]]
"""Of each thread, by its number: its kind, and nanoseconds in which it ran, and could have."""


class Cores:
    """From when on it is counted."""

    def __init__(self) -> None:
        self._began, self._before = time.perf_counter_ns(), _counts()

    def shares(self) -> dict[str, tuple[float, float]]:
        """Return of each kind of thread which part of the time it ran since, and wanted a core; all of a kind
        together. What ended meanwhile is left out. The system counts a running thread at its ticks (up to
        10 ms apart), so that of less than some tenths of a second this is rough, and may be more than all."""
        took = time.perf_counter_ns() - self._began
        found: dict[str, tuple[float, float]] = {}
        for thread, (kind, ran, waited) in _counts().items():
            _, ran_before, waited_before = self._before.get(thread, (kind, 0, 0))
            ran_all, waited_all = found.get(kind, (0.0, 0.0))
            found[kind] = (
                ran_all + (ran - ran_before) / took,
                waited_all + (waited - waited_before) / took,
            )
        return found


def _counts() -> Counts:
    try:
        threads = list(_TASKS.iterdir())
    except OSError:
        return {}
    found: Counts = {}
    for thread in threads:
        try:
            name = (thread / "comm").read_text().strip()
            ran, waited, _ = (thread / "schedstat").read_text().split()
        except (OSError, ValueError):
            continue  # it has ended, or the system does not count
        kind = "loop" if int(thread.name) == os.getpid() else _NAMES.get(name, "others")
        found[int(thread.name)] = (kind, int(ran), int(waited))
    return found
