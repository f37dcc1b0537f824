"""Two peers on loopback, two processes: how many blocks a second does one admit from the other?

`python -m benches.loopback [--blocks N] [--heard] [--standard] [--many | --signed] [--baseline]`. The
speaker mints, signs, stores, seals and sends; the hearer opens, verifies, judges against five anchors and
stores, each block durable before it counts. The clock runs at the hearer, from its first durable record to
its last. With `--heard` an application there is also handed each block; with `--standard` blocks travel as
with any other peer. With `--many` the speaker's program says lines in batches; with `--signed` their blocks
were signed before the clock runs, and are stored, sealed and sent in it. `--baseline` judges by the
reference's path. Printed beside: the processor time of each for a block until the last one is admitted and
the rate that it allows on two cores, how many blocks each full-text index lacks then, how long until the
hearer's has them, and what processor time that took afterwards.

A block that the speaker's queue refuses, because the hearer stalled, is counted, and after a pause another
one is said in its place: a refused broadcast is never sent again. It always ends: with a figure or a reason.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from benches import samples
from covey import _core
from covey.model import Minted, Proposal, SendState
from covey.net.tcp import TcpTransport
from covey.proto.many import EmittedMany, ManyResult
from covey.proto.options import AdmissionOptions, NodeOptions
from covey.runtime.node import Node
from covey.store.node import NodeStore
from covey.store.opening import open_store
from covey.system import collector
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy

IN_FLIGHT = 1024
"""Blocks the speaker has begun and not yet made durable."""
LOOK_SECONDS = 0.002
"""How often the hearer looks at its counters: far below what is measured."""
MEET_SECONDS = 20.0
"""Peers of one machine that have not met by then never will."""
QUIET_SECONDS = 60.0
"""A hearer that admits nothing for so long will not go on: a loaded machine stalls for seconds."""
REFUSED_SECONDS = 0.1
"""A speaker whose queue is full says nothing for this long …"""
REFUSED_LAST_SECONDS = 1.0
"""… doubling up to here."""
BATCH = 256
"""Lines of one batch, and so what waits for one commit of the speaker."""
BATCHES_IN_FLIGHT = 4
CORES = 2
"""What the aims are for, and so what the bound by processor time is of."""
EVERYTHING = AdmissionOptions(stable=2.0, guarded=2.0, redundancy=0.0)
"""A gate that admits all: each block is judged and each is a row."""


def peer(
    identity: _core.Identity, folder: Path, options: NodeOptions, clock: SystemClock | None = None
) -> Node:
    """Build a peer on a store in `folder`, by the system's clock unless another is given."""
    folder.mkdir()
    clock = clock or SystemClock()
    return Node(
        identity,
        options,
        store=NodeStore(open_store(folder / "store.db", identity.node_id), identity, clock),
        transport=TcpTransport(),
        clock=clock,
        entropy=SystemEntropy(),
    )


@dataclass(frozen=True, slots=True)
class Work:
    """What one peer's processor did: seconds until the last block was admitted, seconds after that until the
    indexes of full text had caught up, and how many blocks its own index lacked in between."""

    cpu_seconds: float
    drain_cpu_seconds: float
    lag: int


@dataclass(frozen=True, slots=True)
class Measured:
    """How many blocks the hearer admitted since its first look, in how long; how long its index of full text
    took to catch up; how many sends were refused; how many blocks were said in all, and each peer's work."""

    blocks: int
    seconds: float
    drain_seconds: float
    refused: int
    said: int
    hearer: Work
    speaker: Work

    @property
    def rate(self) -> float:
        """Blocks a second."""
        return self.blocks / self.seconds

    def each_us(self, cpu_seconds: float) -> float:
        """Return what of processor time falls to a block, in microseconds."""
        return cpu_seconds / self.said * 1e6

    @property
    def both_us(self) -> float:
        """Both peers' processor time of a block until the last one was admitted, in microseconds."""
        return self.each_us(self.hearer.cpu_seconds + self.speaker.cpu_seconds)

    @property
    def bound(self) -> float:
        """Blocks a second that this processor time allows on two cores which never wait."""
        return CORES * 1e6 / self.both_us


