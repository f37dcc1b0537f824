"""What the disk takes to keep one small write: beside it a block's delay can be read."""

from __future__ import annotations

import os
import tempfile
import time
from typing import Final

from covey.bench.stations import SHARES
from covey.bench.stats import percentile

_WRITES: Final = 200
_BYTES: Final = 12 * 1024
"""About what one block writes to a store's log."""


def facts() -> dict[str, float]:
    """Return percentiles in microseconds of writing over bytes of a file, durably, as `disk p50`."""
    sync = getattr(os, "fdatasync", os.fsync)
    taken = []
    with tempfile.TemporaryFile(prefix="covey-bench-") as file:
        file.write(bytes(_WRITES * _BYTES))
        file.flush()
        os.fsync(file.fileno())
        for number in range(_WRITES):
            os.lseek(file.fileno(), number * _BYTES, os.SEEK_SET)
            os.write(file.fileno(), b"x" * _BYTES)
            began = time.perf_counter()
            sync(file.fileno())
            taken.append(time.perf_counter() - began)
    return {f"disk {word}": percentile(taken, share) * 1e6 for word, share in SHARES.items()}
