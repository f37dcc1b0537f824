"""Two relays as one, over NATS, with 1,000 clients: `python -m benches.relay_cluster [--clients N]`.

Real processes: nats-server, two `covey relay`; the clients are WebSockets of this one, half of them at each
relay, in channels of a hundred. Printed: how long a frame needs to a client of the same relay and to one of
the other, how many frames a second pass, and, when one relay is killed, until its clients are back.
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benches.relay import AT_ONCE, CHANNEL, resident_bytes, tokens_for

PINGS = 300
FLOOD_FRAMES = 20
"""Of each client at once: under the burst that a relay reads without a pause."""


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


async def trip_seconds(source: Client, target: Client) -> list[float]:
    """Measure frames from one client to another, one after the other."""
    found = []
    for number in range(PINGS):
        marker = f'"n":{number},"m":"{source.node_id}"'
        began = time.perf_counter()
        await source.line.send('{"to":"' + target.node_id + '","payload":{' + marker + "}}")
        await target.until(marker)
        found.append(time.perf_counter() - began)
        await asyncio.sleep(0.012)  # a relay reads a hundred frames a second of one client
    return found


async def flood_per_second(clients: list[Client], step: int) -> float:
    """Let each client send a few frames to the one `step` places on; return how many arrived a second."""
    body = '{"type":"cmb-encrypted","x":"' + "y" * 1000 + '"}'

    async def send(index: int) -> None:
        place = (index % CHANNEL + step) % min(CHANNEL, len(clients))
        to = clients[index - index % CHANNEL + place].node_id
        for _ in range(FLOOD_FRAMES):
            await clients[index].line.send('{"to":"' + to + '","payload":' + body + "}")

    async def take(client: Client) -> None:
        for _ in range(FLOOD_FRAMES):
            await client.until('"x":"yyyy')

    began = time.perf_counter()
    await asyncio.gather(*(send(index) for index in range(len(clients))), *(take(each) for each in clients))
    return len(clients) * FLOOD_FRAMES / (time.perf_counter() - began)


async def back_seconds(clients: list[Client], url: str) -> float:
    """Bring the clients of a killed relay to the other; return when the last of them is reached there."""
    gate = asyncio.Semaphore(AT_ONCE)
    began = time.perf_counter()

    async def again(client: Client, friend: Client) -> None:
        with suppress(Exception):
            await client.line.close()
        client.line = await join(url, client.token, client.node_id, gate)
        client.read()
        marker = f'"back":"{client.node_id}"'
        await friend.line.send('{"to":"' + client.node_id + '","payload":{' + marker + "}}")
        await client.until(marker)

    pairs = zip(clients[0::2], clients[1::2], strict=True)
    await asyncio.gather(*(again(lost, friend) for lost, friend in pairs))
    return time.perf_counter() - began


def show(name: str, seconds: list[float]) -> float:
    """Print one line; return the median."""
    cuts = statistics.quantiles(seconds, n=100)
    print(f"  {name:<34} p50 {1e3 * cuts[49]:.2f} ms   p99 {1e3 * cuts[98]:.2f} ms")
    return cuts[49]


async def measure(count: int) -> None:
    """Start everything, measure, end it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nats = subprocess.Popen(  # noqa: ASYNC220 (nothing else runs on this loop yet)
        ["nats-server", "-a", "127.0.0.1", "-p", str(port)], stderr=subprocess.PIPE, text=True
    )
    assert nats.stderr is not None
    while "Server is ready" not in nats.stderr.readline():
        continue
    words = ["--backplane", f"nats://127.0.0.1:{port}", "--cluster", "bench"]
    relays = [
        subprocess.Popen(  # noqa: ASYNC220 (nothing else runs on this loop yet)
            [sys.executable, "-m", "covey", "relay", "--listen", "127.0.0.1:0", "--json", *words],
            env={**os.environ, "COVEY_RELAY_TOKENS": tokens_for(count)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        urls = [json.loads(relay.stdout.readline())["url"] for relay in relays if relay.stdout]
        began = time.perf_counter()
        clients = await fill(urls, count)
        took = time.perf_counter() - began
        held = " and ".join(f"{resident_bytes(relay.pid) / 1e6:.0f} MB" for relay in relays)
        print(f"{count} clients at two relays in {took:.1f} s; the relays hold {held}")
        near = show("a frame, same relay", await trip_seconds(clients[0], clients[2]))
        far = show("a frame, over the backplane", await trip_seconds(clients[0], clients[1]))
        print(f"  {'the backplane costs':<34} {far / near:.1f} times")
        same = await flood_per_second(clients, 2)
        across = await flood_per_second(clients, 1)
        print(f"  1 KB frames a second, same relay   {same:,.0f};   over the backplane {across:,.0f}")
        relays[0].send_signal(signal.SIGKILL)
        relays[0].wait()
        seconds = await back_seconds(clients, urls[1])
        print(f"  one relay killed: {(count + 1) // 2} clients back and reached after {seconds:.1f} s")
    finally:
        for process in (*relays, nats):
            process.kill()
            process.wait()


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=1000)
    arguments = parser.parse_args()
    if shutil.which("nats-server") is None:
        print("skipped: no nats-server here (Debian: apt install nats-server)")
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(measure(arguments.clients))


if __name__ == "__main__":
    main()
