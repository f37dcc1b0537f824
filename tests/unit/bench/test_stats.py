"""Samples, their intervals, and how two runs compare: how often a verdict is false is simulated."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.bench.stats import LEAST_SAMPLES, Change, Interval, Measure, compare, drift, percentile

SAMPLES = st.lists(st.floats(0.001, 1e9), min_size=LEAST_SAMPLES, max_size=60).map(tuple)
TRIALS = 3_000
"""Of a simulation: a share of 5 % is then known to 0.8 % (two deviations)."""
FALSE = 0.06
"""The most verdicts of a hundred that may be false of runs that measure the same."""


def measure(samples, *, higher=True, name="work", unit="x/s", paces=None):
    return Measure(name, "some work", unit, higher, tuple(samples), {}, paces or {})


@given(SAMPLES)
def test_the_interval_holds_the_median(samples):
    one = measure(samples)
    low, high = one.interval
    assert min(samples) <= low <= one.median <= high <= max(samples)


@given(SAMPLES, st.booleans())
def test_a_run_beside_itself_is_the_same(samples, higher):
    change = compare(measure(samples, higher=higher), measure(samples, higher=higher))
    assert change.ratio == 1.0
    assert change.verdict in ("same", "unsure")


@pytest.mark.parametrize(("higher", "verdict"), [(True, "better"), (False, "worse")])
def test_twice_as_much_is_better_or_worse_as_the_unit_goes(higher, verdict):
    draws = random.Random(1)
    before = [100 + draws.random() for _ in range(LEAST_SAMPLES)]
    change = compare(measure(before, higher=higher), measure([2 * x for x in before], higher=higher))
    assert change.verdict == verdict
    assert change.ratio == pytest.approx(2.0 if higher else 0.5, rel=0.02)
    assert change.interval.low <= change.ratio <= change.interval.high


@pytest.mark.parametrize("count", range(1, LEAST_SAMPLES))
def test_few_samples_have_no_interval_and_decide_nothing(count):
    few, many = measure([100.0] * count), measure([10.0] * 20)
    assert few.interval is None
    for change in (compare(few, many), compare(many, few)):
        assert (change.interval, change.verdict) == (None, "unsure")
        assert change.said.endswith(f"{'decides' if count == 1 else 'decide'} nothing, {LEAST_SAMPLES} do")
        assert not change.below(1.0)


def test_an_interval_that_says_little_is_not_called_the_same():
    assert Change("work", 1.0, Interval(0.9, 1.1)).said == "same"
    assert Change("work", 1.0, Interval(0.5, 1.1)).said == "unsure: the interval is too wide"
    assert Change("work", 1.0, Interval(0.9, 2.0)).verdict == "unsure"
    assert [Change("work", 0.6, Interval(0.5, high)).below(0.7) for high in (0.69, 0.71)] == [True, False]


@pytest.mark.parametrize("other", [{"name": "else"}, {"unit": "µs"}])
def test_different_work_is_not_compared(other):
    with pytest.raises(ValueError, match="against"):
        compare(measure([1.0]), measure([1.0], **other))


def test_percentiles_are_samples():
    series = [float(n) for n in range(1, 101)]
    assert [percentile(series, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 51.0, 100.0, 100.0]


KINDS = {
    "even": lambda draws: draws.lognormvariate(0.0, 0.05),
    "with a long tail": lambda draws: draws.paretovariate(1.5),
    "of two levels": lambda draws: draws.choice((1.0, 3.0)) * draws.lognormvariate(0.0, 0.02),
    "with one in six disturbed": lambda draws: (
        draws.uniform(1.0, 1.1) * (4.0 if draws.random() < 1 / 6 else 1.0)
    ),
}


@pytest.mark.parametrize("counts", [(6, 6), (6, 12), (9, 7), (30, 30)], ids=str)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_runs_that_measure_the_same_are_seldom_told_apart(kind, counts):
    """Thirty are of the normal approximation. Three samples and a bootstrap made 13 % false."""
    draws, false = random.Random(9), 0
    trials = TRIALS if max(counts) < 30 else TRIALS // 5
    for _ in range(trials):
        before, after = (measure([kind(draws) for _ in range(count)]) for count in counts)
        false += not compare(before, after).interval[0] <= 1.0 <= compare(before, after).interval[1]
    assert false / trials <= FALSE


@pytest.mark.parametrize("count", [6, 7, 9, 20])
def test_the_interval_of_a_median_holds_it_as_often_as_it_says(count):
    draws, missed = random.Random(3), 0
    for _ in range(TRIALS):
        low, high = measure([draws.expovariate(1.0) for _ in range(count)]).interval
        missed += not low <= 0.693147 <= high
    assert missed / TRIALS <= FALSE


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_machine_that_drifts_makes_no_change_of_the_build(share):
    """It runs at another speed in each run; how much of the work hangs on that speed nobody knows."""
    draws, verdicts = random.Random(5), []
    for _ in range(TRIALS):
        runs = []
        for _ in range(2):
            speed = draws.lognormvariate(0.0, 0.15)
            taken = [draws.lognormvariate(0.0, 0.02) * 5e4 / speed for _ in range(7)]
            rates = [draws.lognormvariate(0.0, 0.03) * speed**share for _ in range(6)]
            runs.append(measure(rates, paces={"one core": tuple(taken)}))
        verdicts.append(compare(*runs).verdict)
    assert sum(verdict in ("better", "worse") for verdict in verdicts) / TRIALS <= FALSE
    assert verdicts.count("same") > TRIALS / 3, "and it is not unsure of everything"


def test_a_machine_of_another_speed_is_named_and_decides_nothing():
    fast = measure([200.0] * 6, paces={"one core": (50_000.0,) * 7, "the disk": (2.0,) * 7})
    slow = measure([100.0] * 6, paces={"one core": (100_000.0,) * 7, "the disk": (8.0,) * 7})
    change = compare(fast, slow)
    assert change.said == "unsure: the machine had another speed, in times of then: one core 0.50"
    assert change.speeds["the disk"] == 1.0, "a disk in memory is fast enough either way"
    assert not change.below(1.0)
    steady = measure([100.0] * 6, paces=fast.paces)
    assert compare(fast, steady).verdict == "worse"
    assert drift({"one core": (1e3,)}, {}) == {}


def test_a_change_beyond_what_the_machine_explains_is_told():
    before = measure([100.0] * 6, paces={"one core": (50_000.0,) * 7})
    slower = {"one core": (60_000.0,) * 7}
    assert compare(before, measure([90.0] * 6, paces=slower)).verdict == "same"
    assert compare(before, measure([70.0] * 6, paces=slower)).verdict == "worse"
