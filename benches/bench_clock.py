"""Merge two vector clocks of sixteen peers, half of them known to both."""

from covey.core import VectorClock

LEFT = {f"01997c00-0000-7000-8000-{number:012d}": number + 1 for number in range(16)}
RIGHT = {f"01997c00-0000-7000-8000-{number:012d}": 40 - number for number in range(8, 24)}


def merged(left: dict[str, int], right: dict[str, int]) -> dict[str, int]:
    """Merge in pure Python: the higher count of each peer."""
    return {name: max(left.get(name, 0), right.get(name, 0)) for name in left.keys() | right}


def test_merge_core(measure):
    left, right = VectorClock(LEFT), VectorClock(RIGHT)
    assert left.merge(right).entries == merged(LEFT, RIGHT)
    measure("merge two clocks of 16 peers", "covey", lambda: left.merge(right))


def test_merge_python(measure):
    measure("merge two clocks of 16 peers", "pure Python", lambda: merged(LEFT, RIGHT))
