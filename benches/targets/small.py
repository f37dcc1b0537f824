"""What covey takes of a machine: the wheel, the import, a peer that nobody talks to, a thousand connected."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benches import footprint, startup
from benches.targets.rows import Aim, Row
from benches.targets.sizes import Sizes

DIST = Path(__file__).resolve().parents[2] / "dist"
WHEEL_MB, IDLE_MB, CONNECTED_MB = 6.0, 40.0, 400.0
STARTS, QUICK_STARTS = 10, 1
PEERS, QUICK_PEERS = 1_000, 8


def wheel(sizes: Sizes) -> Iterator[Row]:
    """Look at the wheels that were built."""
    built = sorted(DIST.glob("covey-*.whl"))
    if not built:
        yield Row("wheel", "size", skipped="no wheel in dist; next: make wheel")
    for each in built:
        said = each.name.removeprefix("covey-").removesuffix(".whl")
        yield Row("wheel", said, "MB", (each.stat().st_size / 1e6,), Aim("under", WHEEL_MB))


def compiled(folder: Path) -> dict[str, str]:
    """Return an environment in which modules are compiled once, as after an install, into this folder."""
    left = {name: word for name, word in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**left, "COVEY_HOME": str(folder / "home"), "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def start(sizes: Sizes) -> Iterator[Row]:
    """Measure imports, and peers that nobody talks to."""
    count = sizes.of(STARTS, QUICK_STARTS)
    with tempfile.TemporaryDirectory() as name:
        environment = compiled(Path(name))
        for statement, bound in startup.IMPORTS:
            startup.imported(statement, environment)  # compiles
            times = tuple(startup.imported(statement, environment) for _ in range(count))
            aim = None if bound is None else Aim("under", bound)
            notes = () if bound is not None else (startup.parts_line(environment, statement, count),)
            yield Row("start", statement, "ms", times, aim, notes=notes)
        run = ["run", "--config", str(startup.agent_file(Path(name)))]
        for what, words in (("covey listen", ["listen"]), ("covey run", run)):
            yield from idle(what, words, environment, sizes, count)


def idle(
    what: str, words: list[str], environment: Mapping[str, str], sizes: Sizes, count: int
) -> Iterator[Row]:
    """Start a peer some times: how soon it is ready, what it holds then, and with multicast."""
    if not sizes.quick:
        startup.started(words, environment)  # compiles
    starts = [startup.started(words, environment) for _ in range(count)]
    ready = tuple(each.seconds * 1e3 for each in starts)
    yield Row("start", f"{what}, ready after", "ms", ready, Aim("under", startup.READY_MS))
    held = tuple(each.resident_bytes / 1e6 for each in starts)
    yield Row("start", f"{what}, idle when ready", "MB", held, Aim("under", IDLE_MB))
    said = f"{what}, idle with multicast"
    if sizes.quick:
        yield Row("start", said, skipped=f"it takes {startup.SETTLED_SECONDS:.0f} s; leave --quick out")
        return
    settled = startup.started(words, environment, startup.SETTLED_SECONDS).settled_bytes / 1e6
    yield Row("start", said, "MB", (settled,), Aim("under", IDLE_MB))


def connected(sizes: Sizes) -> Iterator[Row]:
    """Connect many peers to one real program; each says a block that has to be judged."""
    count = sizes.of(PEERS, QUICK_PEERS)
    footprint.allow_files()
    with tempfile.TemporaryDirectory(prefix="covey-footprint-") as name:
        held = asyncio.run(footprint.measure(Path(name), count, 0, lambda _: None))
    each = (held.full - held.alone) / count / 1e3
    note = f"{held.alone / 1e6:.1f} MB alone, {each:.0f} KB for each; all there after {held.seconds:.1f} s"
    what = f"{count:,} peers connected to one, a block of each judged"
    yield Row("connected", what, "MB", (held.full / 1e6,), Aim("under", CONNECTED_MB), notes=(note,))
