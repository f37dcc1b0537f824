"""A whole door on loopback for a test: keys, lanes, HTTP, and a client that talks to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from covey.cli.share.start import listening
from covey.inference import keys as ks
from covey.inference.accounts import Accounts
from covey.inference.door import Rules
from covey.inference.keys import Entry, KeyBook
from covey.inference.lanes import Lanes, Step
from covey.net.upstream import Upstream
from covey.runtime.share.app import DoorApp
from covey.runtime.share.door import Door
from covey.runtime.share.gate import Gate
from covey.runtime.share.http import DoorServer
from covey.runtime.share.lines import Lines
from covey.settings import StaticPeer
from covey.system.clock import SystemClock

SECONDS = 60


def key(number: int) -> str:
    return ks.spelled(f"{number:08x}", bytes([number % 256]) * 32)


def entry(number: int, account: str, **more: Any) -> Entry:
    return Entry(f"{number:08x}", account, ks.digest_of_token(key(number)), 0, **more)


class Book:
    """Keys that a test changes."""

    def __init__(self, *entries: Entry) -> None:
        self.book = KeyBook(entries)

    def current(self) -> KeyBook:
        return self.book


@dataclass
class Memory:
    """Keeps state for a test."""

    saved: list[Mapping[str, Any]] = field(default_factory=list)

    def save(self, members: Mapping[str, Any]) -> None:
        self.saved.append(members)


@dataclass
class Opened:
    door: Door
    book: Book
    url: str
    lines: Lines
    memory: Memory
    client: httpx2.AsyncClient
    logged: list[tuple[str, str, Mapping[str, Any]]]

    def headers(self, number: int, **more: str) -> dict[str, str]:
        return {"authorization": f"Bearer {key(number)}", **more}

    async def chat(self, number: int, *, model: str = "", **more: Any) -> httpx2.Response:
        headers = self.headers(number, **more.pop("headers", {}))
        body = {"model": model, "messages": [], **more}
        return await self.client.post(f"{self.url}/v1/chat/completions", json=body, headers=headers)


@asynccontextmanager
async def opened(
    backends: Mapping[str, str],
    *entries: Entry,
    rules: Rules | None = None,
    lanes: Mapping[str, tuple[Step, ...]] | None = None,
    no_keys: bool = False,
    body_bytes: int = 65_536,
    answer_seconds: float = SECONDS,
    first_byte_seconds: float = SECONDS,
) -> AsyncIterator[Opened]:
    """Open a door in front of servers, by name and address."""
    rules = rules or Rules(per_minute=10_000)
    logged: list[tuple[str, str, Mapping[str, Any]]] = []
    memory, lines, book = Memory(), Lines(), Book(*entries)
    door = Door(
        rules,
        Lanes(lanes or {"default": tuple(map(Step, backends))}),
        {name: Upstream(url, None, first_byte_seconds, 2_048) for name, url in backends.items()},
        accounts=Accounts(),
        keeper=memory,
        clock=SystemClock(),
        log=lambda *line: logged.append(line),
        answer_seconds=answer_seconds,
    )
    lines.begin()
    door.start()
    app = DoorApp(
        door, Gate(book, no_keys=no_keys), lines, lambda: {"packages": {}, "covey": "0"}, body_bytes
    )
    listener = listening(StaticPeer("127.0.0.1", 0))
    server = DoorServer(app.app, listener)
    serving = asyncio.create_task(server.run())
    bound = httpx2.Limits(max_connections=2_000, max_keepalive_connections=100)
    async with httpx2.AsyncClient(limits=bound, timeout=SECONDS, trust_env=False) as client:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            yield Opened(door, book, url, lines, memory, client, logged)
        finally:
            await client.aclose()
            server.stop()
            await serving
            listener.close()
            await door.stop()
