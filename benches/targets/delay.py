"""How old a block is at a verdict and at its delivery, beside the same way with nothing in it."""

from __future__ import annotations

from collections.abc import Iterator

from benches import bare
from benches.targets.rows import Aim, Row
from benches.targets.sizes import Sizes
from covey.bench import mesh, stations
from covey.bench.stats import percentile

PACES = (1_000.0, 200.0)
"""Blocks a second; the aims are of the first."""
SECONDS, QUICK_SECONDS = 8.0, 0.5
AIMS = {"verdict p50": 300.0, "delivered p50": 1_000.0, "delivered p99": 5_000.0}
"""In microseconds, by the names of `covey bench latency`."""
BESIDE = ("written to verdict p50", "written to delivered p50", "disk p50", "disk rested p50")
SAID = {
    "verdict p50": "from the author's call to a verdict, p50",
    "delivered p50": "from the author's call to the application, durable on both sides, p50",
    "delivered p99": "the same, p99",
    "written to verdict p50": "from the write to the socket to a verdict, p50",
    "written to delivered p50": "from the write to the socket to the application, p50",
    "disk p50": "one small write to this disk, p50",
    "disk rested p50": "one after a rest, as a block comes, p50",
}


def rows(sizes: Sizes) -> Iterator[Row]:
    """Measure both paces (a quick run the first), and there what the machine takes with nothing in it."""
    seconds = QUICK_SECONDS if sizes.quick else SECONDS
    for pace in PACES[:1] if sizes.quick else PACES:
        at = f"{pace:,.0f} a second"
        facts = mesh.latency("latency", pace, seconds).facts
        for name in (*AIMS, *BESIDE):
            aim = Aim("under", AIMS[name]) if name in AIMS and pace == PACES[0] else None
            yield Row("latency", f"{at}, {SAID[name]}", "µs", (facts[name],), aim)
        if pace == PACES[0]:
            yield from empty(pace, int(pace * seconds), at)


def empty(pace: float, blocks: int, at: str) -> Iterator[Row]:
    """Measure the way with nothing in it: two writes, two threads, one socket."""
    ages = bare.measured(pace, blocks)
    for name in ("p50", "p99"):
        age = percentile(ages["delivered"], stations.SHARES[name]) * 1e6
        yield Row("latency", f"{at}, the way with nothing in it, {name}", "µs", (age,))
