"""Two relays as one, over NATS, with 1,000 clients: `python -m benches.relay_cluster [--clients N]`.

Real processes: nats-server, two `covey relay`; the clients are WebSockets of this one, half of them at each
relay, in channels of a hundred. Printed: how long a frame needs to a client of the same relay and to one of
the other, how many frames a second pass, and, when one relay is killed while all clients speak, until its
clients are back, and what became of every frame sent over that time (`benches.relay_kill`).
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time

from benches import relay_kill
from benches.relay import CHANNEL, resident_bytes, tokens_for
from benches.relay_clients import Client, fill

LEAST_CLIENTS = 4
"""Two at each relay."""
PINGS = 300
FLOOD_FRAMES = 20
"""Of each client at once: under the burst that a relay reads without a pause."""


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
        told = await relay_kill.over_the_kill(clients, urls[1], relays[0].kill)
        print("\n".join(f"  {line}" for line in told.lines()))
    finally:
        for process in (*relays, nats):
            process.kill()
            process.wait()


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=1000, help="an even number (1000)")
    arguments = parser.parse_args()
    if arguments.clients < LEAST_CLIENTS or arguments.clients % 2:
        parser.error(f"--clients: an even number of at least {LEAST_CLIENTS}")
    if shutil.which("nats-server") is None:
        print("skipped: no nats-server here (Debian: apt install nats-server)")
        return
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(measure(arguments.clients))


if __name__ == "__main__":
    main()
