"""What a block that comes alone costs two peers beside sockets and disk: `python -m benches.turns [blocks]`.

Two nodes as they are, with their shells, on a transport and a store that are function calls; each block has
turns of its own, is judged, delivered to a listener and acknowledged. Of each half it says what Python ran:
the calls of a block (functions of Python and of C, as `sys.setprofile` counts them; no machine changes them),
and processor time, the native calls in it. `--calls` names them. The speaker's half is `emit` with its way
through asyncio, what the store's answer sets off, and the receipt; the hearer's what bytes from the socket
and the store's answer set off.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benches import samples
from covey import _core
from covey.model import Minted, Proposal
from covey.proto import mail
from covey.proto.effects import Done
from covey.proto.options import AdmissionOptions, NodeOptions
from covey.runtime.node import Node

BLOCKS = 1_000
COUNTED = 200
"""Of them with every call counted, which takes long."""
BEFORE = 100
"""Blocks before anything is measured: methods are made, caches filled."""
STEP_SECONDS = 0.001
ACCEPTED = 2
"""The hearer's link."""
EVERYTHING = AdmissionOptions(stable=2.0, guarded=2.0, redundancy=0.0)


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now_ms(self) -> int:
        """Return wall milliseconds."""
        return samples.CREATED_MS + int(self.seconds * 1000)

    def monotonic(self) -> float:
        """Return seconds."""
        return self.seconds


class Entropy:
    """Bytes that follow from how often they were drawn."""

    def __init__(self, whose: str) -> None:
        self._whose = whose
        self._drawn = itertools.count()

    def bytes(self, count: int) -> bytes:
        """Return the next ones."""
        return hashlib.shake_256(f"{self._whose} {next(self._drawn)}".encode()).digest(count)


class Disk:
    """A store that says yes when it is asked to; it has nothing from before."""

    def __init__(self) -> None:
        self._tokens: list[int] = []
        self._stored: Callable[[Sequence[Done]], None] = lambda _: None

    def start(self, stored: Callable[[Sequence[Done]], None], failed: Callable[[int, str], None]) -> None:
        """Begin."""
        self._stored = stored

    def restore(self, intake: _core.Intake) -> tuple[Sequence[_core.Record], Sequence[tuple[str, bytes]]]:
        """Return nothing."""
        return (), ()

    def commit(self, token: int, *_: object) -> None:
        """Take a batch."""
        self._tokens.append(token)

    put_own = commit

    def bind(self, *_: object) -> None:
        """Take a key."""

    def mail(self, wish: mail.Effect, answer: Callable[[mail.Event], None]) -> None:
        """Say that nothing waits for anybody."""
        match wish:
            case mail.LoadOutbox(node_id):
                answer(mail.OutboxLoaded(node_id, ()))
            case mail.LoadStream(node_id):
                answer(mail.StreamLoaded(node_id, None, 0, ()))

    async def drain(self) -> None:
        """Wait for nothing."""

    def answer(self) -> None:
        """Say that what was taken is durable."""
        tokens, self._tokens = self._tokens, []
        if tokens:
            self._stored([Done(token) for token in tokens])


class Wire:
    """A transport whose bytes lie there until they are fetched."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.dialled = 0

    async def listen(self, *_: object) -> int:
        """Return a port."""
        return 1

    def connect(self, link: int, *_: object) -> None:
        """Remember which link is dialled."""
        self.dialled = link

    def write(self, _: int, data: bytes) -> None:
        """Keep bytes."""
        self.out += data

    def reading(self, *_: object) -> None:
        """Take note of nothing."""

    def close(self, link: int) -> None:
        """Refuse: nobody should."""
        raise ConnectionError(f"link {link} was closed")

    async def stop(self) -> None:
        """Stop nothing."""

    def fetch(self) -> bytes:
        """Return what was written, and forget it."""
        data = bytes(self.out)
        self.out.clear()
        return data


class Half:
    """One of the two: its node, its ends, and what was spent on it."""

    def __init__(
        self, identity: _core.Identity, clock: Clock, addresses: tuple[tuple[str, int], ...]
    ) -> None:
        self.wire, self.disk = Wire(), Disk()
        options = NodeOptions(room=samples.ROOM, admission=EVERYTHING, trust="open", addresses=addresses)
        parts: dict[str, Any] = {"store": self.disk, "transport": self.wire, "clock": clock}
        self.node = Node(identity, options, entropy=Entropy(identity.name), **parts)
        self.told: Counter[str] = Counter()
        self.node.subscribe(self._hear)
        self.calls: Counter[str] = Counter()
        self.seconds = 0.0
        self.counting = False

    def _hear(self, news: object) -> None:
        self.told[type(news).__name__] += 1

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Count what is done within: calls, or the time it takes."""
        began = time.process_time()
        if self.counting:
            sys.setprofile(self._called)
        try:
            yield
        finally:
            if self.counting:
                sys.setprofile(None)
            self.seconds += time.process_time() - began

    def _called(self, frame: Any, what: str, called: object) -> None:
        if what == "call":
            self.calls[f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_qualname}"] += 1
        elif what == "c_call" and called is not sys.setprofile:
            self.calls[f"C {getattr(called, '__qualname__', called)}"] += 1


