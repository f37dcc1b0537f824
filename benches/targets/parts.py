"""The parts of the report, in order, and how each is run beside the strict signature check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from benches.targets import delay, floor, long, native, others, pair, small, state
from benches.targets.rows import Row, beside_check, has_check
from benches.targets.sizes import Sizes
from covey.bench import local

CHECK_ROUNDS, QUICK_CHECK_ROUNDS = 20, 3


class Part(NamedTuple):
    """One part: its name, what it measures, and how."""

    name: str
    what: str
    work: Callable[[Sizes], Iterator[Row]]


PARTS = (
    Part("intake", "native intake beside the strict check, on one core and two", native.intake),
    Part("anchors", "1,000 anchors of 384 dimensions beside one pass over memory", native.anchors),
    Part("floor", "what loopback's two cores could do without Python, system calls, waiting", floor.rows),
    Part("loopback", "two peers, durable: both profiles, live and signed beforehand", pair.rows),
    Part("latency", "a block's age at a verdict and at its delivery", delay.rows),
    Part("reference", "the Node reference beside covey, in turns", others.reference),
    Part("rivals", "plain messages of nats-py, zenoh, pyzmq, websockets", others.plain),
    Part("merge", "shared state beside pycrdt, loro and a plain map", state.rows),
    Part("wheel", "size of the wheels in dist", small.wheel),
    Part("start", "imports, and an idle peer", small.start),
    Part("connected", "a thousand peers at one", small.connected),
    Part("recall", "memory of a million blocks (--long)", long.recall),
    Part("soak", "growth over ten million blocks (--long)", long.growth),
)


def check_seconds(sizes: Sizes) -> float:
    """Return the seconds that one strict signature check takes now, on one core."""
    return 1.0 / local.verification(sizes.of(CHECK_ROUNDS, QUICK_CHECK_ROUNDS)).median


def ran(part: Part, sizes: Sizes) -> Iterator[Row]:
    """Give the rows of a part, each beside the strict check as it was before and after that row's work.

    A part that fails is a row, too, so that the others are still measured.
    """
    before = check_seconds(sizes)
    work = part.work(sizes)
    while True:
        try:
            row = next(work, None)
        except Exception as error:  # the boundary of a part: whatever went wrong is its row
            yield Row(part.name, part.what, failed=f"{type(error).__name__}: {error}")
            return
        if row is None:
            return
        if has_check(row):
            after = check_seconds(sizes)
            row, before = beside_check(row, (before + after) / 2), after
        yield row
