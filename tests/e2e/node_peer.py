"""A peer as a process of its own, for tests that kill it.

`python -m tests.e2e.node_peer <folder> <number> <port>` prints its port, then one line for each block that
is durable. It stops when its standard input closes.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from pathlib import Path

from covey import _core
from covey.net.tcp import TcpTransport
from covey.proto import news as nw
from covey.proto.options import AdmissionOptions, NodeOptions
from covey.runtime.node import Node
from covey.store import NodeStore, open_store
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy


def identity(number: int) -> _core.Identity:
    seed = hashlib.sha256(f"seed {number}".encode()).digest()
    return _core.Identity(f"01900000-0000-7000-8000-{number:012x}", f"peer-{number}", seed)


def make(folder: Path, number: int, port: int, *addresses: tuple[str, int]) -> tuple[Node, NodeStore]:
    who, clock = identity(number), SystemClock()
    store = NodeStore(open_store(folder / f"{number}.db", who.node_id), who, clock)
    everything = AdmissionOptions(guarded=2.0, redundancy=0.0)
    options = NodeOptions(port=port, addresses=addresses, admission=everything)
    node = Node(who, options, store=store, transport=TcpTransport(), clock=clock, entropy=SystemEntropy())
    return node, store


def tell(news: nw.News) -> None:
    if isinstance(news, nw.Judged):
        sys.stdout.write(f"{news.outcome} {news.key}\n")
        sys.stdout.flush()


async def serve(folder: Path, number: int, port: int) -> None:
    node, store = make(folder, number, port)
    node.subscribe(tell)
    async with node:
        sys.stdout.write(f"{node.port}\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    store.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
