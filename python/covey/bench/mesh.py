"""Measures of peers that meet: throughput, age of a block on delivery, fan-out, a relay between them."""

from __future__ import annotations

import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from covey.bench import disk, lost, pace, peers, stations
from covey.bench.goes import paced
from covey.bench.stats import Measure, percentile
from covey.values import dataclass

RELAYED: Final = 150
"""Blocks of a meeting through a relay, a frame each. A peer sends a relay 200 frames at once, the handshake's
and its own words among them, and then 20 a second (`limits.RELAY_PACE_BURST`): of more blocks that pace would
be what is measured, whatever this build does."""
RELAYED_RATE: Final = 50.0
"""A second, where the age of a block is looked at: so many take three seconds."""


@dataclass(frozen=True, slots=True)
class Met:
    """One meeting: what the hearers say, and what the speaker says."""

    heard: peers.Heard
    spoke: peers.Spoke

    @property
    def rate(self) -> float:
        """Return admissions a second, of all hearers together."""
        return self.heard.admitted / self.heard.seconds


def meet(
    count: int, *, hearers: int = 1, pace: float | None = None, ages: bool = False, relayed: bool = False
) -> Met:
    """Let one peer speak `count` blocks to others, each side in a process of its own.

    The speaker is asked what it took at the moment at which the last block was admitted: the full text that
    the hearers make afterwards is no time of its own.
    """
    with tempfile.TemporaryDirectory(prefix="covey-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        url = peers.answer(stack.enter_context(peers.process(peers.relay, None))) if relayed else None
        hearing = peers.Hearing(folder / "hearers", hearers, count, ages, url)
        heard = stack.enter_context(peers.process(peers.hear, hearing))
        ports = peers.answer(heard)
        speaking = peers.Speaking(folder / "speaker", count, ports, pace, url, ages)
        spoke = stack.enter_context(peers.process(peers.speak, speaking))
        peers.answer(spoke)
        peers.answer(heard)
        spoke.send(None)
        said = peers.answer(spoke)
        return Met(peers.answer(heard), said)


def throughput(blocks: int, goes: int) -> Measure:
    """Blocks a second, sealed, signed, verified, judged and durable, between two processes on loopback."""
    met, paces = paced(lambda: meet(blocks), goes, pace.TOGETHER)
    what = "two processes on loopback: sealed, signed, verified, judged, durable"
    facts = {
        "blocks": blocks,
        "full-text lag": statistics.median(one.heard.index_lag for one in met),
        "drained after ms": statistics.median(one.heard.drain_seconds for one in met) * 1e3,
    }
    return Measure("throughput", what, "blocks/s", True, tuple(one.rate for one in met), facts, paces)


def latency(name: str, rate: float, seconds: float, goes: int = 1, *, relayed: bool = False) -> Measure:
    """Age of a block as an application in another process is handed it: the middle one of each meeting.

    Its facts are percentiles of all meetings' blocks at each station before, and of what one write to the
    disk took right afterwards: a block waits for two of them. With `relayed` it goes through a relay.
    """
    return latencies(name, rate, seconds, goes, relayed=relayed)[0]


def latencies(
    name: str, rate: float, seconds: float, goes: int, *, relayed: bool = False
) -> tuple[Measure, Measure]:
    """Return the middle age of each meeting, and, as a measure of its own, the age of its slowest hundredth.

    All blocks of a meeting pass the same two processes, so that they are one sample, however many.
    """
    count = int(rate * seconds)
    met, paces = paced(lambda: meet(count, pace=rate, ages=True, relayed=relayed), goes, pace.TOGETHER)
    each = [stations.ages(one.spoke.stamps, one.heard.stamps)[stations.LAST] for one in met]
    stamps = [of for one in met for of in (one.spoke.stamps, one.heard.stamps)]
    behind = {"called behind its time": [late for one in met for late in one.spoke.behind]}
    found = (stations.ages(*stamps), stations.late(*stamps), behind)
    facts = {name: each for some in found for name, each in stations.facts(some).items()} | disk.facts()
    author = lost.joined([one.spoke.trail for one in met])
    hearer = lost.joined([one.heard.trail for one in met])
    facts |= lost.parts(author, hearer) | lost.shares("author", author) | lost.shares("hearer", hearer)
    sizes = {"blocks": float(count)}
    way = ", through a relay in a third" if relayed else ""
    what = f"from emit to the application of another process, durable{way}, at {rate:,.0f} blocks a second"
    middle, slow = (tuple(percentile(ages, share) * 1e6 for ages in each) for share in (0.5, lost.LATE))
    return (
        Measure(name, what, "µs", False, middle, facts | sizes, paces),
        Measure(f"{name}-p99", "the same, the age that a hundredth exceeds", "µs", False, slow, sizes, paces),
    )


def fanout(blocks: int, hearers: int, goes: int) -> Measure:
    """Admissions a second over all hearers of one speaker; the hearers share one process."""
    what = f"one speaker, {hearers} hearers in one process: admissions of all together"
    met, paces = paced(lambda: meet(blocks, hearers=hearers), goes, pace.TOGETHER)
    facts = {"blocks": float(blocks), "hearers": float(hearers)}
    return Measure("fan-out", what, "blocks/s", True, tuple(one.rate for one in met), facts, paces)


def relayed(blocks: int, goes: int) -> Measure:
    """Blocks a second through a relay in a third process, as many as a peer may send there at once."""
    met, paces = paced(lambda: meet(blocks, relayed=True), goes, pace.TOGETHER)
    what = f"two processes through a relay in a third: {blocks} blocks, which a peer may send there at once"
    rates = tuple(one.rate for one in met)
    return Measure("relayed", what, "blocks/s", True, rates, {"blocks": blocks}, paces)
