"""Two peers on loopback, two processes: how many blocks a second does one admit from the other?

`python -m benches.loopback [--blocks N] [--heard] [--standard]`. The speaker mints, signs, stores,
seals and sends; the hearer opens, verifies, judges against five anchors and stores, each block durable
before it counts. The clock runs at the hearer, from its first durable record to its last. With `--heard` an
application there is also handed each block; with `--standard` blocks travel as with any other peer.

A block that the speaker's queue refuses, because the hearer stalled, is counted, and after a pause another
one is said in its place: a refused broadcast is never sent again. It always ends: with a figure or a reason.
"""

import argparse
import asyncio
import itertools
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from benches import samples
from covey import _core
from covey.model import Minted, Proposal, SendState
from covey.net.tcp import TcpTransport
from covey.proto.options import AdmissionOptions, NodeOptions
from covey.runtime.node import Node
from covey.store.node import NodeStore
from covey.store.opening import open_store
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
EVERYTHING = AdmissionOptions(stable=2.0, guarded=2.0, redundancy=0.0)
"""A gate that admits all: each block is judged and each is a row."""


def peer(identity: _core.Identity, folder: Path, options: NodeOptions) -> Node:
    """Build a peer on a store in `folder`."""
    folder.mkdir()
    clock = SystemClock()
    return Node(
        identity,
        options,
        store=NodeStore(open_store(folder / "store.db", identity.node_id), identity, clock),
        transport=TcpTransport(),
        clock=clock,
        entropy=SystemEntropy(),
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """How many blocks the hearer admitted since its first look, in how long; how many sends were refused."""

    blocks: int
    seconds: float
    refused: int


class StuckError(Exception):
    """The measurement has no figure; the message says why."""


async def hear(wire: Connection, folder: Path, blocks: int, heard: bool, standard: bool) -> None:
    """Listen; send the port, and at the end (blocks, seconds)."""
    trusted = frozenset({samples.NODE_ID})
    options = NodeOptions(room=samples.ROOM, admission=EVERYTHING, trusted=trusted, compact=not standard)
    async with peer(samples.OTHER, folder, options) as node:
        if heard:
            node.subscribe(lambda _: None)
        wire.send(node.port)
        first, began, admitted, moved_at = 0, 0.0, 0, time.perf_counter()
        while admitted < blocks:
            before, admitted = admitted, node.counters().get("records.admitted", 0)
            if admitted > before:
                moved_at = time.perf_counter()
            if admitted and not first:
                first, began = admitted, time.perf_counter()
            if time.perf_counter() > moved_at + QUIET_SECONDS:
                raise StuckError(f"the hearer admitted {admitted:,} of {blocks:,}, then nothing came")
            await asyncio.sleep(LOOK_SECONDS)
        wire.send((blocks - first, time.perf_counter() - began))
        await asyncio.Event().wait()  # whoever measures ends both


async def speak(wire: Connection, folder: Path, blocks: int, port: int) -> None:
    """Dial, and emit the blocks, many at once; when asked, send how many sends were refused."""
    options = NodeOptions(room=samples.ROOM, admission=EVERYTHING, addresses=(("127.0.0.1", port),))
    async with peer(samples.IDENTITY, folder, options) as node:
        if not await node.wait_for_peers(1, MEET_SECONDS):
            raise StuckError(f"the peers did not meet in {MEET_SECONDS:.0f} s")
        numbers, others, refused = iter(range(blocks)), itertools.count(blocks), 0

        async def say() -> None:
            """Say one block after the other, as others do beside: a task or a waiter for each costs more."""
            nonlocal refused
            for number in numbers:
                pause = REFUSED_SECONDS
                while await _is_refused(node, number):
                    refused, number = refused + 1, next(others)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, REFUSED_LAST_SECONDS)

        async with asyncio.TaskGroup() as group:
            asyncio.get_running_loop().add_reader(wire.fileno(), lambda: wire.recv() and wire.send(refused))
            for _ in range(IN_FLIGHT):
                group.create_task(say())
        await asyncio.Event().wait()  # whoever measures ends both


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


def measured(blocks: int, *, heard: bool, standard: bool = False) -> Measured:
    """Run both peers to their end.

    Raises:
        StuckError: There is no figure.
    """
    processes = []
    with tempfile.TemporaryDirectory() as name:
        try:
            hearer, hears = started(hear, Path(name) / "hearer", blocks, heard, standard)
            processes.append(hearer)
            speaker, speaks = started(speak, Path(name) / "speaker", blocks, said(hears))
            processes.append(speaker)
            counted, seconds = said(hears, speaks)
            speaks.send("how many were refused?")
            return Measured(counted, seconds, said(speaks, hears))
        finally:
            for process in processes:
                process.kill()
                process.join()


def main() -> int:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(description="blocks a second between two peers on loopback")
    parser.add_argument("--blocks", type=int, default=20_000)
    parser.add_argument("--heard", action="store_true")
    parser.add_argument("--standard", action="store_true", help="JSON envelopes, as with any other peer")
    arguments = parser.parse_args()
    try:
        got = measured(arguments.blocks, heard=arguments.heard, standard=arguments.standard)
    except StuckError as error:
        print(f"two peers on loopback: no figure: {error}", file=sys.stderr)
        return 1
    how = ", each handed to an application" if arguments.heard else ""
    how += ", JSON envelopes" if arguments.standard else ", compact batches"
    how += f", {got.refused:,} more refused as the hearer stalled" if got.refused else ""
    rate = f"{got.blocks / got.seconds:,.0f} blocks a second"
    print(f"two peers on loopback: {rate} ({got.blocks:,} in {got.seconds:.2f} s{how})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
