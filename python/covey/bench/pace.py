"""How fast the machine is just now: fixed work that no build of covey changes, timed beside each sample.

Two runs are some minutes or months apart, and a machine with neighbours, a governor or a build beside it is
another one then. Nothing here is covey's own code, or a slower covey would pass for a slower machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, Final

from covey.bench import disk

CORE: Final = "one core"
CORES: Final = "its cores"
WAKE: Final = "waking a thread"
DISK: Final = "the disk"
ALONE: Final = (CORE,)
"""What work in one process hangs on."""
TOGETHER: Final = (CORES, WAKE, DISK)
"""What peers in several processes hang on: they share the cores, wake each other, and wait for the disk."""
_BLOCK: Final = bytes(1 << 16)
_DIGESTS: Final = 256
_COPIES: Final = 3_000
_STEPS: Final = 150_000
_MOST_THREADS: Final = 4
_ROUNDS: Final = 20
_REST_SECONDS: Final = 0.003


def probe(parts: Sequence[str]) -> dict[str, float]:
    """Return what fixed work of each part takes now, in microseconds; all parts take a third of a second."""
    return {part: _WORK[part]() * 1e6 for part in parts}


def _core() -> float:
    """Digest, copy and count: what a processor, its memory and its interpreter take."""
    began, count = time.perf_counter(), 0
    _digest()
    for _ in range(_COPIES):
        bytearray(_BLOCK)
    for step in range(_STEPS):
        count += step & 3
    return time.perf_counter() - began


def _digest() -> None:
    digest = hashlib.sha256()
    for _ in range(_DIGESTS):
        digest.update(_BLOCK)


def _cores() -> float:
    """Digest on several cores at once: a digest of so many bytes lets other threads run."""
    threads = [threading.Thread(target=_digest) for _ in range(min(_MOST_THREADS, os.cpu_count() or 1))]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def _wake() -> float:
    """Wake after a rest, and let another thread answer through a socket: what that took beside the rest."""
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=_echo, args=(theirs,), daemon=True)
    thread.start()
    try:
        return asyncio.run(_rested(_waker(ours)))
    finally:
        ours.close()
        thread.join()
        theirs.close()


def _waker(ours: socket.socket) -> Callable[[int], float]:
    last = time.perf_counter()

    def ping(_: int) -> float:
        nonlocal last
        ours.sendall(b"x")
        ours.recv(1)
        before, last = last, time.perf_counter()
        return last - before - _REST_SECONDS

    return ping


def _echo(theirs: socket.socket) -> None:
    while said := theirs.recv(1):
        theirs.sendall(said)


def _disk() -> float:
    """Keep small writes, after a rest each."""
    with tempfile.TemporaryFile(prefix="covey-bench-") as file:
        return asyncio.run(_rested(_writer(file)))


def _writer(file: IO[bytes]) -> Callable[[int], float]:
    disk.fill(file, _ROUNDS)
    return lambda number: disk.write(file, number)


async def _rested(once: Callable[[int], float]) -> float:
    """Return the mean of what `once` says, with a rest before each: a few that wait long count, too."""
    taken = []
    for number in range(_ROUNDS):
        await asyncio.sleep(_REST_SECONDS)
        taken.append(once(number))
    return statistics.fmean(taken)


_WORK: Final[dict[str, Callable[[], float]]] = {CORE: _core, CORES: _cores, WAKE: _wake, DISK: _disk}
