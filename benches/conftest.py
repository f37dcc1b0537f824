"""The one way to measure here: a named piece of work, who does it, how many records one call handles."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def measure(benchmark: Any) -> Callable[..., None]:
    """Return `measure(what, who, work, records=1)`, which times `work()` and files it under `what`."""

    def run(what: str, who: str, work: Callable[[], object], *, records: int = 1) -> None:
        benchmark.group = what
        benchmark.name = who
        benchmark.extra_info["records"] = records
        benchmark(work)

    return run
