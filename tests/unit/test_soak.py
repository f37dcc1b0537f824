"""What a soak says of its points: a line's slope with its interval, and whether a peer grows."""

import pytest

from benches.soak import BLOCKS_A_DAY, CountingClock, slope
from benches.targets.long import left
from covey.runtime.memory_book import DAY_MS

BLOCKS = [100_000 * tenth for tenth in range(4, 11)]


def test_a_peer_that_stays_as_it_is_has_no_slope():
    resident = [60_000_000 + wobble for wobble in (0, 9_000, -7_000, 2_000, -9_000, 8_000, -3_000)]
    found = slope(BLOCKS, resident)
    assert found.low < 0.0 < found.high
    assert found.bounded


def test_a_peer_that_keeps_forty_bytes_of_each_block_grows():
    resident = [60_000_000 + 40 * blocks + blocks % 3 for blocks in BLOCKS]
    found = slope(BLOCKS, resident)
    assert found.each == pytest.approx(40.0, abs=0.1)
    assert found.low <= found.each <= found.high
    assert not found.bounded


def test_a_slope_that_was_measured_too_loosely_is_not_shown_to_be_bounded():
    resident = [
        60_000_000 + wobble for wobble in (0, 900_000, -700_000, 200_000, -900_000, 800_000, -300_000)
    ]
    found = slope(BLOCKS, resident)
    assert found.low < 0.0 < 1.0 < found.high
    assert not found.bounded
    row = left(1_000_000, found)
    assert (row.figure, row.state) == (found.high, "NOT MET")


def test_other_than_seven_points_are_refused():
    with pytest.raises(ValueError, match="seven points"):
        slope(BLOCKS[:3], [1, 2, 3])


def test_a_day_passes_with_so_many_blocks():
    clock = CountingClock()
    began = clock.now_ms()
    clock.admitted = 3 * BLOCKS_A_DAY
    assert clock.now_ms() == began + 3 * DAY_MS
