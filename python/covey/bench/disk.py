"""What the disk takes to keep one small write: beside it a block's delay can be read."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from typing import IO, Final

from covey.bench.stations import SHARES
from covey.bench.stats import percentile

_WRITES: Final = 200
_BYTES: Final = 12 * 1024
"""A small write: a commit of one block writes two to four times as much to a store's log."""
_REST_SECONDS: Final = 0.004
"""Between two writes of those that do not follow at once."""


def facts() -> dict[str, float]:
    """Return percentiles in microseconds of writing over bytes of a file, durably, as `disk p50`.

    `disk rested` is of writes with a rest before each, as a block comes to a peer: many a disk, and the host
    of most virtual ones, takes longer for a write that does not follow another.
    """
    taken: dict[str, list[float]] = {"disk": [], "disk rested": []}
    with tempfile.TemporaryFile(prefix="covey-bench-") as file:
        fill(file, _WRITES)
        for number in range(_WRITES):
            taken["disk"].append(write(file, number))
        asyncio.run(_rested(file, taken["disk rested"]))
    return {
        f"{name} {word}": percentile(samples, share) * 1e6
        for name, samples in taken.items()
        for word, share in SHARES.items()
    }


async def _rested(file: IO[bytes], taken: list[float]) -> None:
    for number in range(_WRITES):
        await asyncio.sleep(_REST_SECONDS)
        taken.append(write(file, number))


def fill(file: IO[bytes], writes: int) -> None:
    """Make room for so many writes: to write over bytes changes no length."""
    file.write(bytes(writes * _BYTES))
    file.flush()
    os.fsync(file.fileno())


def write(file: IO[bytes], number: int) -> float:
    """Write over one place durably; return the seconds that the disk took."""
    sync = getattr(os, "fdatasync", os.fsync)
    os.lseek(file.fileno(), number * _BYTES, os.SEEK_SET)
    os.write(file.fileno(), b"x" * _BYTES)
    began = time.perf_counter()
    sync(file.fileno())
    return time.perf_counter() - began
