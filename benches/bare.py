"""The way of a block with nothing in it: what two disks, two writers' threads and a socket take alone.

`python -m benches.bare [--pace N] [--seconds N]`. Two processes on loopback. The author hands as many bytes
as a block has on the wire to a writer's thread, which writes 12 KiB over a file and waits for the disk;
told so, its loop writes them to a socket. The hearer's loop hands what it reads to a writer's thread of its
own, and is told. Nothing is signed, sealed, read, judged or indexed, no row written, no lock taken but the
queue's. What comes while a writer is busy shares its next write, as at a peer. So what is printed is the
least that a peer with such threads takes on this machine; it stands beside `covey bench latency`, whose
stations have the same names. `TMPDIR` says on which disk.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import struct
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Final

from covey.bench import disk, stations
from covey.bench.stats import percentile

BLOCK_BYTES: Final = 1_000
"""About what a block of `covey bench latency` has in a compact batch."""
WRITE_BYTES: Final = 12 * 1024
PLACES: Final = 1_024
"""Of the file that is written over again and again."""
STAMP: Final = struct.Struct("<q")
STATIONS: Final = ("kept", "read", "delivered")
WARM: Final = 100
"""First blocks, which are not counted."""

Told = Callable[[list[int]], None]


class Writer:
    """One thread that makes numbers durable: whatever waits, with one write."""

    def __init__(self, loop: asyncio.AbstractEventLoop, told: Told) -> None:
        self._loop, self._told = loop, told
        self._waiting: deque[int] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._file = tempfile.TemporaryFile(prefix="covey-bare-")  # noqa: SIM115 - it lasts as long as the thread
        self._file.write(bytes(PLACES * WRITE_BYTES))
        self._file.flush()
        os.fsync(self._file.fileno())
        threading.Thread(target=self._run, daemon=True).start()

    def keep(self, emitted: int) -> None:
        """Take one more."""
        with self._changed:
            self._waiting.append(emitted)
            self._changed.notify()

    def _run(self) -> None:
        descriptor, sync = self._file.fileno(), getattr(os, "fdatasync", os.fsync)
        for place in range(1 << 62):
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                group = list(self._waiting)
                self._waiting.clear()
            os.pwrite(descriptor, b"x" * WRITE_BYTES, place % PLACES * WRITE_BYTES)
            sync(descriptor)
            self._loop.call_soon_threadsafe(self._told, group)


class Hearer(asyncio.Protocol):
    """Reads blocks, keeps them, and notes how old each was when it was read and when it was durable."""

    def __init__(self, blocks: int) -> None:
        self._ages: dict[str, list[float]] = {name: [] for name in STATIONS[1:]}
        self._left, self._rest = blocks, b""
        self._writer = Writer(asyncio.get_running_loop(), self._durable)
        self.done: asyncio.Future[dict[str, list[float]]] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Cut the stream, and keep each block."""
        now, data = time.perf_counter_ns(), self._rest + data
        whole = len(data) // BLOCK_BYTES * BLOCK_BYTES
        for start in range(0, whole, BLOCK_BYTES):
            (emitted,) = STAMP.unpack_from(data, start)
            self._ages["read"].append((now - emitted) / 1e9)
            self._writer.keep(emitted)
        self._rest = data[whole:]

    def _durable(self, group: list[int]) -> None:
        now = time.perf_counter_ns()
        self._ages["delivered"].extend((now - emitted) / 1e9 for emitted in group)
        self._left -= len(group)
        if not self._left:
            self.done.set_result(self._ages)


async def hear(blocks: int, wire: Connection) -> None:
    """Await the blocks of one author; send the ages."""
    loop = asyncio.get_running_loop()
    hearer = Hearer(blocks)
    server = await loop.create_server(lambda: hearer, "127.0.0.1", 0)
    wire.send(server.sockets[0].getsockname()[1])
    wire.send(await hearer.done)
    server.close()


async def speak(port: int, pace: float, blocks: int) -> list[float]:
    """Say blocks, each at its time; return how old each was when it was durable here."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
    ages: list[float] = []
    all_kept = asyncio.Event()

    def kept(group: list[int]) -> None:
        now = time.perf_counter_ns()
        ages.extend((now - emitted) / 1e9 for emitted in group)
        transport.write(b"".join(STAMP.pack(emitted).ljust(BLOCK_BYTES, b".") for emitted in group))
        if len(ages) == blocks:
            all_kept.set()

    writer = Writer(loop, kept)
    began = loop.time()
    for number in range(blocks):
        wait = began + number / pace - loop.time()
        if wait > 0.0:
            await asyncio.sleep(wait)
        writer.keep(time.perf_counter_ns())
    await all_kept.wait()
    return ages


def _hearing(blocks: int, wire: Connection) -> None:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(hear(blocks, wire))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # no wheel for this system: peers run on asyncio's loop there, and so does this
        return None
    return uvloop.new_event_loop


def measured(pace: float, blocks: int) -> dict[str, list[float]]:
    """Run both ends; return the ages at each station, in seconds."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    hearer = context.Process(target=_hearing, args=(blocks, theirs), daemon=True)
    hearer.start()
    theirs.close()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        kept = runner.run(speak(ours.recv(), pace, blocks))
    ages = {"kept": kept, **ours.recv()}
    hearer.join()
    return {name: found[WARM:] for name, found in ages.items()}


def main() -> int:
    """Measure, and print percentiles of each station and of the disk beside them."""
    parser = argparse.ArgumentParser(description="the way of a block with nothing in it")
    parser.add_argument("--pace", type=float, default=1_000.0, help="blocks a second (1000)")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long (5)")
    arguments = parser.parse_args()
    blocks = int(arguments.pace * arguments.seconds)
    if arguments.pace <= 0.0 or blocks <= WARM:
        parser.error(f"--pace times --seconds: more than {WARM} blocks, which are not counted, got {blocks}")
    ages = measured(arguments.pace, blocks)
    print(f"with nothing in it, {blocks - WARM:,} blocks, {arguments.pace:,.0f} a second; ms after the call:")
    for name in STATIONS:
        tell(name, {word: percentile(ages[name], at) * 1e3 for word, at in stations.SHARES.items()})
    facts = disk.facts()
    for name in ("disk", "disk rested"):
        tell(name, {word: facts[f"{name} {word}"] / 1e3 for word in stations.SHARES})
    return 0


def tell(name: str, shares: Mapping[str, float]) -> None:
    """Print a line of percentiles."""
    print(f"  {name:12}" + "  ".join(f"{word} {at:6.2f}" for word, at in shares.items()))


if __name__ == "__main__":
    raise SystemExit(main())
