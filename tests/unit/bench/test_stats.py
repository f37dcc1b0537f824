"""Samples, their intervals, and how two runs compare."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.bench.stats import Change, Measure, compare, percentile

SAMPLES = st.lists(st.floats(0.001, 1e9), min_size=1, max_size=60).map(tuple)


def measure(samples, *, higher=True, name="work", unit="x/s"):
    return Measure(name, "some work", unit, higher, tuple(samples))


@given(SAMPLES)
def test_the_interval_holds_the_median_and_is_the_same_every_time(samples):
    one = measure(samples)
    low, high = one.interval
    assert min(samples) <= low <= one.median <= high <= max(samples)
    assert one.interval == (low, high)


@given(SAMPLES, st.booleans())
def test_a_run_beside_itself_is_the_same(samples, higher):
    change = compare(measure(samples, higher=higher), measure(samples, higher=higher))
    assert change.ratio == 1.0
    assert change.verdict in ("same", "unsure")


@pytest.mark.parametrize(("higher", "verdict"), [(True, "better"), (False, "worse")])
def test_twice_as_much_is_better_or_worse_as_the_unit_goes(higher, verdict):
    draws = random.Random(1)
    before = [100 + draws.random() for _ in range(20)]
    change = compare(measure(before, higher=higher), measure([2 * x for x in before], higher=higher))
    assert change.verdict == verdict
    assert change.ratio == pytest.approx(2.0 if higher else 0.5)
    assert change.low <= change.ratio <= change.high


def test_few_samples_decide_nothing():
    assert compare(measure([100.0]), measure([10.0])).verdict == "unsure"
    assert Change("work", 0.1, 0.1, 0.1, samples=3).verdict == "worse"


@pytest.mark.parametrize("other", [{"name": "else"}, {"unit": "µs"}])
def test_different_work_is_not_compared(other):
    with pytest.raises(ValueError, match="against"):
        compare(measure([1.0]), measure([1.0], **other))


def test_percentiles_are_samples():
    series = [float(n) for n in range(1, 101)]
    assert [percentile(series, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 51.0, 100.0, 100.0]
