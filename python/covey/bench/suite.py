"""What `covey bench` measures, in order, and in what sizes: a quick run says whether, a full one how much.

A quick run takes one sample of each, which decides nothing.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from covey import __version__
from covey.bench import local, mesh
from covey.bench.goes import GOES, anew, here
from covey.bench.stats import Measure


class Piece(NamedTuple):
    """One thing to measure: its name, and how, quickly and fully."""

    name: str
    quick: Callable[[], Sequence[Measure]]
    full: Callable[[], Sequence[Measure]]


def _recall(held: int, rounds: int, go: Callable[..., Measure]) -> list[Measure]:
    """All goes search one store: to fill it takes longer than to search it."""
    with tempfile.TemporaryDirectory(prefix="covey-bench-") as name:
        return [go(local.recall, local.filled(Path(name), held), held, rounds)]


def _alone(name: str, quick: tuple[Any, ...], full: tuple[Any, ...], work: Callable[..., Measure]) -> Piece:
    """Return a piece that runs in one process: the arguments of a quick go and of each full one."""
    return Piece(name, lambda: [here(work, *quick)], lambda: [anew(GOES, work, *full)])


def _aged(name: str, rate: float, quick_seconds: float, seconds: float) -> Piece:
    return Piece(
        name,
        lambda: mesh.latencies(name, rate, quick_seconds, 1),
        lambda: mesh.latencies(name, rate, seconds, GOES),
    )


def _fanned(hearers: int | None) -> Piece:
    """Return how far one speaker carries: to so many hearers, or as many as it is usually asked of.

    Of more hearers fewer blocks: all of them are in one process, and each admission is work.
    """
    few, many = hearers or QUICK_HEARERS, hearers or HEARERS
    return Piece(
        FAN_OUT,
        lambda: [mesh.fanout(min(200, 800 // few), few, 1)],
        lambda: [mesh.fanout(min(4_000, 32_000 // many), many, GOES)],
    )


FAN_OUT: Final = "fan-out"
HEARERS, QUICK_HEARERS = 8, 4
_RELAYED: Final = partial(mesh.latency, "relayed-latency", mesh.RELAYED_RATE, relayed=True)
_BASELINE: Final = partial(local.admission, baseline=True)
PIECES: Final = (
    _alone("verification", (3,), (15,), local.verification),
    _alone("admission-5", (5, 3), (5, 15), local.admission),
    _alone("admission-64", (64, 3), (64, 9), local.admission),
    _alone("admission-1000", (1_000, 1), (1_000, 5), local.admission),
    _alone("admission-5-baseline", (5, 3), (5, 15), _BASELINE),
    _alone("admission-64-baseline", (64, 3), (64, 9), _BASELINE),
    _alone("admission-1000-baseline", (1_000, 1), (1_000, 5), _BASELINE),
    _alone("merge", (10_000, 3), (100_000, 5), local.merge),
    Piece("recall", lambda: _recall(2_000, 5, here), lambda: _recall(100_000, 20, partial(anew, GOES))),
    Piece("throughput", lambda: [mesh.throughput(1_000, 1)], lambda: [mesh.throughput(20_000, GOES)]),
    _aged("latency-200", 200.0, 1.0, 4.0),
    _aged("latency", 1_000.0, 0.5, 3.0),
    _fanned(None),
    Piece("relayed", lambda: [mesh.relayed(50, 1)], lambda: [mesh.relayed(mesh.RELAYED, GOES)]),
    Piece(
        "relayed-latency",
        lambda: [_RELAYED(0.5, 1)],
        lambda: [_RELAYED(mesh.RELAYED / mesh.RELAYED_RATE, GOES)],
    ),
)


def names() -> list[str]:
    """Return what can be asked for."""
    return [piece.name for piece in PIECES]


def chosen(wanted: Sequence[str], hearers: int | None = None) -> list[Piece]:
    """Return the pieces with these names, all of them for none; fan-out to so many hearers, where told."""
    named = [piece for piece in PIECES if not wanted or piece.name in wanted]
    return [_fanned(hearers) if piece.name == FAN_OUT else piece for piece in named]


def machine() -> dict[str, str]:
    """Say what the figures are of: nothing that names a person or a host."""
    return {
        "covey": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": str(os.cpu_count() or 1),
    }


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as rows:
            said = [row.partition(":")[2].strip() for row in rows if row.startswith(("model name", "Model"))]
    except OSError:
        said = []
    return said[0] if said else platform.machine()
