from __future__ import annotations

import time

from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy


def test_the_clock_reads_milliseconds_since_the_epoch_and_never_goes_back() -> None:
    clock = SystemClock()
    assert abs(clock.now_ms() - time.time() * 1000) < 2_000
    readings = [clock.monotonic() for _ in range(1000)]
    assert readings == sorted(readings)


def test_entropy_gives_as_many_bytes_as_asked_for_and_never_the_same() -> None:
    entropy = SystemEntropy()
    assert [len(entropy.bytes(count)) for count in (0, 1, 64)] == [0, 1, 64]
    assert len({entropy.bytes(16) for _ in range(100)}) == 100
