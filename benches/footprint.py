"""What a peer holds: with a thousand peers connected to it, and over many blocks.

`python -m benches.footprint [--peers N] [--blocks N]`. The peer is the real `covey listen` in a process of
its own; the others are sealed sessions of this one, each with its own identity, that answer what they are
asked. Every one says a block when all are there, and the listener has to judge each: connections that hold
nothing prove nothing. With `--blocks` one peer then speaks that many, and the resident set is read after each
tenth of them. `--soak N` is the longer look, with retention at work (`benches.soak`).
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benches.relay import resident_bytes
from covey import _core

AT_ONCE = 32
"""Handshakes at one time: a listener takes 64 strangers."""
READ = 1 << 16
ROOM = "footprint"
BATCH = 256


class Peer:
    """One sealed session: it reads whatever comes, and says what it is told to."""

    def __init__(self, number: int) -> None:
        seed = hashlib.sha256(f"footprint {number}".encode()).digest()
        self.who = _core.Identity(f"01900000-0000-7000-8000-{number:012x}", f"peer-{number}", seed)
        self.session = _core.Session.client(self.who, room=ROOM, extensions=(), entropy=os.urandom(64))
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.reading: asyncio.Task[None] | None = None

    async def meet(self, port: int, gate: asyncio.Semaphore) -> None:
        """Connect, and stay connected."""
        async with gate:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
            while self.session.state == "handshake":
                self.writer.write(self.session.take_output())
                data = await self.reader.read(READ)
                if not data:
                    raise ConnectionError("the listener closed the connection")
                self.session.receive(data)
        self.session.send_anchors([])
        self.writer.write(self.session.take_output())
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while data := await self.reader.read(READ):
            for said in self.session.receive(data):
                if isinstance(said, _core.Control) and said.type == "ping":
                    self.session.send_control(b'{"type":"pong"}')
            out = self.session.take_output()
            if out:
                self.writer.write(out)

    def block(self, text: str) -> _core.Record:
        """Mint one signed block."""
        draft = _core.Draft(
            {"focus": text, "issue": hashlib.sha256(text.encode()).hexdigest()},
            node_id=self.who.node_id,
            author=self.who.name,
            created_ms=time.time_ns() // 1_000_000,
            room=ROOM,
        )
        return _core.sign(draft, self.who)

    def leave(self) -> None:
        """End the connection."""
        self.writer.close()

    async def say(self, records: list[_core.Record]) -> None:
        """Send blocks as fast as the listener reads them."""
        self.session.send_records(records)
        self.writer.write(self.session.take_output())
        await self.writer.drain()


class Listener:
    """The real program, and what it says of itself."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._env = {**os.environ, "COVEY_HOME": str(home)}
        words = [sys.executable, "-m", "covey", "listen", "bench", "--room", ROOM, "--json"]
        self.process = subprocess.Popen(words, env=self._env, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(json.loads(self.process.stdout.readline())["port"])
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        """Read what it prints, as a terminal would."""
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError):  # closed at its end
            while self.process.stdout.read(READ):
                continue

    def status(self) -> dict[str, object]:
        """Return what `covey status --json` says."""
        words = [sys.executable, "-m", "covey", "status", "bench", "--json"]
        found = subprocess.run(words, env=self._env, capture_output=True, text=True, check=True)
        status: dict[str, object] = json.loads(found.stdout)
        return status

    def resident(self) -> int:
        """Return its resident set, in bytes."""
        return resident_bytes(self.process.pid)

    def end(self) -> None:
        """Stop it."""
        self.process.kill()
        self.process.communicate()


async def judged(listener: Listener, wanted: int) -> None:
    """Wait until the listener has judged so many blocks."""
    while True:
        status = await asyncio.to_thread(listener.status)
        node = status["node"]
        assert isinstance(node, dict), "a peer shows its node"
        counted = node["counters"]
        if counted.get("records.admitted", 0) + counted.get("records.redundant", 0) >= wanted:
            return
        await asyncio.sleep(0.2)


@dataclass(frozen=True, slots=True)
class Held:
    """What a listener holds alone and with others connected, in bytes, and the seconds until all were."""

    alone: int
    full: int
    seconds: float


async def measure(home: Path, count: int, blocks: int, tell: Callable[[str], None] = print) -> Held:
    """Connect, speak, read the resident set between; tell each figure as it is there."""
    listener = Listener(home)
    peers: list[Peer] = []
    try:
        alone = listener.resident()
        gate = asyncio.Semaphore(AT_ONCE)
        peers = [Peer(number) for number in range(1, count + 1)]
        began = time.perf_counter()
        await asyncio.gather(*(peer.meet(listener.port, gate) for peer in peers))
        took = time.perf_counter() - began
        await asyncio.gather(*(peer.say([peer.block(f"I am {peer.who.name}")]) for peer in peers))
        await judged(listener, count)
        full = listener.resident()
        tell(f"{count} peers in {took:.1f} s, a block of each judged:")
        each = (full - alone) / count / 1e3
        tell(f"  {alone / 1e6:.0f} MB alone, {full / 1e6:.0f} MB with them: {each:.0f} KB each")
        for tenth in range(10 if blocks else 0):
            first = tenth * blocks // 10
            began = time.perf_counter()
            for start in range(first, first + blocks // 10, BATCH):
                await peers[0].say([peers[0].block(f"block {start + each}") for each in range(BATCH)])
            await judged(listener, count + first + blocks // 10)
            rate = blocks / 10 / (time.perf_counter() - began)
            so_far, held = first + blocks // 10, listener.resident() / 1e6
            tell(f"  after {so_far:>10,} blocks {held:.0f} MB ({rate:,.0f} a second)")
        return Held(alone, full, took)
    finally:
        for peer in peers:
            peer.leave()
        listener.end()


def allow_files() -> None:
    """Let this process and those it starts have as many files open as the system allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", type=int, default=1000)
    parser.add_argument("--blocks", type=int, default=0)
    parser.add_argument("--soak", type=int, metavar="BLOCKS", help="does a peer grow over so many blocks?")
    arguments = parser.parse_args()
    if arguments.soak is not None:
        if arguments.soak < 10:
            parser.error("--soak: at least 10 blocks, a tenth is looked at after each")
        from benches.soak import soak

        return soak(arguments.soak)
    if arguments.peers < 1:
        parser.error("--peers: at least 1")
    if arguments.blocks and arguments.blocks < 10:
        parser.error("--blocks: at least 10, a tenth is looked at after each; 0 for none")
    allow_files()
    with tempfile.TemporaryDirectory(prefix="covey-footprint-") as name:
        asyncio.run(measure(Path(name), arguments.peers, arguments.blocks))
    return 0


if __name__ == "__main__":
    sys.exit(main())
