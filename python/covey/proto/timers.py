"""Deadlines of one engine: set, moved, cancelled by key; the earliest is what the shell waits for.

Moving a deadline later costs a dictionary write: the heap keeps the old, earlier entry and looks again
when it comes up. A heartbeat that moves with every read stays cheap this way.
"""

from __future__ import annotations

import heapq

Key = tuple[str, int | str]


class Timers:
    """A set of deadlines in monotonic seconds."""

    __slots__ = ("_heap", "_order", "_queued", "_wanted")

    def __init__(self) -> None:
        self._wanted: dict[Key, float] = {}
        self._queued: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._order = 0

    def set(self, key: Key, deadline: float) -> None:
        """Want `key` at `deadline`, instead of when it was wanted before."""
        self._wanted[key] = deadline
        queued = self._queued.get(key)
        if queued is None or deadline < queued:
            self._push(key, deadline)

    def cancel(self, key: Key) -> None:
        """Want `key` no more."""
        self._wanted.pop(key, None)

    def wanted(self, key: Key) -> float | None:
        """Return when `key` is wanted, or None."""
        return self._wanted.get(key)

    def next(self) -> float | None:
        """Return the earliest instant at which something may be due, or None when nothing waits."""
        if not self._wanted:
            return None
        while self._heap and self._queued.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[Key]:
        """Take out and return every key whose deadline has come, earliest first."""
        found: list[Key] = []
        while self._heap and self._heap[0][0] <= now:
            at, _, key = heapq.heappop(self._heap)
            if self._queued.get(key) != at:
                continue  # an earlier entry replaced this one
            del self._queued[key]
            wanted = self._wanted.get(key)
            if wanted is None:
                continue
            if wanted <= now:
                del self._wanted[key]
                found.append(key)
            else:
                self._push(key, wanted)
        return found

    def _push(self, key: Key, deadline: float) -> None:
        self._order += 1
        self._queued[key] = deadline
        heapq.heappush(self._heap, (deadline, self._order, key))
