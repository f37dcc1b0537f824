"""What takes long, and runs only with `--long`: memory of a million blocks, a peer that hears ten million."""

from __future__ import annotations

from collections.abc import Iterator

from benches import memory, soak
from benches.targets.rows import Aim, Row
from benches.targets.sizes import Sizes

HELD, QUICK_HELD = 1_000_000, 500
ASKS, QUICK_ASKS = 200, 2
SOAKED, QUICK_SOAKED = 10_000_000, 300
ASK = "--long"


def recall(sizes: Sizes) -> Iterator[Row]:
    """Fill a store, start on it, and ask it the mix."""
    count, rounds = sizes.of(HELD, QUICK_HELD), sizes.of(ASKS, QUICK_ASKS)
    if not sizes.long:
        for what in ("p99 of the mix of queries", "memory opened and read", "a peer that listens is ready"):
            yield Row("recall", f"{count:,} blocks, {what}", skipped=ASK)
        return
    _, found = memory.asked(count, rounds)
    took = [clock for times in found["times"].values() for clock, _ in times]
    slow = memory.at(took, 0.99)
    worked = memory.at([work for times in found["times"].values() for _, work in times], 0.99)
    note = (
        f"p50 {memory.at(took, 0.5):.2f} ms; of the processor p99 {worked:.2f} ms; {rounds} rounds of the mix"
    )
    what = f"{count:,} blocks, p99 of the mix of queries"
    yield Row("recall", what, "ms", (slow,), Aim("under", memory.BOUND_MS), notes=(note,))
    bound = Aim("under", memory.START_BOUND_S)
    what = f"{count:,} blocks, memory opened and read"
    yield Row("recall", what, "s", (found["start_s"],), bound)
    yield Row(
        "recall", f"{count:,} blocks, a peer that listens is ready", "s", tuple(found["ready_s"]), bound
    )


def growth(sizes: Sizes) -> Iterator[Row]:
    """Let a peer hear ten million blocks with retention at work, and see whether it grows."""
    count = sizes.of(SOAKED, QUICK_SOAKED)
    if not sizes.long:
        yield Row("soak", f"growth over {count:,} blocks", skipped=ASK)
        return
    found = soak.soaked(count, lambda _: None)
    fitted = found.slope()
    if fitted is None:
        yield Row(
            "soak", f"growth over {count:,} blocks", skipped=f"under {soak.LEAST_BLOCKS:,} decide nothing"
        )
        return
    yield left(count, fitted)
    what = f"{count:,} blocks, the most on disk beside what the first tenths took"
    yield Row("soak", what, "times", (found.on_disk,), Aim("at most", soak.MOST_ON_DISK))
    yield from forgotten(count, found)


def left(count: int, fitted: soak.Slope) -> Row:
    """Hold the upper end of what a block leaves against the aim: only that shows that nothing grows."""
    note = f"the slope is {fitted.each:.2f}, its 95 % interval begins at {fitted.low:.2f}"
    what = f"{count:,} blocks, bytes that a block leaves at most (upper end of 95 %)"
    return Row("soak", what, "bytes", (fitted.high,), Aim("at most", soak.MOST_BYTES_A_BLOCK), notes=(note,))


def forgotten(count: int, found: soak.Soaked) -> Iterator[Row]:
    """Hold what is held against what forgetting may be late with, and that it does not become ever more."""
    what = f"{count:,} blocks, the most held after one of the last tenths"
    note = f"{soak.RETENTION_DAYS * soak.BLOCKS_A_DAY:,} are kept; what comes while a pass goes lies beside"
    most = Aim("at most", soak.MOST_HELD)
    yield Row("soak", what, "blocks held", (float(found.most_held),), most, notes=(note,))
    what = f"{count:,} blocks, the part of those that come that stays at least (lower end of 95 %)"
    yield Row("soak", what, "of a block", (found.staying.low,), Aim("at most", soak.MOST_STAYING))
