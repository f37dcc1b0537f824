"""Samples of one piece of work, what they say, and how sure that is.

An interval is the percentile bootstrap of the median (Efron 1979): the samples are drawn again, with
replacement, from a seeded generator, so that one run's report always says the same.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import field
from typing import Final

from covey.values import dataclass

RESAMPLES: Final = 1_000
CONFIDENCE: Final = 0.95
LEAST_SAMPLES: Final = 3
"""Fewer than this have no interval worth the name."""
SAMPLES_DRAWN: Final = 500
"""A longer series is thinned to this before it is resampled: the interval of a median needs no more."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One piece of work, measured several times.

    `samples` are in `unit`; `higher_is_better` says which way is good. `facts` are figures beside it
    that are not compared: sizes, percentiles, how much a cache held.
    """

    name: str
    what: str
    unit: str
    higher_is_better: bool
    samples: tuple[float, ...]
    facts: dict[str, float] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """Return the middle sample."""
        return statistics.median(self.samples)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the median."""
        return _interval(sorted(_medians(self.samples, random.Random(0))))


@dataclass(frozen=True, slots=True)
class Change:
    """How one measure moved between two runs. `ratio` over 1 is better, whichever way the unit goes."""

    name: str
    ratio: float
    low: float
    high: float
    samples: int
    """Of the run that has fewer."""

    @property
    def verdict(self) -> str:
        """Say `better` or `worse` where the interval leaves out 1, else `same`; `unsure` of few samples."""
        if self.samples < LEAST_SAMPLES:
            return "unsure"
        if self.low > 1.0:
            return "better"
        return "worse" if self.high < 1.0 else "same"


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the sample below which `share` (0 to 1) of them lie, the nearest of them."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def compare(before: Measure, after: Measure) -> Change:
    """Say how a measure moved, with the 95 % interval of the ratio of medians.

    Raises:
        ValueError: They do not measure the same.
    """
    if (before.name, before.unit) != (after.name, after.unit):
        raise ValueError(f"{before.name} in {before.unit} against {after.name} in {after.unit}")
    draws = random.Random(0)
    pairs = zip(_medians(before.samples, draws), _medians(after.samples, draws), strict=True)
    ratios = sorted(_gain(old, new, after.higher_is_better) for old, new in pairs)
    low, high = _interval(ratios)
    ratio = _gain(before.median, after.median, after.higher_is_better)
    return Change(after.name, ratio, low, high, min(len(before.samples), len(after.samples)))


def _gain(before: float, after: float, higher_is_better: bool) -> float:
    top, bottom = (after, before) if higher_is_better else (before, after)
    return top / bottom if bottom else 1.0


def _medians(samples: Sequence[float], draws: random.Random) -> list[float]:
    kept = samples if len(samples) <= SAMPLES_DRAWN else draws.sample(list(samples), SAMPLES_DRAWN)
    return [statistics.median(draws.choices(kept, k=len(kept))) for _ in range(RESAMPLES)]


def _interval(ordered: Sequence[float]) -> tuple[float, float]:
    tail = (1.0 - CONFIDENCE) / 2
    return ordered[int(tail * len(ordered))], ordered[int((1.0 - tail) * len(ordered)) - 1]
