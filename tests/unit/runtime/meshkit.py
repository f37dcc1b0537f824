"""Real nodes on real sockets for tests, with a store that forgets when the process ends."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from covey import _core
from covey.net.tcp import TcpTransport
from covey.proto import mail
from covey.proto import news as nw
from covey.proto.effects import Done
from covey.proto.options import NodeOptions
from covey.runtime.node import Node
from covey.store.mailbox import Mailbox
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from tests.unit.proto.shelf import new_store


def identity(number: int, name: str = "") -> _core.Identity:
    seed = hashlib.sha256(f"seed {number}".encode()).digest()
    return _core.Identity(f"01900000-0000-7000-8000-{number:012x}", name or f"peer-{number}", seed)


class MemoryStore:
    """The BlockStore port over dictionaries; answers on the next turn of the loop."""

    def __init__(self, who: _core.Identity | None = None) -> None:
        who = who or identity(1)
        self.keys: set[str] = set()
        self.db = new_store(who.node_id)
        self._mailbox = Mailbox(self.db, who)
        self.bound: dict[str, bytes] = {}
        self.failing = False
        self.silent = False
        self._pending = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def start(self, stored: Callable[[Sequence[Done]], None], failed: Callable[[int, str], None]) -> None:
        self._stored, self._failed = stored, failed
        self._loop = asyncio.get_running_loop()

    def commit(
        self,
        token: int,
        batch: _core.OutcomeBatch,
        now_ms: int,
        attention: _core.Attention | None = None,
    ) -> None:
        if self.silent:
            return
        self.keys |= {batch[i].key for i in range(len(batch)) if batch[i].kind == "admitted"}
        self.db.commit([batch], now_ms, [attention])
        self._later(token, fresh=True)

    def put_own(
        self,
        token: int,
        record: _core.Record,
        now_ms: int,
        recipients: Sequence[str],
        deadline_ms: int | None = None,
    ) -> None:
        fresh = record.key not in self.keys
        self.keys.add(record.key)
        number = 0
        if recipients:
            ((_, numbers),) = self.db.put_own_many([(record, recipients, deadline_ms)], now_ms)
            number = numbers[0] if numbers else 0
        self._later(token, fresh=fresh, number=number)

    def bind(self, node_id: str, public_key: bytes, name: str, now_ms: int) -> None:
        self.bound[node_id] = public_key

    def mail(self, wish: mail.Effect, answer: Callable[[mail.Event], None]) -> None:
        found = self._mailbox.perform(wish, SystemClock().now_ms(), [])
        if found is not None:
            self._loop.call_soon(answer, found)

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

    def _later(self, token: int, *, fresh: bool, number: int = 0) -> None:
        self._pending += 1
        self._idle.clear()
        self._loop.call_soon(self._answer, token, fresh, number)

    def _answer(self, token: int, fresh: bool, number: int) -> None:
        self._pending -= 1
        if not self._pending:
            self._idle.set()
        if self.failing:
            self._failed(token, "disk full")
        else:
            self._stored([Done(token, fresh, number)])


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
    number: int,
    *,
    store: MemoryStore | None = None,
    discovery: Sequence[Any] = (),
    plugins: Sequence[Any] = (),
    members: Any = None,
    **options: Any,
) -> Node:
    return Node(
        identity(number),
        NodeOptions(**options),
        store=store or MemoryStore(identity(number)),
        transport=TcpTransport(),
        discovery=discovery,
        plugins=plugins,
        members=members,
        clock=SystemClock(),
        entropy=SystemEntropy(),
    )
