"""What a soak says of its points: a line's slope with its interval, and whether a peer grows."""

import pytest

from benches.soak import BLOCKS_A_DAY, CountingClock, slope
from covey.runtime.memory_book import DAY_MS

BLOCKS = [100_000 * tenth for tenth in range(4, 11)]


def test_a_peer_that_stays_as_it_is_has_no_slope():
    resident = [60_000_000 + wobble for wobble in (0, 9_000, -7_000, 2_000, -9_000, 8_000, -3_000)]
    found = slope(BLOCKS, resident)
    assert found.low < 0.0 < found.high
    assert not found.grows


def test_a_peer_that_keeps_forty_bytes_of_each_block_grows():
    resident = [60_000_000 + 40 * blocks + blocks % 3 for blocks in BLOCKS]
    found = slope(BLOCKS, resident)
    assert found.each == pytest.approx(40.0, abs=0.1)
    assert found.low <= found.each <= found.high
    assert found.grows


def test_other_than_seven_points_are_refused():
    with pytest.raises(ValueError, match="seven points"):
        slope(BLOCKS[:3], [1, 2, 3])


def test_a_day_passes_with_so_many_blocks():
    clock = CountingClock()
    began = clock.now_ms()
    clock.admitted = 3 * BLOCKS_A_DAY
    assert clock.now_ms() == began + 3 * DAY_MS
