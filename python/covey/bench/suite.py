"""What `covey bench` measures, in order, and in what sizes: a quick run says whether, a full one how much."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from covey import __version__
from covey.bench import local, mesh
from covey.bench.stats import Measure


class Piece(NamedTuple):
    """One thing to measure: its name, and how, quickly and fully."""

    name: str
    quick: Callable[[], Measure]
    full: Callable[[], Measure]


PIECES: Final = (
    Piece("verification", lambda: local.verification(10), lambda: local.verification(60)),
    Piece("admission-5", lambda: local.admission(5, 10), lambda: local.admission(5, 60)),
    Piece("admission-64", lambda: local.admission(64, 5), lambda: local.admission(64, 40)),
    Piece("admission-1000", lambda: local.admission(1_000, 3), lambda: local.admission(1_000, 20)),
    Piece("merge", lambda: local.merge(10_000, 5), lambda: local.merge(100_000, 15)),
    Piece("recall", lambda: local.recall(2_000, 20), lambda: local.recall(100_000, 50)),
    Piece("throughput", lambda: mesh.throughput(1_000, 2), lambda: mesh.throughput(20_000, 5)),
    Piece(
        "latency-200",
        lambda: mesh.latency("latency-200", 200.0, 1.0),
        lambda: mesh.latency("latency-200", 200.0, 8.0),
    ),
    Piece(
        "latency",
        lambda: mesh.latency("latency", 1_000.0, 0.5),
        lambda: mesh.latency("latency", 1_000.0, 8.0),
    ),
    Piece("fan-out", lambda: mesh.fanout(200, 4, 1), lambda: mesh.fanout(4_000, 8, 3)),
    Piece("relayed", lambda: mesh.relayed(200, 1), lambda: mesh.relayed(2_000, 3)),
)


def names() -> list[str]:
    """Return what can be asked for."""
    return [piece.name for piece in PIECES]


def chosen(wanted: Sequence[str]) -> list[Piece]:
    """Return the pieces with these names, all of them for none."""
    return [piece for piece in PIECES if not wanted or piece.name in wanted]


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
