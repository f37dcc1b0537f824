"""Two peers on loopback, two processes: how many blocks a second does one admit from the other?

`python -m benches.loopback [--blocks N] [--heard] [--standard]`. The speaker mints, signs, stores,
seals and sends; the hearer opens, verifies, judges against five anchors and stores, each block durable
before it counts. The clock runs at the hearer, from its first durable record to its last. With `--heard` an
application there is also handed each block; with `--standard` blocks travel as with any other peer.
"""

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benches import samples
from covey import _core
from covey.model import Minted, Proposal
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


async def hear(folder: Path, blocks: int, heard: bool, standard: bool, wire: Connection) -> None:
    """Listen; send the port, and at the end (blocks, seconds)."""
    trusted = frozenset({samples.NODE_ID})
    options = NodeOptions(room=samples.ROOM, admission=EVERYTHING, trusted=trusted, compact=not standard)
    async with peer(samples.OTHER, folder, options) as node:
        if heard:
            node.subscribe(lambda _: None)
        wire.send(node.port)
        first, began = 0, 0.0
        while (admitted := node.counters().get("records.admitted", 0)) < blocks:
            if admitted and not first:
                first, began = admitted, time.perf_counter()
            await asyncio.sleep(LOOK_SECONDS)
        wire.send((blocks - first, time.perf_counter() - began))


async def speak(folder: Path, blocks: int, port: int) -> None:
    """Dial, and emit the blocks, many at once."""
    options = NodeOptions(room=samples.ROOM, admission=EVERYTHING, addresses=(("127.0.0.1", port),))
    async with peer(samples.IDENTITY, folder, options) as node:
        assert await node.wait_for_peers(1, 20)
        room = asyncio.Semaphore(IN_FLIGHT)

        async def say(number: int) -> None:
            async with room:
                assert isinstance(await node.emit(Proposal(samples.categories(number))), Minted)

        await asyncio.gather(*(say(number) for number in range(blocks)))
        await asyncio.Event().wait()  # the hearer says when it is over


def run(work: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> None:
    """Run a peer under uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work(*arguments))
    else:
        uvloop.run(work(*arguments))


def measured(blocks: int, *, heard: bool, standard: bool = False) -> tuple[int, float]:
    """Run both peers; return how many blocks the hearer admitted in how many seconds."""
    ours, theirs = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hearer = multiprocessing.Process(
            target=run, args=(hear, folder / "hearer", blocks, heard, standard, theirs)
        )
        hearer.start()
        port = ours.recv()
        speaker = multiprocessing.Process(target=run, args=(speak, folder / "speaker", blocks, port))
        speaker.start()
        counted, seconds = ours.recv()
        speaker.terminate()
        speaker.join()
        hearer.join()
    return counted, seconds


def main() -> int:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(description="blocks a second between two peers on loopback")
    parser.add_argument("--blocks", type=int, default=20_000)
    parser.add_argument("--heard", action="store_true")
    parser.add_argument("--standard", action="store_true", help="JSON envelopes, as with any other peer")
    arguments = parser.parse_args()
    blocks, seconds = measured(arguments.blocks, heard=arguments.heard, standard=arguments.standard)
    said = ", each handed to an application" if arguments.heard else ""
    said += ", JSON envelopes" if arguments.standard else ", compact batches"
    rate = f"{blocks / seconds:,.0f} blocks a second"
    print(f"two peers on loopback: {rate} ({blocks:,} in {seconds:.2f} s{said})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
