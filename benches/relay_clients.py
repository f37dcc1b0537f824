"""Clients of relays in this process: WebSockets that join, read what comes, and answer the relay's pings."""

import asyncio
import json
import uuid
from contextlib import suppress
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benches.relay import AT_ONCE, CHANNEL


@dataclass(eq=False)
class Client:
    """One client: its nodeId stays when its connection does not."""

    node_id: str
    token: str
    line: ClientConnection
    heard: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    reader: asyncio.Task[None] | None = None

    def read(self) -> None:
        """Read from now on, and answer the relay's pings."""
        self.reader = asyncio.get_running_loop().create_task(self._read(self.line))

    async def _read(self, line: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for message in line:
                if '"relay-ping"' in message:
                    await line.send('{"type":"relay-pong"}')
                else:
                    self.heard.put_nowait(str(message))

    async def until(self, marker: str) -> None:
        while marker not in await self.heard.get():
            continue


async def join(url: str, token: str, node_id: str, gate: asyncio.Semaphore) -> ClientConnection:
    """Connect and wait for a place."""
    async with gate:
        line = await connect(url, compression=None, ping_interval=None, proxy=None, max_queue=None)
        await line.send(json.dumps({"type": "relay-auth", "nodeId": node_id, "name": "n", "token": token}))
        while '"relay-peers"' not in str(await line.recv()):
            continue
        return line


async def fill(urls: list[str], count: int) -> list[Client]:
    """Return clients, even ones at the first relay, odd ones at the second."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(index: int) -> Client:
        token, node_id = f"token-{index // CHANNEL}", str(uuid.uuid4())
        client = Client(node_id, token, await join(urls[index % 2], token, node_id, gate))
        client.read()
        return client

    return list(await asyncio.gather(*(one(index) for index in range(count))))
