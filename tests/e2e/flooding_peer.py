"""A peer that floods, as a process of its own: it seals and writes as fast as its connection takes it.

`python -m tests.e2e.flooding_peer <number> <port>` dials, says the same blocks over and over, and ends when
it is killed. It reads what it is sent, so that it is nobody's slow peer.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

from covey import _core
from covey.core import Draft, sign
from tests.e2e.node_peer import identity

BLOCKS = 256


def blocks(who: _core.Identity) -> list[_core.Record]:
    now = time.time_ns() // 1_000_000
    facts = {"node_id": who.node_id, "author": who.name, "created_ms": now, "room": "default"}
    return [sign(Draft({"focus": f"flood {each}"}, **facts), who) for each in range(BLOCKS)]


async def flood(number: int, port: int) -> None:
    who = identity(number)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    session = _core.Session.client(who, room="default", extensions=(), entropy=os.urandom(64))
    while session.state == "handshake":
        writer.write(session.take_output())
        session.receive(await reader.read(1 << 16))
    session.send_anchors([])
    said = blocks(who)

    async def read() -> None:
        while data := await reader.read(1 << 16):
            session.receive(data)

    reading = asyncio.create_task(read())
    while not reading.done():
        session.send_records(said)
        writer.write(session.take_output())
        await writer.drain()


if __name__ == "__main__":
    asyncio.run(flood(int(sys.argv[1]), int(sys.argv[2])))
