"""A peer that shares state, as a process of its own: only whom it dials, no discovery.

`python -m tests.e2e.state_peer <folder> <number> [<port of another> …]` prints one JSON line `ready` with its
port, then one for each change and each answer. It reads requests of the control socket's verb `state` from
its standard input, one JSON object a line, and stops when that closes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from covey.errors import CoveyError
from covey.net.tcp import TcpTransport
from covey.proto.options import NodeOptions
from covey.proto.state.replicas import StateOptions
from covey.runtime.node import Node
from covey.runtime.state import SharedState
from covey.store import NodeStore, open_store
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from tests.e2e.node_peer import identity


def say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def requests() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=1 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def serve(folder: Path, number: int, ports: list[int]) -> None:
    who, clock = identity(number), SystemClock()
    store = NodeStore(open_store(folder / f"{number}.db", who.node_id), who, clock)
    options = NodeOptions(addresses=tuple(("127.0.0.1", port) for port in ports))
    state = SharedState(who, StateOptions(options.room), store)
    node = Node(
        who,
        options,
        store=store,
        transport=TcpTransport(),
        plugins=(state,),
        clock=clock,
        entropy=SystemEntropy(),
    )
    state.watch(lambda event: say(**event))
    async with node:
        say(event="ready", port=node.port, author=who.author)
        lines = await requests()
        while line := await lines.readline():
            request = json.loads(line)
            try:
                say(event="answer", request=request, answer=await state.answer(request))
            except CoveyError as error:
                say(event="answer", request=request, error=error.code)
    store.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), [int(port) for port in sys.argv[3:]]))
