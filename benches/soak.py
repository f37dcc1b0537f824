"""Does a peer grow over many blocks? `python -m benches.footprint --soak 1000000`.

One peer says that many in batches, another, in a process of its own, admits them all, keeps them durable,
archives and forgets them: its clock goes by what it has admitted, ten thousand blocks to a day, so that
as many are held in every run. After each tenth its resident set is printed. The first three tenths fill
what has a bound (the seen-set, SQLite's caches, what admission looks at); from the others a line is
fitted, and its slope printed with a 95 % interval. The bench ends with 1 unless the upper end of that is at
most a byte a block: what was measured too loosely to say so has not been shown. So it does where the store
grows on disk, and where forgetting falls behind: where more blocks are held than it can be late with, or ever
more. Fewer than half a million blocks fill those bounds only later, and decide nothing.
"""

from __future__ import annotations

import asyncio
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from benches import samples
from benches.loopback import (
    EVERYTHING,
    LOOK_SECONDS,
    QUIET_SECONDS,
    Plan,
    StuckError,
    peer,
    said,
    speak,
    started,
)
from benches.relay import resident_bytes
from covey.proto.options import NodeOptions
from covey.runtime.memory_book import DAY_MS, Keeping, keep
from covey.system.clock import SystemClock

BLOCKS_A_DAY = 10_000
RETENTION_DAYS = 5
KEEPING = Keeping(retention_days=float(RETENTION_DAYS), archive_after_days=2.0)
MOST_BYTES_A_BLOCK = 1.0
MOST_ON_DISK = 1.5
"""Times what the store took in the first tenths: as many blocks are held, its index is merged at times."""
MOST_HELD = 4 * RETENTION_DAYS * BLOCKS_A_DAY
"""Blocks held once a pass is over: 50,000 are kept, and what comes while a pass goes, on a busy machine as
many again, lies beside what came while the last one went. Twice that; what is later does not keep up."""
MOST_STAYING = 0.01
"""Of the blocks that come, the part that may surely stay: of ten million a hundred thousand, which shows."""
LEAST_BLOCKS = 500_000
BEAT_SECONDS, MOST_BEATS = 10.0, 90
WARM_TENTHS = 3
POINTS, STUDENT_95 = 7, 2.571
"""The last tenths; Student's t for 95 % of both sides and the five degrees of freedom that a line leaves."""


class CountingClock(SystemClock):
    """Wall time that goes by what was admitted; monotonic time is the machine's."""

    __slots__ = ("_began_ms", "admitted")

    def __init__(self) -> None:
        self.admitted = 0
        self._began_ms = super().now_ms()

    def now_ms(self) -> int:
        """Return milliseconds: a day has passed with every ten thousand blocks."""
        return self._began_ms + self.admitted * DAY_MS // BLOCKS_A_DAY


@dataclass(frozen=True, slots=True)
class Slope:
    """What a block leaves, in bytes or in blocks, and the 95 % interval of that."""

    each: float
    low: float
    high: float

    @property
    def bounded(self) -> bool:
        """Tell whether it surely leaves nothing to speak of: a wide interval shows nothing."""
        return self.high <= MOST_BYTES_A_BLOCK


def slope(came: Sequence[int], left: Sequence[int]) -> Slope:
    """Fit a line by least squares; seven points of it.

    Raises:
        ValueError: Another number of points.
    """
    if not len(came) == len(left) == POINTS:
        raise ValueError(f"a slope needs {POINTS} points of each, got {len(came)} and {len(left)}")
    fitted = statistics.linear_regression(came, left)
    missed = sum((y - fitted.slope * x - fitted.intercept) ** 2 for x, y in zip(came, left, strict=True))
    middle = statistics.fmean(came)
    wide = STUDENT_95 * math.sqrt(missed / (POINTS - 2) / sum((x - middle) ** 2 for x in came))
    return Slope(fitted.slope, fitted.slope - wide, fitted.slope + wide)


def size(folder: Path) -> int:
    """Return the bytes of the files in a folder."""
    return sum(each.stat().st_size for each in folder.iterdir())


async def keeping(wire: Connection, work: Callable[[], object]) -> None:
    """Archive and forget beside what comes; say now and then that it goes on.

    Where others have the processor a pass takes longer than a peer that is stuck is waited for.

    Raises:
        StuckError: It came to no end.
    """
    done = asyncio.create_task(asyncio.to_thread(work))
    for _ in range(MOST_BEATS):
        await asyncio.wait({done}, timeout=BEAT_SECONDS)
        wire.send(None)
        if done.done():
            await done
            return
    raise StuckError(f"a pass of forgetting came to no end in {MOST_BEATS * BEAT_SECONDS:.0f} s")