@dataclass(frozen=True, slots=True)
class Plan:
    """How many blocks, and in which way."""

    blocks: int
    heard: bool = False
    standard: bool = False
    how: str = "each"
    """`each`, `many` or `signed`."""
    path: str = "selective"
    ready: bool = True
    """Lines are there before the clock runs; else they are made as they are said, for any number of them."""


class StuckError(Exception):
    """The measurement has no figure; the message says why."""


async def hear(wire: Connection, folder: Path, plan: Plan) -> None:
    """Listen; send the port; at the last block how many, in what time, with what processor time, and how far
    the index is behind; once it has caught up, how long that took, and with what processor time."""
    trusted, judging = frozenset({samples.NODE_ID}), replace(EVERYTHING, path=plan.path)
    options = NodeOptions(room=samples.ROOM, admission=judging, trusted=trusted, compact=not plan.standard)
    async with peer(samples.OTHER, folder, options) as node:
        if plan.heard:
            node.subscribe(lambda _: None)
        collector.settle()  # as `covey listen` and `run` do
        wire.send(node.port)
        first, began, admitted, moved_at, busy = 0, 0.0, 0, time.perf_counter(), time.process_time()
        while admitted < plan.blocks:
            before, admitted = admitted, node.counters().get("records.admitted", 0)
            if admitted > before:
                moved_at = time.perf_counter()
            if not admitted:
                began = time.perf_counter()  # the last look before the first; of few blocks the next sees all
            elif not first and admitted < plan.blocks:
                first, began = admitted, time.perf_counter()
            if time.perf_counter() > moved_at + QUIET_SECONDS:
                raise StuckError(f"the hearer admitted {admitted:,} of {plan.blocks:,}, then nothing came")
            await asyncio.sleep(LOOK_SECONDS)
        seconds, worked = time.perf_counter() - began, time.process_time()
        began, lag = time.perf_counter(), _lag(node)
        wire.send((plan.blocks - first, seconds, lag, worked - busy))
        while _lag(node):  # noqa: ASYNC110 - an index says nothing when it has caught up
            await asyncio.sleep(LOOK_SECONDS)
        wire.send((time.perf_counter() - began, time.process_time() - worked))
        await asyncio.Event().wait()  # whoever measures ends both


def _lag(node: Node) -> int:
    """Return how many blocks the index of full text lacks."""
    file = node._store._store  # type: ignore[attr-defined]  # the bench looks at the node's own store
    return int(file.stats()["recall_lag"])


async def speak(wire: Connection, folder: Path, plan: Plan, port: int) -> None:
    """Dial, and emit the blocks, many at once; as often as asked, send how many sends were refused, the
    processor time so far, and how far the index is behind."""
    options = NodeOptions(room=samples.ROOM, admission=EVERYTHING, addresses=(("127.0.0.1", port),))
    async with peer(samples.IDENTITY, folder, options) as node:
        lines: Iterable[bytes] = lazily(plan.blocks) if plan.how != "each" else ()
        lines = list(lines) if plan.ready else lines
        signed = [node.many.sign(batch) for batch in lines] if plan.how == "signed" else []
        if not await node.wait_for_peers(1, MEET_SECONDS):
            raise StuckError(f"the peers did not meet in {MEET_SECONDS:.0f} s")
        collector.settle()
        said, busy = Said(plan.blocks), time.process_time()

        def answer() -> None:
            wire.recv()
            wire.send((said.refused, time.process_time() - busy, _lag(node)))

        asyncio.get_running_loop().add_reader(wire.fileno(), answer)
        async with asyncio.TaskGroup() as group:
            if plan.how == "each":
                numbers = iter(range(plan.blocks))
                for _ in range(IN_FLIGHT):
                    group.create_task(said.each(node, numbers))
            else:
                calls = (
                    partial(node.many.publish, batch) if signed else partial(node.many.emit, batch)
                    for batch in signed or lines
                )
                for _ in range(BATCHES_IN_FLIGHT):
                    group.create_task(said.many(node, calls))
        await asyncio.Event().wait()  # whoever measures ends both


