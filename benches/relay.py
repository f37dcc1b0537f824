"""How much memory a relay takes for clients that only stay: `python -m benches.relay [--clients N]`.

The real `covey relay` runs in its own process; its clients are WebSockets of this one, in channels of a
hundred (presence in one channel of thousands is a flood of its own). The figure is the relay's resident set
before the first client and after the last, and what a broadcast takes to reach its channel.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import time
import uuid
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

CHANNEL = 100
AT_ONCE = 50
"""Connections that are being made at one time."""


def resident_bytes(pid: int) -> int:
    """Return a process's resident set."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


async def join(url: str, token: str, gate: asyncio.Semaphore) -> ClientConnection:
    """Connect one client and wait for its place."""
    async with gate:
        client = await connect(url, compression=None, ping_interval=None, proxy=None, max_queue=None)
        who = {"type": "relay-auth", "nodeId": str(uuid.uuid4()), "name": "idle", "token": token}
        await client.send(json.dumps(who))
        await client.recv()
        return client


async def broadcast_seconds(clients: list[ClientConnection]) -> float:
    """Measure one frame from the first client to all others of its channel."""
    marker = '{"type":"ping","marker":true}'
    began = time.perf_counter()
    await clients[0].send('{"payload":' + marker + "}")

    async def wait(client: ClientConnection) -> None:
        while marker not in str(await client.recv()):
            continue

    await asyncio.gather(*(wait(client) for client in clients[1:]))
    return time.perf_counter() - began


def tokens_for(count: int) -> str:
    """Return COVEY_RELAY_TOKENS for that many clients."""
    return ",".join(f"channel-{index}:token-{index}" for index in range((count - 1) // CHANNEL + 1))


async def filled(url: str, count: int) -> list[ClientConnection]:
    """Return that many clients, each in its place, in the order of their channels."""
    gate = asyncio.Semaphore(AT_ONCE)
    return list(
        await asyncio.gather(*(join(url, f"token-{index // CHANNEL}", gate) for index in range(count)))
    )


async def measure(count: int) -> None:
    """Start the relay, fill it, print what it holds."""
    relay = subprocess.Popen(  # noqa: ASYNC220 (nothing else runs on this loop yet)
        [sys.executable, "-m", "covey", "relay", "--listen", "127.0.0.1:0", "--json"],
        env={**os.environ, "COVEY_RELAY_TOKENS": tokens_for(count)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert relay.stdout is not None
        url = json.loads(relay.stdout.readline())["url"]
        empty = resident_bytes(relay.pid)
        began = time.perf_counter()
        clients = await filled(url, count)
        took = time.perf_counter() - began
        full = resident_bytes(relay.pid)
        print(f"{count} clients in {took:.1f} s: {empty / 1e6:.0f} MB before, {full / 1e6:.0f} MB after,")
        print(f"  {(full - empty) / count / 1e3:.1f} KB for each")
        print(f"  a broadcast to {CHANNEL - 1}: {1e3 * await broadcast_seconds(clients[:CHANNEL]):.1f} ms")
        await asyncio.gather(*(client.close() for client in clients))
    finally:
        relay.terminate()
        relay.wait()


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=2000)
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(measure(arguments.clients))


if __name__ == "__main__":
    main()
