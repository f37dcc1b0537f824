"""The one way to measure here: a named piece of work, who does it, how many records one call handles."""

from collections.abc import Callable
from typing import Any

import pytest

ROUNDS = 30
"""Rounds of work that needs preparing each time; the table shows the median."""


@pytest.fixture
def measure(benchmark: Any) -> Callable[..., None]:
    """Return `measure(what, who, work, records=1, prepare=None, rounds=ROUNDS, size=None)`.

    It times `work()` and files it under `what`. With `prepare`, each round times `work(prepare())` once, and
    what `prepare` does is not counted. `size` is kept beside: bytes of one record.
    """

    def run(
        what: str,
        who: str,
        work: Callable[..., object],
        *,
        records: int = 1,
        prepare: Callable[[], object] | None = None,
        rounds: int = ROUNDS,
        size: float | None = None,
    ) -> None:
        benchmark.group = what
        benchmark.name = who
        benchmark.extra_info.update(records=records, size=size)
        if prepare is None:
            benchmark(work)
        else:
            benchmark.pedantic(work, setup=lambda: ((prepare(),), {}), rounds=rounds, warmup_rounds=1)

    return run
