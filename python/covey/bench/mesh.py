"""Measures of peers that meet: throughput, age of a block on delivery, fan-out, a relay between them."""

from __future__ import annotations

import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from covey import limits
from covey.bench import disk, lost, peers, stations
from covey.bench.stats import Measure
from covey.values import dataclass


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
    """Let one peer speak `count` blocks to others, each side in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="covey-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        url = peers.answer(stack.enter_context(peers.process(peers.relay, None))) if relayed else None
        hearing = peers.Hearing(folder / "hearers", hearers, count, ages, url)
        heard = stack.enter_context(peers.process(peers.hear, hearing))
        ports = peers.answer(heard)
        speaking = peers.Speaking(folder / "speaker", count, ports, pace, url, ages)
        spoke = stack.enter_context(peers.process(peers.speak, speaking))
        peers.answer(spoke)
        all_heard = peers.answer(heard)
        spoke.send(None)
        return Met(all_heard, peers.answer(spoke))


def throughput(blocks: int, rounds: int) -> Measure:
    """Blocks a second, sealed, signed, verified, judged and durable, between two processes on loopback."""
    met = [meet(blocks) for _ in range(rounds)]
    what = "two processes on loopback: sealed, signed, verified, judged, durable"
    facts = {
        "blocks": blocks,
        "full-text lag": statistics.median(one.heard.index_lag for one in met),
        "drained after ms": statistics.median(one.heard.drain_seconds for one in met) * 1e3,
    }
    return Measure("throughput", what, "blocks/s", True, tuple(one.rate for one in met), facts)


def latency(name: str, pace: float, seconds: float) -> Measure:
    """Age of a block as an application in another process is handed it, and at each station before.

    Beside it stands what one write to the disk took right afterwards: a block waits for two of them.
    """
    count = int(pace * seconds)
    met = meet(count, pace=pace, ages=True)
    ages = stations.ages(met.spoke.stamps, met.heard.stamps)
    micros = [age * 1e6 for age in ages[stations.LAST]][-limits.BENCH_SAMPLES :]
    slowest = stations.late(met.spoke.stamps, met.heard.stamps)
    behind = stations.facts({"called behind its time": met.spoke.behind})
    facts = {**stations.facts(ages), **stations.facts(slowest), **behind, **disk.facts(), "blocks": count}
    facts |= lost.parts(met.spoke.trail, met.heard.trail)
    facts |= lost.shares("author", met.spoke.trail) | lost.shares("hearer", met.heard.trail)
    what = f"from emit to the application of another process, durable, at {pace:,.0f} blocks a second"
    return Measure(name, what, "µs", False, tuple(micros), facts)


def fanout(blocks: int, hearers: int, rounds: int) -> Measure:
    """Admissions a second over all hearers of one speaker; the hearers share one process."""
    what = f"one speaker, {hearers} hearers in one process: admissions of all together"
    rates = tuple(meet(blocks, hearers=hearers).rate for _ in range(rounds))
    return Measure("fan-out", what, "blocks/s", True, rates, {"blocks": blocks, "hearers": hearers})


def relayed(blocks: int, rounds: int) -> Measure:
    """Blocks a second through a relay in a third process; a relay's pace is set by its limits."""
    rates = tuple(meet(blocks, relayed=True).rate for _ in range(rounds))
    what = "two processes through a relay in a third; what a client may send there is bounded"
    return Measure("relayed", what, "blocks/s", True, rates, {"blocks": blocks})