async def take(wire: Connection, folder: Path, blocks: int) -> None:
    """Listen; send the port, and after each tenth (blocks, bytes in memory, on disk, records held, seconds).

    Between them it sends None, lest it be taken for stuck.
    """
    clock = CountingClock()
    trusted = frozenset({samples.NODE_ID})
    options = NodeOptions(room=samples.ROOM, admission=EVERYTHING, trusted=trusted)
    async with peer(samples.OTHER, folder, options, clock) as node:
        file = node._store._store  # type: ignore[attr-defined]  # the bench keeps the node's own store
        wire.send(node.port)
        kept, tenth, began, moved_at = 0, 1, time.perf_counter(), time.perf_counter()
        while tenth <= 10:
            admitted = node.counters().get("records.admitted", 0)
            if admitted > clock.admitted:
                clock.admitted, moved_at = admitted, time.perf_counter()
            elif time.perf_counter() > moved_at + QUIET_SECONDS:
                raise StuckError(f"{admitted:,} of {blocks:,} were admitted, then nothing came")
            if admitted >= min(kept + BLOCKS_A_DAY, tenth * blocks // 10):
                kept = admitted
                file.inbox_ack(file.stats()["inbox_last"])
                await keeping(wire, partial(keep, file, KEEPING, clock.now_ms()))
            if admitted >= tenth * blocks // 10:
                held, on_disk = file.stats()["records"], size(folder)
                seconds = time.perf_counter() - began
                wire.send((admitted, resident_bytes(os.getpid()), on_disk, held, seconds))
                tenth += 1
            await asyncio.sleep(LOOK_SECONDS)
        await asyncio.Event().wait()  # whoever measures ends both


@dataclass(frozen=True, slots=True)
class Soaked:
    """What one peer held after each tenth: blocks that came and bytes in memory; bytes on disk; blocks."""

    points: tuple[tuple[int, int], ...]
    stored: tuple[int, ...]
    held: tuple[int, ...]

    def slope(self) -> Slope | None:
        """Return what a block of the last tenths leaves; None of too few blocks."""
        if self.points[-1][0] < LEAST_BLOCKS:
            return None
        return slope(*zip(*self.points[WARM_TENTHS:], strict=True))

    @property
    def most_held(self) -> int:
        """The most blocks that were held after one of the last tenths."""
        return max(self.held[WARM_TENTHS:])

    @property
    def staying(self) -> Slope:
        """How many of one more block that comes stay, over the last tenths."""
        came = [blocks for blocks, _ in self.points[WARM_TENTHS:]]
        return slope(came, self.held[WARM_TENTHS:])

    def troubles(self) -> Iterator[str]:
        """Say what became more that has a bound; nothing where nothing did."""
        fitted = self.slope()
        if fitted is not None and not fitted.bounded:
            yield f"not shown to stay within {MOST_BYTES_A_BLOCK:g} byte a block"
        if self.on_disk > MOST_ON_DISK:
            before = max(self.stored[:WARM_TENTHS]) / 1e6
            yield f"the store grows: {max(self.stored[WARM_TENTHS:]) / 1e6:.0f} MB, {before:.0f} before"
        kept = f"{RETENTION_DAYS * BLOCKS_A_DAY:,} are kept"
        if self.most_held > MOST_HELD:
            yield f"forgetting falls behind: {self.most_held:,} blocks held, {MOST_HELD:,} at most: {kept}"
        if self.staying.low > MOST_STAYING:
            grown = f"{self.held[WARM_TENTHS]:,} to {self.held[-1]:,} blocks held"
            part = f"of those that come {self.staying.low:.1%} stay at least"
            yield f"forgetting falls behind: from {grown} over the last tenths, {part}"

    @property
    def on_disk(self) -> float:
        """How many times what the store took in its first tenths it took at most in the others."""
        return max(self.stored[WARM_TENTHS:]) / max(self.stored[:WARM_TENTHS])


def soaked(blocks: int, tell: Callable[[str], None]) -> Soaked:
    """Run both peers to their end, and tell what is held after each tenth.

    Raises:
        StuckError: There is no figure.
    """
    processes, points, stored, holding = [], list[tuple[int, int]](), list[int](), list[int]()
    with tempfile.TemporaryDirectory(prefix="covey-soak-") as name:
        try:
            taker, takes = started(take, Path(name) / "taker", blocks)
            processes.append(taker)
            plan = Plan(blocks, how="many", ready=False)
            speaker, speaks = started(speak, Path(name) / "speaker", plan, said(takes))
            processes.append(speaker)
            for _ in range(10):
                while (point := said(takes, speaks)) is None:
                    continue
                admitted, resident, on_disk, held, seconds = point
                points.append((admitted, resident))
                stored.append(on_disk)
                holding.append(held)
                holds = f"{resident / 1e6:.1f} MB, {held:,} held in {on_disk / 1e6:.0f} MB on disk"
                rate = f"{admitted / seconds:,.0f} a second so far"
                tell(f"  after {admitted:>10,} blocks {holds} ({rate})")
            return Soaked(tuple(points), tuple(stored), tuple(holding))
        finally:
            for process in processes:
                process.kill()
                process.join()


def soak(blocks: int) -> int:
    """Run both peers to their end, and print; return what the program ends with."""
    try:
        found = soaked(blocks, partial(print, flush=True))
    except StuckError as error:
        print(f"soak: no figure: {error}", file=sys.stderr)
        return 1
    return told(found, partial(print, flush=True))


def told(found: Soaked, tell: Callable[[str], None]) -> int:
    """Say what a block leaves, and what became more; return what the program ends with."""
    fitted = found.slope()
    if fitted is None:
        tell(f"soak: too few blocks to say: {LEAST_BLOCKS:,} at least")
        return 0
    tell(
        f"soak: a block leaves {fitted.each:.2f} bytes (95 % {fitted.low:.2f} to {fitted.high:.2f}), "
        f"from the last {POINTS} tenths"
    )
    troubles = list(found.troubles())
    for trouble in troubles:
        tell(f"soak: {trouble}")
    return int(bool(troubles))