def batches(first: int, count: int, together: int = BATCH) -> list[bytes]:
    """Return the lines of blocks with these numbers, so many in one batch."""
    numbers = range(first, first + count)
    line = [json.dumps(samples.categories(number)).encode() + b"\n" for number in numbers]
    return [b"".join(line[at : at + together]) for at in range(0, count, together)]


def lazily(count: int) -> Iterator[bytes]:
    """Give the lines of so many blocks, batch by batch."""
    for at in range(0, count, BATCH):
        yield from batches(at, min(BATCH, count - at))


class Said:
    """What a speaker has said, and how much of it was refused: as many others are said in its place."""

    def __init__(self, blocks: int) -> None:
        self.refused = 0
        self._others = itertools.count(blocks)

    async def each(self, node: Node, numbers: Iterator[int]) -> None:
        """Say one block after the other, as others do beside: a task or a waiter for each costs more."""
        for number in numbers:
            pause = REFUSED_SECONDS
            while await _is_refused(node, number):
                self.refused, number = self.refused + 1, next(self._others)
                await asyncio.sleep(pause)
                pause = min(2 * pause, REFUSED_LAST_SECONDS)

    async def many(self, node: Node, calls: Iterator[Callable[[], Awaitable[ManyResult]]]) -> None:
        """Say one batch after the other."""
        for call in calls:
            pause = REFUSED_SECONDS
            while short := _short(await call()):
                self.refused += short
                await asyncio.sleep(pause)
                pause = min(2 * pause, REFUSED_LAST_SECONDS)
                again = batches(next(self._others), short)[0]
                for _ in range(short - 1):
                    next(self._others)
                call = partial(node.many.emit, again)


def _short(result: ManyResult) -> int:
    """Return how many blocks of a batch the one peer there is will not get, for its queue was full."""
    if not isinstance(result, EmittedMany) or result.refused or result.duplicates:
        raise StuckError(f"a batch was not minted: {result}")
    return sum(took.refused for took in result.sends)


async def _is_refused(node: Node, number: int) -> bool:
    """Emit a block; tell whether the one peer there is will not get it, for its queue is full."""
    result = await node.emit(Proposal(samples.categories(number)))
    if not isinstance(result, Minted):
        raise StuckError(f"block {number} was not minted: {result}")
    return any(send.state is SendState.REFUSED for send in result.sends)


def run(work: Callable[..., Coroutine[Any, Any, None]], wire: Connection, *arguments: object) -> None:
    """Run a peer under uvloop where there is one; what goes wrong is said over the wire."""
    try:
        import uvloop
    except ImportError:
        runner = asyncio.run
    else:
        runner = uvloop.run
    try:
        runner(work(wire, *arguments))
    except BaseExceptionGroup as group:  # the boundary of this process: whoever measures raises it
        wire.send(StuckError(str(group.exceptions[0])))
    except Exception as error:
        wire.send(StuckError(str(error) or type(error).__name__))


