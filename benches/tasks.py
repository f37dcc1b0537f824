"""Tasks a second, and how long one takes: `python -m benches.tasks`.

In one process on the local bus, rows in memory: what engines and desks cost. Over the mesh, two peers of this
process with stores of their own: a lease and a result are signed records, durable on both sides, and the
submitter's rows are on the disk before anything is told. Beside them a plain asyncio queue that does the same
work with none of it. Takes an argument: tasks of each measurement (default 300).
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from typing import Any

import covey
from covey.runtime.bus.local import LocalBus
from covey.runtime.work.desk import Desk
from covey.runtime.work.job import Job
from covey.runtime.work.rooms import Hall, MemoryKeeper
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy

CAPACITY = 32


async def echo(job: Job) -> Any:
    """Answer with what was asked."""
    return job.payload


def row(name: str, seconds: float, count: int, each: list[float]) -> None:
    """Print one line."""
    alone = statistics.median(each) * 1000
    sys.stdout.write(f"{name:<40} {count / seconds:>9.0f} tasks/s  {alone:>8.2f} ms median alone\n")


async def measured(name: str, submit: Any, count: int) -> None:
    """Measure some tasks one by one, then all at once."""
    alone = []
    for number in range(min(count, 50)):
        began = time.perf_counter()
        done = await (await submit(number)).result()
        alone.append(time.perf_counter() - began)
        assert done.value == number
    began = time.perf_counter()
    handles = [await submit(number) for number in range(count)]
    values = [(await each.result()).value for each in handles]
    row(name, time.perf_counter() - began, count, alone)
    assert values == list(range(count))


async def queue(count: int) -> None:
    """Measure a plain queue with as many workers."""
    waiting: asyncio.Queue[tuple[int, asyncio.Future[int]]] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    async def work() -> None:
        while True:
            number, done = await waiting.get()
            done.set_result(number)

    workers = [loop.create_task(work()) for _ in range(CAPACITY)]
    alone = []
    for number in range(50):
        began = time.perf_counter()
        waiting.put_nowait((number, future := loop.create_future()))
        await future
        alone.append(time.perf_counter() - began)
    began = time.perf_counter()
    futures = [loop.create_future() for _ in range(count)]
    for number, future in enumerate(futures):
        waiting.put_nowait((number, future))
    await asyncio.gather(*futures)
    row("a plain queue, nothing kept", time.perf_counter() - began, count, alone)
    for each in workers:
        each.cancel()


async def one_process(count: int) -> None:
    """Measure desks on a local bus."""
    bus, hall = LocalBus(clock=SystemClock(), entropy=SystemEntropy()), Hall()
    desks = []
    for name in ("lead", "worker"):
        desk = Desk(bus, hall.room(name), MemoryKeeper(), clock=SystemClock(), entropy=SystemEntropy())
        await desk.start()
        desks.append(desk)
    desks[1].hands.offer("worker", {"echo": echo}, capacity=CAPACITY)
    await measured("one process, rows in memory", lambda n: desks[0].submit("echo", n), count)
    for desk in desks:
        await desk.stop()


async def mesh(count: int) -> None:
    """Measure two peers."""
    room = f"bench-{os.urandom(4).hex()}"
    with tempfile.TemporaryDirectory() as home:
        async with (
            covey.Peer("lead", room=room, home=home) as lead,
            covey.Peer("worker", room=room, home=home) as worker,
        ):
            worker.tasks.offer({"echo": echo}, capacity=CAPACITY)
            await lead.tasks.do("echo", 0, within_seconds=60)
            await measured("over the mesh, signed and durable", lambda n: lead.tasks.submit("echo", n), count)


async def main(count: int) -> None:
    """Print one line for each way."""
    await queue(count)
    await one_process(count)
    await mesh(count)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
