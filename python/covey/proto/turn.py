"""One turn of the engine: the instant it happens at, the entropy it was handed, the effects it leaves."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from covey import limits
from covey.proto.effects import Count, Effect, Level, Log, Now


class Turn:
    """Collects what one `handle` call wants done. Counts of one name are merged into one effect.

    Args:
        now: The reading of both clocks this turn happens at.
        entropy: Unpredictable bytes that came with the event; empty where the event needs none.
        watched: Somebody listens to news; what nobody hears need not be built, only counted.
    """

    __slots__ = ("_counts", "_drawn", "_effects", "_entropy", "add", "now", "watched")

    add: Callable[[Effect], None]
    """Want one more thing done, after what was wanted before."""

    def __init__(self, now: Now, entropy: bytes = b"", *, watched: bool = True) -> None:
        self.now = now
        self.watched = watched
        self._effects: list[Effect] = []
        self.add = self._effects.append
        self._counts: dict[str, int] = {}
        self._entropy = entropy
        self._drawn = 0

    def count(self, name: str, by: int = 1) -> None:
        """Count something that happened."""
        if by:
            counts = self._counts
            counts[name] = counts[name] + by if name in counts else by

    def log(self, level: Level, event: str, **facts: Any) -> None:
        """Leave a log line."""
        self._effects.append(Log(level, event, facts))

    def draw(self) -> bytes:
        """Return 32 bytes nobody could predict before this event; each call gives others."""
        self._drawn += 1
        number = self._drawn.to_bytes(4, "big")
        return blake2b(self._entropy, digest_size=32, salt=number, person=b"covey-turn-v1").digest()

    def jitter(self) -> float:
        """Return a number in [0, 1) from the event's entropy."""
        return int.from_bytes(self.draw()[:6], "big") / float(1 << 48)

    def effects(self) -> list[Effect]:
        """Return everything wanted: the ordered effects, then the counts."""
        return [*self._effects, *map(_counted, self._counts, self._counts.values())]


@lru_cache(maxsize=limits.COUNTS_KEPT)
def _counted(name: str, by: int) -> Count:
    """Return a count; the same few are wanted at every turn, and are made once."""
    return Count(name, by)
