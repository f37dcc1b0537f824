"""One sender and one receiver for each rival, each in a process of its own, on loopback.

A receiver says over the wire where it listens, waits for `count` messages and says how long they took from
the first to the last. A sender is told the address. What is not installed is skipped, visibly.
"""

import asyncio
import importlib.util
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from benches.next_step import install

MESSAGE = bytes(range(256)) * 4
"""1,024 bytes, about what a signed block takes as JSON."""
READY = 0.5
"""Seconds a sender waits after connecting, where a library has no word for "the other side listens"."""


class Timer:
    """Counts what arrives; the clock runs from the first message to the last."""

    def __init__(self, count: int) -> None:
        self.count, self.seen, self.began, self.done = count, 0, 0.0, asyncio.Event()
        self.seconds = 0.0

    def add(self, number: int = 1) -> None:
        """Take note of messages."""
        if not self.seen:
            self.began = time.perf_counter()
        self.seen += number
        if self.seen >= self.count and not self.done.is_set():
            self.seconds = time.perf_counter() - self.began
            self.done.set()


@dataclass(frozen=True)
class Plan:
    """What a process is told: how many messages, and for a sender where to."""

    count: int
    where: Any = None


def free_port() -> int:
    """Return a port nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def streams_receive(plan: Plan, wire: Connection) -> None:
    """asyncio streams, 4-byte length prefix."""
    timer = Timer(plan.count)

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                size = int.from_bytes(await reader.readexactly(4), "big")
                await reader.readexactly(size)
                timer.add()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    wire.send(server.sockets[0].getsockname()[1])
    await timer.done.wait()
    wire.send(timer.seconds)
    await asyncio.Event().wait()  # the caller ends it


async def streams_send(plan: Plan, wire: Connection) -> None:
    """Write each message on its own and let the transport batch."""
    _, writer = await asyncio.open_connection("127.0.0.1", plan.where)
    framed = len(MESSAGE).to_bytes(4, "big") + MESSAGE
    for _ in range(plan.count + 1):
        writer.write(framed)
        await writer.drain()
    await asyncio.Event().wait()


async def websockets_receive(plan: Plan, wire: Connection) -> None:
    """The websockets library without compression."""
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.exceptions import ConnectionClosedError

    timer = Timer(plan.count)

    async def client(connection: ServerConnection) -> None:
        with suppress(ConnectionClosedError):  # the sender is ended where it stands, and says no goodbye
            async for _ in connection:
                timer.add()

    async with serve(client, "127.0.0.1", 0, compression=None) as server:
        wire.send(next(iter(server.sockets)).getsockname()[1])
        await timer.done.wait()
        wire.send(timer.seconds)
        await asyncio.Event().wait()


async def websockets_send(plan: Plan, wire: Connection) -> None:
    """Send binary messages."""
    from websockets.asyncio.client import connect

    async with connect(f"ws://127.0.0.1:{plan.where}", compression=None, proxy=None) as connection:
        for _ in range(plan.count + 1):
            await connection.send(MESSAGE)
        await asyncio.Event().wait()


async def zmq_receive(plan: Plan, wire: Connection) -> None:
    """A pair of pyzmq sockets, blocking calls: its fastest way."""
    import zmq

    timer = Timer(plan.count)
    with zmq.Context() as context, context.socket(zmq.PAIR) as end:
        end.set_hwm(10_000)
        wire.send(end.bind_to_random_port("tcp://127.0.0.1"))
        while timer.seen < plan.count:
            end.recv()
            timer.add()
        wire.send(timer.seconds)


async def zmq_send(plan: Plan, wire: Connection) -> None:
    """Send until the other side has enough."""
    import zmq

    with zmq.Context() as context, context.socket(zmq.PAIR) as end:
        end.set_hwm(10_000)
        end.connect(f"tcp://127.0.0.1:{plan.where}")
        for _ in range(plan.count + 1):
            end.send(MESSAGE)
        await asyncio.Event().wait()


async def nats_receive(plan: Plan, wire: Connection) -> None:
    """nats-py through a nats-server of its own."""
    import nats

    timer, port = Timer(plan.count), free_port()
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(  # noqa: ASYNC220 (nothing else runs on this loop yet)
            ["nats-server", "-a", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log
        )
        try:
            client = await nats.connect(
                f"nats://127.0.0.1:{port}", error_cb=_starting, reconnect_time_wait=0.05
            )

            async def heard(_: Any) -> None:
                timer.add()

            await client.subscribe("bench", cb=heard, pending_msgs_limit=-1, pending_bytes_limit=-1)
            await client.flush()
            wire.send(port)
            await timer.done.wait()
            wire.send(timer.seconds)
        finally:
            server.terminate()
            server.wait()


async def _starting(error: Exception) -> None:
    """Pass over refusals while the server starts; whoever cannot connect in the end raises."""


async def _ending(error: Exception) -> None:
    """Pass over that the server ends before its sender; what did not arrive by then is missed there."""


async def nats_send(plan: Plan, wire: Connection) -> None:
    """Publish."""
    import nats

    client = await nats.connect(f"nats://127.0.0.1:{plan.where}", error_cb=_ending)
    for _ in range(plan.count + 1):
        await client.publish("bench", MESSAGE)
    await client.flush()
    await asyncio.Event().wait()


def _zenoh(**changes: str) -> Any:
    import zenoh

    config = zenoh.Config()
    for key, value in {"mode": '"peer"', "scouting/multicast/enabled": "false", **changes}.items():
        config.insert_json5(key, value)
    return zenoh.open(config)


async def zenoh_receive(plan: Plan, wire: Connection) -> None:
    """Two eclipse-zenoh peers over TCP, no scouting, nothing dropped."""
    timer, port, loop = Timer(plan.count), free_port(), asyncio.get_running_loop()
    over = asyncio.Event()

    def heard(_: Any) -> None:
        timer.add()
        if timer.seen == plan.count:
            loop.call_soon_threadsafe(over.set)

    with _zenoh(**{"listen/endpoints": f'["tcp/127.0.0.1:{port}"]'}) as session:
        subscriber = session.declare_subscriber("bench", heard)
        wire.send(port)
        await over.wait()
        wire.send(timer.seconds)
        subscriber.undeclare()


async def zenoh_send(plan: Plan, wire: Connection) -> None:
    """Publish, waiting where the other side is slow."""
    import zenoh

    with _zenoh(**{"connect/endpoints": f'["tcp/127.0.0.1:{plan.where}"]'}) as session:
        publisher = session.declare_publisher("bench", congestion_control=zenoh.CongestionControl.BLOCK)
        await asyncio.sleep(READY)
        for _ in range(plan.count + 1):
            publisher.put(MESSAGE)
        await asyncio.Event().wait()


@dataclass(frozen=True)
class Rival:
    """One rival: its package and program, its two ends, and how many messages are sent."""

    name: str
    module: str | None
    program: str | None
    receive: Callable[[Plan, Connection], Coroutine[Any, Any, None]]
    send: Callable[[Plan, Connection], Coroutine[Any, Any, None]]
    count: int

    @property
    def missing(self) -> str | None:
        """Say what is not installed, or None."""
        if self.module is not None and importlib.util.find_spec(self.module) is None:
            return f"{self.module} is not installed; {install('rivals')}"
        if self.program is not None and shutil.which(self.program) is None:
            return f"{self.program} is not on the path (Debian: apt install {self.program})"
        return None


RIVALS = (
    Rival("asyncio streams", None, None, streams_receive, streams_send, 200_000),
    Rival("websockets", "websockets", None, websockets_receive, websockets_send, 100_000),
    Rival("pyzmq", "zmq", None, zmq_receive, zmq_send, 400_000),
    Rival("nats-py", "nats", "nats-server", nats_receive, nats_send, 100_000),
    Rival("eclipse-zenoh", "zenoh", None, zenoh_receive, zenoh_send, 400_000),
)
