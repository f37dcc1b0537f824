"""What follows from how blocks turned out: factors of weights, and where good and bad part.

A category counts for more where blocks that turned out badly drifted further in it than those that turned out
well. Both follow from tallies alone, so that they are made anew of what several contributors counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from covey.model import CAT7
from covey.substrate.values import Statistics, Tally

WEIGHT_FACTOR: Final = 1.25
"""What a learned factor multiplies or divides a category's weight by at most."""
GUARDED_SHIFT: Final = 0.05
"""How far the guarded threshold may move at most."""
_ENOUGH: Final = 20
"""Outcomes on each side from which a number counts in half."""


def tally_of(values: Sequence[float]) -> Tally:
    """Count numbers in their order."""
    tally = Tally()
    for value in values:
        tally = tally.with_value(value)
    return tally


def derived(statistics: Statistics) -> Statistics:
    """Return the statistics with the weights and the threshold that follow from their drifts."""
    weights = {name: _factor(*statistics.drifts[name]) for name in CAT7 if _both(statistics.drifts.get(name))}
    total = statistics.drifts.get("total")
    guarded = (total[0].mean + total[1].mean) / 2 if total is not None and _both(total) else None
    return replace(statistics, weights=weights, guarded=guarded)


def evidence(pair: tuple[Tally, Tally] | None) -> float:
    """Return how much two tallies say, from 0 to 1: as much as the smaller of them."""
    least = 0 if pair is None else min(pair[0].count, pair[1].count)
    return least / (least + _ENOUGH)


def _both(pair: tuple[Tally, Tally] | None) -> bool:
    return pair is not None and min(pair[0].count, pair[1].count) > 1


def _factor(well: Tally, badly: Tally) -> float:
    """Return a factor around 1 by how far apart the two lie, in their own spread."""
    deviation = math.sqrt((well.spread + badly.spread) / (well.count + badly.count))
    apart = (badly.mean - well.mean) / (deviation + 0.05)
    sure = evidence((well, badly))
    return float(WEIGHT_FACTOR ** (sure * max(-1.0, min(1.0, apart))))


def drifts_of(
    values: Mapping[str, tuple[Sequence[float], Sequence[float]]],
) -> dict[str, tuple[Tally, Tally]]:
    """Count drifts of both kinds, by what they are of."""
    return {name: (tally_of(well), tally_of(badly)) for name, (well, badly) in sorted(values.items())}
