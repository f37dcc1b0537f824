"""A peer as a process of its own that nobody finds but at its relays.

`python -m tests.e2e.relay_peer <folder> <number> <token> <url>...` prints `ready` with its port, then news,
as JSON lines. A line on its standard input is said to the room, `?` asks for its peers and relays, and a line
`dial <port>` makes it dial that port. It stops when its input closes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from covey.model import Proposal
from covey.net.tcp import TcpTransport
from covey.net.websocket import WebSocketClient
from covey.proto.news import as_dict
from covey.proto.options import AdmissionOptions, NodeOptions, RelayOptions
from covey.runtime.node import Node
from covey.store import NodeStore, open_store
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from tests.e2e.node_peer import identity


def tell(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def serve(folder: Path, number: int, token: str, urls: list[str]) -> None:
    who, clock = identity(number), SystemClock()
    store = NodeStore(open_store(folder / f"{number}.db", who.node_id), who, clock)
    node = Node(
        who,
        NodeOptions(
            admission=AdmissionOptions(guarded=2.0, redundancy=0.0),
            relays=tuple(RelayOptions(url, token or None) for url in urls),
        ),
        store=store,
        transport=TcpTransport(),
        relays=[WebSocketClient() for _ in urls],
        clock=clock,
        entropy=SystemEntropy(),
    )
    node.subscribe(lambda news: tell(as_dict(news)))
    loop = asyncio.get_running_loop()
    async with node:
        tell({"event": "ready", "port": node.port})
        while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
            if line.startswith("dial "):
                node.dial("127.0.0.1", int(line.removeprefix("dial ")))
            elif line == "?":
                paths = [{"name": view.name, "path": view.path} for view in node.peers()]
                tell({"event": "status", "peers": paths, "relays": node.status()["relays"]})
            else:
                await node.emit(Proposal({"focus": line}))
    store.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]))