class World:
    """Two peers that have met."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.speaker = Half(samples.IDENTITY, self.clock, (("127.0.0.1", 2),))
        self.hearer = Half(samples.OTHER, self.clock, ())
        self._numbers = itertools.count()

    async def meet(self) -> None:
        """Let them shake hands."""
        halves = (self.speaker, self.hearer)
        for half in halves:
            await half.node.start()
        where: dict[str, Any] = {"address": "127.0.0.1:2", "local": "127.0.0.1:1", "loopback": True}
        self.hearer.node.link_opened(ACCEPTED, inbound=True, **where)
        self.speaker.node.link_opened(self.speaker.wire.dialled, inbound=False, **where)
        self._carry()
        if not all(half.node.peers() for half in halves):
            raise ConnectionError("the two did not meet")

    def _carry(self) -> None:
        """Let each read what the other wrote, until both are silent."""
        while self.speaker.wire.out or self.hearer.wire.out:
            self.hear(self.hearer, ACCEPTED, self.speaker.wire.fetch())
            self.hear(self.speaker, self.speaker.wire.dialled, self.hearer.wire.fetch())

    @staticmethod
    def hear(half: Half, link: int, data: bytes) -> None:
        """Hand a half what its peer wrote, and what its store answers."""
        if data:
            with half.measured():
                half.node.link_data(link, data)
                half.disk.answer()

    async def say(self) -> None:
        """Let one block go its whole way, alone."""
        self.clock.seconds += STEP_SECONDS
        proposal = Proposal(samples.categories(next(self._numbers)))
        loop = asyncio.get_running_loop()
        with self.speaker.measured():
            task = loop.create_task(self.speaker.node.emit(proposal))
            while not task.done():
                self.speaker.disk.answer()
                await asyncio.sleep(0)
        if not isinstance(task.result(), Minted):
            raise ConnectionError(f"not minted: {task.result()}")
        self._carry()


async def run(blocks: int) -> World:
    """Let blocks go one after another: some unmeasured, some for their time, some for their calls."""
    world = World()
    await world.meet()
    halves = (world.speaker, world.hearer)
    for count, counting in ((BEFORE, False), (blocks, False), (min(blocks, COUNTED), True)):
        for half in halves:
            half.counting = counting
            half.seconds = 0.0 if not counting else half.seconds
        for _ in range(count):
            await world.say()
        if not counting:
            spent = [half.seconds / max(1, count) for half in halves]
    for half, seconds in zip(halves, spent, strict=True):
        half.seconds = seconds
    said = BEFORE + blocks + min(blocks, COUNTED)
    if world.hearer.told["Delivered"] != said or world.speaker.told["SendSettled"] != said:
        raise ConnectionError(f"of {said} blocks {world.hearer.told} {world.speaker.told}")
    return world


def looped(work: Coroutine[Any, Any, World]) -> World:
    """Run it on the loop that peers run on."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


def main(arguments: list[str]) -> int:
    """Measure, and print a line for each half; with `--calls` what was called."""
    words = [word for word in arguments if word != "--calls"]
    blocks = int(words[0]) if words else BLOCKS
    world = looped(run(blocks))
    for name, half in (("speaking", world.speaker), ("hearing", world.hearer)):
        counted = min(blocks, COUNTED)
        calls = half.calls.total() / counted
        print(f"{name} a block alone: {calls:.0f} calls, {half.seconds * 1e6:.0f} µs of the processor")
        for called, count in half.calls.most_common() if "--calls" in arguments else ():
            print(f"  {count / counted:6.2f} {called}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