def started(*arguments: object) -> tuple[multiprocessing.Process, Connection]:
    """Start a peer in a process of its own; return it and our end of its wire."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=run, args=(arguments[0], theirs, *arguments[1:]))
    process.start()
    theirs.close()
    return process, ours


def said(expected: Connection, *others: Connection) -> Any:
    """Wait for what a peer says.

    Raises:
        StuckError: It or another failed, has ended, or says nothing for longer than a hearer may be quiet.
    """
    while ready := wait([expected, *others], 2 * QUIET_SECONDS):
        try:
            words = [wire.recv() for wire in ready if isinstance(wire, Connection)]
        except EOFError:
            raise StuckError("a peer ended before the measurement did") from None
        for word in words:
            if isinstance(word, StuckError):
                raise word
        if expected in ready:
            return words[ready.index(expected)]
    raise StuckError(f"a peer said nothing for {2 * QUIET_SECONDS:.0f} s")


def asked(speaks: Connection) -> tuple[int, float, int]:
    """Ask the speaker how many sends were refused, its processor time so far, and how far its index is
    behind. The hearer may speak meanwhile: that is kept for whoever waits for it."""
    speaks.send("how is it?")
    refused, cpu_seconds, lag = said(speaks)
    return refused, cpu_seconds, lag


def caught_up(speaks: Connection) -> float:
    """Wait until the speaker's index of full text has all; return the speaker's processor time by then."""
    until = time.perf_counter() + QUIET_SECONDS
    while time.perf_counter() < until:
        _, cpu_seconds, lag = asked(speaks)
        if not lag:
            return cpu_seconds
        time.sleep(LOOK_SECONDS)
    raise StuckError(f"the speaker's full text lacks {lag:,} blocks after {QUIET_SECONDS:.0f} s")


def measured(plan: Plan) -> Measured:
    """Run both peers to their end.

    Raises:
        StuckError: There is no figure.
    """
    processes = []
    with tempfile.TemporaryDirectory() as name:
        try:
            hearer, hears = started(hear, Path(name) / "hearer", plan)
            processes.append(hearer)
            speaker, speaks = started(speak, Path(name) / "speaker", plan, said(hears))
            processes.append(speaker)
            counted, seconds, lag, heard_for = said(hears, speaks)
            refused, spoke_for, behind = asked(speaks)
            drained, draining_for = said(hears, speaks)
            heard = Work(heard_for, draining_for, lag)
            spoke = Work(spoke_for, caught_up(speaks) - spoke_for, behind)
            return Measured(counted, seconds, drained, refused, plan.blocks, heard, spoke)
        finally:
            for process in processes:
                process.kill()
                process.join()


HOW = {"each": "", "many": ", said in batches", "signed": ", signed beforehand"}


def main() -> int:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(description="blocks a second between two peers on loopback")
    parser.add_argument("--blocks", type=int, default=20_000)
    parser.add_argument("--heard", action="store_true")
    parser.add_argument("--standard", action="store_true", help="JSON envelopes, as with any other peer")
    parser.add_argument("--baseline", action="store_true", help="judge by the reference's path")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--many", dest="how", action="store_const", const="many", default="each")
    how.add_argument("--signed", dest="how", action="store_const", const="signed")
    arguments = parser.parse_args()
    if arguments.blocks < 1:
        parser.error("--blocks: at least 1")
    path = "baseline" if arguments.baseline else "selective"
    plan = Plan(arguments.blocks, arguments.heard, arguments.standard, arguments.how, path)
    try:
        got = measured(plan)
    except StuckError as error:
        print(f"two peers on loopback: no figure: {error}", file=sys.stderr)
        return 1
    way = ", each handed to an application" if plan.heard else ""
    way += ", JSON envelopes" if plan.standard else ", compact batches"
    way += HOW[plan.how]
    way += ", judged by the baseline" if arguments.baseline else ""
    way += f", {got.refused:,} more refused as the hearer stalled" if got.refused else ""
    print(
        f"two peers on loopback: {got.rate:,.0f} blocks a second ({got.blocks:,} in {got.seconds:.2f} s{way})"
    )
    print("\n".join(beside(got)))
    return 0


def beside(got: Measured) -> Iterator[str]:
    """Say what both processors did until the last block was admitted, what that allows, what came after."""
    spoke, heard = got.each_us(got.speaker.cpu_seconds), got.each_us(got.hearer.cpu_seconds)
    yield (
        f"processor: {spoke:.0f} µs of the speaker and {heard:.0f} of the hearer a block until the last one; "
        f"two cores that never wait allow {got.bound:,.0f} a second"
    )
    after = [got.each_us(each.drain_cpu_seconds) for each in (got.speaker, got.hearer)]
    yield (
        f"full text: {got.hearer.lag:,} blocks behind at the last one, all of them after "
        f"{got.drain_seconds:.2f} s (the speaker's {got.speaker.lag:,}); for that {after[0]:.0f} and "
        f"{after[1]:.0f} µs a block more"
    )


if __name__ == "__main__":
    sys.exit(main())
