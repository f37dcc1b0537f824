"""What a frame costs a relay, by the size of its channel, for `benches.scale`.

The real `covey relay` runs in its own process. Two hundred WebSockets of this one sit in channels of one size
each time, and say some frames, as large as one sealed block. The relay's processor time until the last of
them arrived counts, so that the speed of the clients does not.

Broadcasts, which foreign clients may send, are said by everybody in his turn: two hundred that speak at once
ask a relay to keep more than it may for all of them (`limits.RELAY_QUEUED_BYTES`): it refuses the rest and
tells the senders, and what is told is not delivered. Peers of covey send frames with one addressee each. Of
those all say one at the same time, each to another, so that the relay has one of each to read, as where all
keep their pace.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence

from websockets.asyncio.client import ClientConnection, connect

from covey import limits
from covey.proto.relay.frames import envelope

AT_ONCE = 50
"""Connections that are being made at one time."""
PAYLOAD = json.dumps({"type": "ping", "marker": "x" * 1_800})
"""As large as a sealed block in an envelope."""
BROADCAST = f'{{"payload":{PAYLOAD}}}'
FRAMES = 10
"""Broadcasts of each client at most: under the burst that a relay reads without a pause."""
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

    def __init__(self, node_id: str, line: ClientConnection) -> None:
        self.node_id = node_id
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
            await client.line.send(BROADCAST)
            await asyncio.gather(*(other.heard.get() for other in channel if other is not client))


async def say_to_each(channel: Sequence[Client], frames: int) -> None:
    """Let each say a frame to one other, wrapped as covey's peers do, and the next when all have theirs."""
    for number in range(frames):
        ahead = 1 + number % (len(channel) - 1)
        for place, client in enumerate(channel):
            other = channel[(place + ahead) % len(channel)]
            await client.line.send(envelope(other.node_id, PAYLOAD.encode()).decode())
        await asyncio.gather(*(client.heard.get() for client in channel))


async def join(url: str, number: int, token: str, gate: asyncio.Semaphore) -> Client:
    """Connect one client and wait for its place."""
    async with gate:
        line = await connect(url, compression=None, ping_interval=None, proxy=None, max_queue=None)
        node_id = f"01900000-0000-7000-8000-{number:012x}"
        await line.send(json.dumps({"type": "relay-auth", "nodeId": node_id, "name": "n", "token": token}))
        while '"relay-peers"' not in str(await line.recv()):
            continue
        return Client(node_id, line)


async def broadcast_cost(size: int, clients: int) -> float:
    """Return the relay's processor seconds for one frame to a whole channel of `size` members."""
    channels = clients // size
    frames = max(1, min(FRAMES, DELIVERIES // (channels * size * (size - 1))))
    return await _cost(size, channels, frames, take_turns)


async def addressed_cost(size: int) -> float:
    """Return the relay's processor seconds for one frame to one member of a channel of `size`."""
    frames = max(1, min(limits.RELAY_PACE_BURST, DELIVERIES // size))
    return await _cost(size, 1, frames, say_to_each)


async def _cost(
    size: int, channels: int, frames: int, say: Callable[[Sequence[Client], int], Awaitable[None]]
) -> float:
    """Let the clients of each channel say so many frames each; return the relay's seconds for one of them."""
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
        there = await asyncio.gather(*joining)
        before = processor_seconds(relay.pid)
        rooms = (there[at : at + size] for at in range(0, len(there), size))
        work = asyncio.gather(*(say(room, frames) for room in rooms))
        await asyncio.wait_for(work, WAIT_SECONDS)
        spent = processor_seconds(relay.pid) - before
        await asyncio.gather(*(client.line.close() for client in there))
        await asyncio.gather(*(client.reading for client in there))
        return spent / (len(there) * frames)
    finally:
        relay.terminate()
        relay.wait()
        assert relay.stdout is not None
        relay.stdout.close()
