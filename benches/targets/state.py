"""Shared state merged from wire bytes, beside pycrdt, loro and a plain map (`benches.bench_state`)."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benches import table
from benches.next_step import install
from benches.targets.rows import Aim, Row
from benches.targets.sizes import Sizes

ROOT = Path(__file__).resolve().parents[2]
TIMES = {"pycrdt": 20.0, "plain dict": 15.0}
"""How many times as fast as each covey should be, flushes not verified."""
RIVALS = ("pycrdt", "loro")
RUNNER = "pytest_benchmark"


class FailedError(Exception):
    """The bench of shared state failed; the message says how."""


class Merged(NamedTuple):
    """One way to merge: who, seconds and bytes of an entry (bytes where it has an encoding)."""

    who: str
    seconds: float
    size: float | None


def merged(report: dict[str, Any]) -> dict[str, list[Merged]]:
    """Read the runner's report: every way, by what was merged."""
    found: dict[str, list[Merged]] = {}
    for figure, row in zip(table.figures(report), report["benchmarks"], strict=True):
        way = Merged(figure.who, figure.seconds, row["extra_info"].get("size"))
        found.setdefault(figure.what, []).append(way)
    return found


def ran(sizes: Sizes) -> dict[str, Any]:
    """Run the bench in a process of its own; return the runner's report."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", "benches/bench_state.py", "-q", "--benchmark-quiet"]
        command += ["-o", "python_files=bench_*.py", *(("-k", "not 100000") if sizes.quick else ())]
        command.append(f"--benchmark-json={kept}")
        # One of two runners, as in `make test`, says so to what it starts, and that would measure nothing.
        alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, check=False)
        if done.returncode:
            raise FailedError(done.stdout.strip()[-400:] or done.stderr.strip()[-400:])
        report: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return report


def rows(sizes: Sizes) -> Iterator[Row]:
    """Measure, and hold covey against each."""
    if importlib.util.find_spec(RUNNER) is None:
        yield Row("merge", "shared state", skipped=f"pytest-benchmark is not installed; {install('test')}")
        return
    for what, ways in merged(ran(sizes)).items():
        yield from held(what, ways)
    for rival in RIVALS:
        if importlib.util.find_spec(rival) is None:
            why = f"{rival} is not installed; {install('bench')}"
            yield Row("merge", f"beside {rival}", skipped=why)


def held(what: str, ways: Sequence[Merged]) -> Iterator[Row]:
    """Give covey's time for an entry, and its ratio to each other way of the same work."""
    own = next(way for way in ways if way.who == "covey")
    yield Row("merge", f"{what}, each, not verified", "µs", (own.seconds * 1e6,))
    for way in ways:
        if way is own:
            continue
        times = way.seconds / own.seconds
        if way.who.startswith("covey"):
            yield Row("merge", f"{what}, each, every flush verified", "µs", (way.seconds * 1e6,))
            continue
        bound = next((bound for name, bound in TIMES.items() if way.who.startswith(name)), None)
        aim = None if bound is None else Aim("at least", bound)
        yield Row("merge", f"{what} beside {way.who}", "times as fast", (times,), aim)
    yield from sizes_held(what, ways)


def sizes_held(what: str, ways: Sequence[Merged]) -> Iterator[Row]:
    """Hold the bytes of an entry against pycrdt's, as they are: a tenth of a byte above is above.

    Covey's update carries a signature and a root for each flush, spread over all entries here; pycrdt's has
    nothing of the kind.
    """
    sized = {way.who.partition(",")[0]: way.size for way in ways if way.size is not None}
    own, other = sized.get("covey"), sized.get("pycrdt")
    if own is None:
        return
    if other is None:
        yield Row("merge", f"{what}, encoded", "bytes an entry", (own,), notes=("no pycrdt beside it",))
        return
    said = (
        f"{own - other:+.2f} beside pycrdt's, which signs nothing: covey's has what signs its flushes in it"
    )
    yield Row("merge", f"{what}, encoded", "bytes an entry", (own,), Aim("at most", other), notes=(said,))
