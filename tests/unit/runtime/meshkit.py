"""Real nodes on real sockets for tests, with a store that forgets when the process ends."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from covey import _core
from covey.net.tcp import TcpTransport
from covey.proto import news as nw
from covey.proto.effects import Done
from covey.proto.options import NodeOptions
from covey.runtime.node import Node
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy


def identity(number: int, name: str = "") -> _core.Identity:
    seed = hashlib.sha256(f"seed {number}".encode()).digest()
    return _core.Identity(f"01900000-0000-7000-8000-{number:012x}", name or f"peer-{number}", seed)


class MemoryStore:
    """The BlockStore port over dictionaries; answers on the next turn of the loop."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.waiting: dict[tuple[str, str], _core.Record] = {}
        self.bound: dict[str, bytes] = {}
        self.failing = False
        self.silent = False
        self._pending = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def start(self, stored: Callable[[Sequence[Done]], None], failed: Callable[[int, str], None]) -> None:
        self._stored, self._failed = stored, failed
        self._loop = asyncio.get_running_loop()

    def commit(self, token: int, batch: _core.OutcomeBatch, now_ms: int) -> None:
        if self.silent:
            return
        self.keys |= {batch[i].key for i in range(len(batch)) if batch[i].kind == "admitted"}
        self._later(token, fresh=True)

    def put_own(self, token: int, record: _core.Record, now_ms: int, recipients: Sequence[str]) -> None:
        fresh = record.key not in self.keys
        self.keys.add(record.key)
        self.waiting.update({(record.assertion_id, peer): record for peer in recipients})
        self._later(token, fresh=fresh)

    def bind(self, node_id: str, public_key: bytes, name: str, now_ms: int) -> None:
        self.bound[node_id] = public_key

    def outbox_done(self, assertion_id: str, node_id: str) -> None:
        self.waiting.pop((assertion_id, node_id), None)

    def outbox(self, node_id: str, loaded: Callable[[Sequence[_core.Record]], None]) -> None:
        self._loop.call_soon(loaded, [record for (_, to), record in self.waiting.items() if to == node_id])

    def missing(self, keys: Sequence[str], looked: Callable[[Sequence[str]], None]) -> None:
        self._loop.call_soon(looked, [key for key in keys if key not in self.keys])

    def record(self, key: str, loaded: Callable[[_core.Record | None], None]) -> None:
        self._loop.call_soon(loaded, None)

    def restore(self, intake: _core.Intake) -> tuple[Sequence[_core.Record], Sequence[tuple[str, bytes]]]:
        for node_id, key in self.bound.items():
            intake.bind(node_id, key)
        return [], list(self.bound.items())

    async def drain(self) -> None:
        await self._idle.wait()

    def _later(self, token: int, *, fresh: bool) -> None:
        self._pending += 1
        self._idle.clear()
        self._loop.call_soon(self._answer, token, fresh)

    def _answer(self, token: int, fresh: bool) -> None:
        self._pending -= 1
        if not self._pending:
            self._idle.set()
        if self.failing:
            self._failed(token, "disk full")
        else:
            self._stored([Done(token, fresh)])


class Heard:
    """A subscriber that a test can wait on."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.news: list[nw.News] = []
        self._more = asyncio.Event()
        node.subscribe(self._take)

    def _take(self, news: nw.News) -> None:
        self.news.append(news)
        self._more.set()

    async def until(self, kind: type[Any], count: int = 1, seconds: float = 20.0) -> list[Any]:
        """Wait until `count` pieces of this news have come."""
        async with asyncio.timeout(seconds):
            while len(found := [news for news in self.news if isinstance(news, kind)]) < count:
                self._more.clear()
                await self._more.wait()
        return found


def node(
    number: int, *, store: MemoryStore | None = None, discovery: Sequence[Any] = (), **options: Any
) -> Node:
    return Node(
        identity(number),
        NodeOptions(**options),
        store=store or MemoryStore(),
        transport=TcpTransport(),
        discovery=discovery,
        clock=SystemClock(),
        entropy=SystemEntropy(),
    )
