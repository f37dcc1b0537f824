"""Two peers on loopback, durable: each profile, said live and signed beforehand, by both ways of judging."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Sequence

from benches import loopback
from benches.targets.rows import Aim, Row
from benches.targets.sizes import Sizes

BLOCKS, QUICK_BLOCKS = 20_000, 300
HOW = {"each": "signed live, one by one", "many": "signed live, in batches", "signed": "signed beforehand"}
JUDGED = {"selective": "covey's own admission", "baseline": "the reference's admission"}
AIMS = {"standard": {"signed": 20_000.0}, "compact": {"signed": 30_000.0}}
LIVE = {"standard": 15_000.0, "compact": 20_000.0}


def aim(profile: str, how: str) -> float:
    """Return the blocks a second that a profile should make, said in this way."""
    return AIMS[profile].get(how, LIVE[profile])


def plans(sizes: Sizes) -> Iterator[tuple[str, str, loopback.Plan]]:
    """Give each profile and way with its plan; a quick run takes each profile and each way once."""
    quick = (
        ("standard", "many", "selective"),
        ("compact", "each", "baseline"),
        ("compact", "signed", "selective"),
    )
    every = itertools.product(LIVE, HOW, JUDGED)
    for profile, how, path in quick if sizes.quick else every:
        blocks = sizes.of(BLOCKS, QUICK_BLOCKS)
        yield profile, how, loopback.Plan(blocks, standard=profile == "standard", how=how, path=path)


def rows(sizes: Sizes) -> Iterator[Row]:
    """Measure each way, and say what both peers' processors allow."""
    for profile, how, plan in plans(sizes):
        got = [loopback.measured(plan) for _ in range(sizes.turns)]
        yield Row(
            "loopback",
            f"{profile}, {HOW[how]}, {JUDGED[plan.path]}",
            "blocks/s",
            tuple(each.rate for each in got),
            Aim("at least", aim(profile, how)),
            notes=tuple(notes(got)),
            cells=cells(got),
        )


def cells(got: Sequence[loopback.Measured]) -> tuple[str, ...]:
    """Give in medians what stands in the columns of the table of meetings."""
    speaker, hearer = spent(got)
    return (
        f"{speaker:.1f} + {hearer:.1f}",
        f"{loopback.CORES * 1e6 / statistics.median(each.both_us for each in got):,.0f}",
        f"{statistics.median(each.hearer.lag for each in got):,.0f}",
        f"{statistics.median(each.drain_seconds for each in got):.2f} s",
    )


def spent(got: Sequence[loopback.Measured]) -> tuple[float, float]:
    """Return the medians of a block's processor time in microseconds, of the speaker and of the hearer."""
    return (
        statistics.median(each.each_us(each.speaker.cpu_seconds) for each in got),
        statistics.median(each.each_us(each.hearer.cpu_seconds) for each in got),
    )


def notes(got: Sequence[loopback.Measured]) -> Iterator[str]:
    """Say in medians what the processors did for a block, the bound of that, and what the index lacked."""

    def middle(values: Iterator[float]) -> float:
        return statistics.median(values)

    both = middle(each.both_us for each in got)
    speaker, hearer = spent(got)
    yield (
        f"both peers' processor time is {both:.1f} µs a block ({speaker:.1f} of the speaker, {hearer:.1f} of "
        f"the hearer), so two cores allow at most {loopback.CORES * 1e6 / both:,.0f} a second"
    )
    if middle(each.rate for each in got) > loopback.CORES * 1e6 / both:
        yield "the rate is above it: its clock begins with the first admitted, when others were half done"
    after = [
        middle(each.each_us(work.drain_cpu_seconds) for each, work in zip(got, works, strict=True))
        for works in ([each.speaker for each in got], [each.hearer for each in got])
    ]
    yield (
        f"not in it: {after[0]:.1f} and {after[1]:.1f} µs a block for the full text that was behind after "
        f"the last one, {middle(each.hearer.lag for each in got):,.0f} blocks at the hearer, all there "
        f"{middle(each.drain_seconds for each in got):.2f} s later"
    )
    refused = sum(each.refused for each in got)
    if refused:
        yield f"{refused:,} sends refused as the hearer stalled, and others said in their place"
