"""What a soak says of its points: a line's slope with its interval, and whether a peer grows."""

import pytest

from benches.soak import BLOCKS_A_DAY, LEAST_BLOCKS, MOST_HELD, CountingClock, Soaked, slope, told
from benches.targets.long import forgotten, left
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


def test_steps_that_a_larger_store_leaves_in_memory_do_not_pass():
    """The last tenths of a run of ten million whose memory stepped up once, with its store."""
    came = [4_014_616, 5_015_026, 6_024_958, 7_010_811, 8_044_976, 9_016_459, 10_000_000]
    found = slope(came, [120_400_000, 120_600_000, 120_700_000, 120_700_000, *[125_000_000] * 3])
    assert (found.each, found.low, found.high) == pytest.approx((0.97, 0.38, 1.55), abs=0.01)
    assert not found.bounded


def test_other_than_seven_points_are_refused():
    with pytest.raises(ValueError, match="needs 7 points"):
        slope(BLOCKS[:3], [1, 2, 3])
    with pytest.raises(ValueError, match="needs 7 points"):
        slope(BLOCKS, [1, 2, 3])


def test_a_day_passes_with_so_many_blocks():
    clock = CountingClock()
    began = clock.now_ms()
    clock.admitted = 3 * BLOCKS_A_DAY
    assert clock.now_ms() == began + 3 * DAY_MS


def soaked(held: list[int], *, blocks: int = 1_000_000) -> Soaked:
    """What a peer that leaves nothing in memory and on disk says, with so many blocks held."""
    points = tuple((blocks * tenth // 10, 60_000_000 + tenth % 2) for tenth in range(1, 11))
    return Soaked(points, (260_000_000,) * 10, tuple(held))


def test_what_is_held_goes_up_and_down_while_passes_go():
    found = soaked([62_008, 84_312, 106_132, 71_540, 98_002, 66_919, 103_377, 80_064, 95_120, 77_808])
    lines: list[str] = []
    assert told(found, lines.append) == 0
    assert len(lines) == 1
    assert [row.state for row in forgotten(1_000_000, found)] == ["met", "met"]


def test_forgetting_that_falls_behind_fails_a_soak():
    found = soaked([60_000, 95_000, 160_000, *range(231_000, 1_012_843, 130_307)], blocks=1_700_000)
    lines: list[str] = []
    assert told(found, lines.append) == 1
    assert lines[1:] == [
        "soak: forgetting falls behind: 1,012,842 blocks held, 200,000 at most: 50,000 are kept",
        "soak: forgetting falls behind: from 231,000 to 1,012,842 blocks held over the last tenths, "
        "of those that come 76.7% stay at least",
    ]
    assert [row.state for row in forgotten(1_000_000, found)] == ["NOT MET", "NOT MET"]


def test_what_is_held_fails_a_soak_by_its_bound_and_by_growing():
    above = soaked([60_000] * 6 + [MOST_HELD + 1] + [60_000] * 3)
    assert [row.state for row in forgotten(1_000_000, above)] == ["NOT MET", "met"]
    early = soaked([60_000, 60_000, MOST_HELD + 1, *[60_000] * 7])
    assert list(early.troubles()) == [], "the first tenths fill what has a bound"
    grows = soaked([60_000 + 3_000 * tenth for tenth in range(10)])
    (said,) = grows.troubles()
    assert said.endswith(
        "from 69,000 to 87,000 blocks held over the last tenths, of those that come 3.0% stay at least"
    )
    assert told(grows, lambda _: None) == 1


def test_a_store_that_grows_and_too_few_blocks_are_still_told():
    found = Soaked(soaked([60_000] * 10).points, (200_000_000,) * 9 + (301_000_000,), (60_000,) * 10)
    assert list(found.troubles()) == ["the store grows: 301 MB, 200 before"]
    lines: list[str] = []
    assert told(soaked([60_000] * 10, blocks=LEAST_BLOCKS - 10), lines.append) == 0
    assert lines == ["soak: too few blocks to say: 500,000 at least"]
