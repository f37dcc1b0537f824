"""Samples of one piece of work, what they say, and how sure that is.

A sample is what is independent of the others: one process, one meeting of peers. What many blocks of one
meeting took is one sample, their middle or a percentile, for they share two processes and a moment of the
machine. Intervals are of ranks and exact, whatever the samples are distributed like: of one series the order
statistics of its median (the sign test), of two the Hodges-Lehmann interval of their ratio (Mann and Whitney
1947). Few samples have none. Where the machine itself was measured beside both, its change is allowed for.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cache
from typing import Final, NamedTuple

from covey.values import dataclass

CONFIDENCE: Final = 0.95
LEAST_SAMPLES: Final = 6
"""With fewer no interval of a median holds at 95 % (1 - 2 / 2**5 is 0.94), and nothing is decided."""
MOST_DRIFT: Final = 1.25
"""A machine that changed by more than this between two runs says nothing of what it ran."""
SAME_WITHIN: Final = 1.25
"""An interval that holds 1 and reaches beyond this does not say `same`."""
_LEAST_PACE_US: Final = 100.0
"""What a part of the machine takes counts as no less: a disk in memory writes in 2 µs or in 4."""
_EXACT: Final = 400
"""Pairs of samples up to which the distribution is counted; above, the normal one is as good."""
_DEVIATIONS: Final = statistics.NormalDist().inv_cdf((1.0 + CONFIDENCE) / 2)


class Interval(NamedTuple):
    """Where a figure lies with 95 % confidence."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Measure:
    """One piece of work, measured several times, each time independently of the others.

    `samples` are in `unit`; `higher_is_better` says which way is good. `facts` are figures beside it
    that are not compared: sizes, percentiles, how much a cache held. `paces` says what fixed work of the
    machine's parts took beside the samples, in microseconds (`covey.bench.pace`).
    """

    name: str
    what: str
    unit: str
    higher_is_better: bool
    samples: tuple[float, ...]
    facts: dict[str, float] = field(default_factory=dict)
    paces: dict[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """Return the middle sample."""
        return statistics.median(self.samples)

    @property
    def interval(self) -> Interval | None:
        """Return the 95 % interval of the median; None of too few samples."""
        count = len(self.samples)
        if count < LEAST_SAMPLES:
            return None
        ordered, rank, tail = sorted(self.samples), 0, 0.0
        while (tail := tail + math.comb(count, rank) / 2**count) <= (1.0 - CONFIDENCE) / 2:
            rank += 1
        return Interval(ordered[rank - 1], ordered[-rank])


@dataclass(frozen=True, slots=True)
class Change:
    """How one measure moved between two runs. `ratio` over 1 is better, whichever way the unit goes.

    `interval` is None of too few samples; it allows for what the machine changed. `doubt` says why nothing
    can be said, and is empty where something can. `speeds` are of the machine's parts, in times of before.
    """

    name: str
    ratio: float
    interval: Interval | None
    doubt: str = ""
    speeds: dict[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Say `better` or `worse` where the interval leaves out 1, `same` where it stays about 1."""
        if self.doubt or self.interval is None:
            return "unsure"
        low, high = self.interval
        if low > 1.0:
            return "better"
        if high < 1.0:
            return "worse"
        return "same" if low * SAME_WITHIN >= 1.0 and high <= SAME_WITHIN else "unsure"

    @property
    def said(self) -> str:
        """Return the verdict, and what makes it unsure."""
        if self.verdict != "unsure":
            return self.verdict
        return f"unsure: {self.doubt or 'the interval is too wide'}"

    def below(self, ratio: float) -> bool:
        """Tell whether it surely fell below this part of before."""
        return not self.doubt and self.interval is not None and self.interval.high < min(ratio, 1.0)


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the sample below which `share` (0 to 1) of them lie, the nearest of them."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def compare(before: Measure, after: Measure) -> Change:
    """Say how a measure moved, with the 95 % interval of the ratio and what may be said against it.

    A part of the machine that became faster by some factor explains any gain between none and that factor,
    for who knows how much of the work hangs on it: the interval is of all that these leave.

    Raises:
        ValueError: They do not measure the same.
    """
    if (before.name, before.unit) != (after.name, after.unit):
        raise ValueError(f"{before.name} in {before.unit} against {after.name} in {after.unit}")
    gains = sorted(_gain(old, new, after.higher_is_better) for old in before.samples for new in after.samples)
    ratio, speeds = statistics.median(gains), drift(before.paces, after.paces)
    few, many = sorted((len(before.samples), len(after.samples)))
    if few < LEAST_SAMPLES:
        doubt = f"{few} {'sample decides' if few == 1 else 'samples decide'} nothing, {LEAST_SAMPLES} do"
        return Change(after.name, ratio, None, doubt, speeds)
    rank, slowest, fastest = _rank(few, many), min([1.0, *speeds.values()]), max([1.0, *speeds.values()])
    interval = Interval(gains[rank - 1] / fastest, gains[-rank] / slowest)
    return Change(after.name, ratio, interval, _doubt(speeds), speeds)


def drift(before: Mapping[str, Sequence[float]], after: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return how fast each part of the machine was after, in times of its speed before."""
    return {part: _pace(before[part]) / _pace(after[part]) for part in before if part in after}


def _pace(taken: Sequence[float]) -> float:
    return max(_LEAST_PACE_US, statistics.median(taken))


def _doubt(speeds: Mapping[str, float]) -> str:
    moved = [
        f"{part} {speed:.2f}" for part, speed in speeds.items() if not 1.0 / MOST_DRIFT <= speed <= MOST_DRIFT
    ]
    return f"the machine had another speed, in times of then: {', '.join(moved)}" if moved else ""


def _gain(before: float, after: float, higher_is_better: bool) -> float:
    top, bottom = (after, before) if higher_is_better else (before, after)
    return top / bottom


@cache
def _rank(few: int, many: int) -> int:
    """Return the rank, from either end of all ratios, at which their 95 % interval ends.

    Of two series of the same distribution every order of all samples is as likely as any other; counted is
    how many orders have at most so many pairs the wrong way round.
    """
    pairs, most = few * many, (1.0 - CONFIDENCE) / 2
    if pairs > _EXACT:
        spread = math.sqrt(pairs * (few + many + 1) / 12)
        return math.floor(pairs / 2 + 0.5 - _DEVIATIONS * spread)
    orders = [1] + [0] * pairs  # by pairs the wrong way round: the Gaussian binomial coefficient
    for each in range(1, few + 1):
        for count in range(pairs, many + each - 1, -1):
            orders[count] -= orders[count - many - each]
        for count in range(each, pairs + 1):
            orders[count] += orders[count - each]
    allowed, rank = most * math.comb(few + many, few), 0
    while sum(orders[: rank + 1]) <= allowed:
        rank += 1
    return rank
