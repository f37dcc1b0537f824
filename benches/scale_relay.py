"""What a frame costs a relay, by the size of its channel, for `benches.scale`.

The real `covey relay` runs in its own process. Two hundred WebSockets of this one sit in channels of one size
each time, and everybody in his turn says some frames to his channel, as large as one sealed block. The
relay's processor time until the last of them arrived counts, so that the speed of the clients does not.
They take turns because two hundred that speak at once ask a relay to keep more than it may for all of them
(`limits.RELAY_QUEUED_BYTES`): it refuses the rest and tells the senders, and what is told is not delivered.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from websockets.asyncio.client import ClientConnection, connect

AT_ONCE = 50
"""Connections that are being made at one time."""
FRAME = json.dumps({"payload": {"type": "ping", "marker": "x" * 1_800}})
"""As large as a sealed block in an envelope."""
FRAMES = 10
"""Of each client at most: under the burst that a relay reads without a pause."""
DELIVERIES = 40_000
"""Of all clients together at most: they share one process, and are slower than the relay."""
WAIT_SECONDS = 120.0


def processor_seconds(pid: int) -> float:
    """Return the processor time of another process, as `clock_getcpuclockid(3)` names its clock on Linux.

    Ticks of `/proc` are ten milliseconds: as long as all frames of a small run.
    """
    return time.clock_gettime(~pid << 3 | 2)


class Client:
    """One client: it reads frames of others, and answers the relay's pings."""

    def __init__(self, line: ClientConnection) -> None:
        self.line = line
        self.heard: asyncio.Queue[None] = asyncio.Queue()
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self.line:
            if '"relay-ping"' in str(message):
                await self.line.send('{"type":"relay-pong"}')
            elif '"marker"' in str(message):
                self.heard.put_nowait(None)


async def take_turns(channel: Sequence[Client], frames: int) -> None:
    """Let each say its frames, one at a time: the next follows when all others have it."""
    for _ in range(frames):
        for client in channel:
            await client.line.send(FRAME)
            await asyncio.gather(*(other.heard.get() for other in channel if other is not client))


async def join(url: str, number: int, token: str, gate: asyncio.Semaphore) -> ClientConnection:
    """Connect one client and wait for its place."""
    async with gate:
        line = await connect(url, compression=None, ping_interval=None, proxy=None, max_queue=None)
        node_id = f"01900000-0000-7000-8000-{number:012x}"
        await line.send(json.dumps({"type": "relay-auth", "nodeId": node_id, "name": "n", "token": token}))
        while '"relay-peers"' not in str(await line.recv()):
            continue
        return line


async def frame_cost(size: int, clients: int) -> float:
    """Return the relay's processor seconds for one frame to a channel of `size` members."""
    channels = clients // size
    tokens = ",".join(f"channel-{index}:token-{index}" for index in range(channels))
    relay = subprocess.Popen(  # noqa: ASYNC220 (nothing else runs on this loop yet)
        [sys.executable, "-m", "covey", "relay", "--listen", "127.0.0.1:0", "--json"],
        env={**os.environ, "COVEY_RELAY_TOKENS": tokens},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert relay.stdout is not None
        url = json.loads(relay.stdout.readline())["url"]
        gate = asyncio.Semaphore(AT_ONCE)
        joining = (join(url, index + 1, f"token-{index // size}", gate) for index in range(channels * size))
        lines = await asyncio.gather(*joining)
        frames = max(1, min(FRAMES, DELIVERIES // (len(lines) * (size - 1))))
        there = [Client(line) for line in lines]
        before = processor_seconds(relay.pid)
        rooms = (there[at : at + size] for at in range(0, len(there), size))
        work = asyncio.gather(*(take_turns(room, frames) for room in rooms))
        await asyncio.wait_for(work, WAIT_SECONDS)
        spent = processor_seconds(relay.pid) - before
        await asyncio.gather(*(line.close() for line in lines))
        await asyncio.gather(*(client.reading for client in there))
        return spent / (len(there) * frames)
    finally:
        relay.terminate()
        relay.wait()
        assert relay.stdout is not None
        relay.stdout.close()
