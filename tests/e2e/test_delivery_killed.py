"""Both ends of directed delivery killed with -9, as real processes: once, in order, and the sender told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from covey import _core
from covey.model import Minted, Proposal, SendState
from covey.proto import news as nw
from covey.runtime.node import Node
from tests.e2e.node_peer import identity, make

ROOT = Path(__file__).parents[2]
SENDER, RECEIVER = 1, 2
Result = TypeVar("Result")


STARTED: list[Process] = []


async def program(module: str, *arguments: object) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", f"tests.e2e.{module}", *map(str, arguments)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    STARTED.append(process)
    return process


def play(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a test; whatever it started is gone afterwards."""

    async def played() -> Result:
        try:
            return await work()
        finally:
            while STARTED:
                process = STARTED.pop()
                if process.returncode is None:
                    await killed(process)

    return asyncio.run(played())


async def line(process: Process, *, starts: str = "") -> str:
    """Return the next line that starts so."""
    assert process.stdout is not None
    while said := (await process.stdout.readline()).decode().strip():
        if said.startswith(starts):
            return said
    raise AssertionError("the process ended")


async def killed(process: Process) -> None:
    process.kill()
    await process.wait()


@contextlib.asynccontextmanager
async def draining(process: Process) -> AsyncIterator[None]:
    """Keep a process's output from filling its pipe."""
    assert process.stdout is not None
    reading = asyncio.create_task(process.stdout.read())
    try:
        yield
    finally:
        reading.cancel()


class Ends:
    """What a node hears of its sends, and a way to wait for it."""

    def __init__(self, node: Node) -> None:
        self.all: list[nw.SendSettled] = []
        self._came = asyncio.Event()
        node.subscribe(self._take)

    def _take(self, news: nw.News) -> None:
        if isinstance(news, nw.SendSettled):
            self.all.append(news)
            self._came.set()

    async def until(self, enough: Callable[[list[nw.SendSettled]], bool]) -> None:
        while not enough(self.all):
            self._came.clear()
            await self._came.wait()


async def address(node: Node, text: str) -> str:
    result = await node.emit(Proposal({"focus": text, "intent": "ask"}, to=identity(RECEIVER).node_id))
    assert isinstance(result, Minted)
    return result.block.assertion_id


def inbox(folder: Path) -> list[tuple[str, int | None, str | None]]:
    """Return what a receiver that does not run has in its inbox: assertion, number, how it ended."""
    store = _core.Store.open(folder / f"{RECEIVER}.db", node_id=identity(RECEIVER).node_id)
    rows = [
        (row.record.assertion_id, row.number, row.finished) for row in store.inbox(0, 10_000) if row.directed
    ]
    assert store.mail.gaps(0, 1 << 40, 10) == []
    assert store.integrity() == []
    store.close()
    return rows


@pytest.mark.parametrize(
    ("where", "state", "reason"),
    [
        ("claim", SendState.EXECUTED, "replied: cmb-"),
        ("model", SendState.DELIVERED, "not answered: interrupted"),
    ],
)
def test_a_block_stored_before_kill_9_wakes_its_agent_once_and_the_sender_hears_of_it(
    tmp_path: Path, where: str, state: SendState, reason: str
) -> None:
    async def work() -> None:
        agent = await program("agent_peer", tmp_path, RECEIVER, 0, where)
        port = int((await line(agent, starts="port ")).split()[1])
        node, store = make(tmp_path, SENDER, 0, ("127.0.0.1", port))
        ends = Ends(node)
        async with node, asyncio.timeout(40):
            assert await node.wait_for_peers(1, 20)
            asserted = await address(node, "do this")
            await line(agent, starts=f"at {where}")
            await ends.until(lambda all: any(each.send.state is SendState.DELIVERED for each in all))
            assert not any(each.final for each in ends.all)
            await killed(agent)
            again = await program("agent_peer", tmp_path, RECEIVER, port, "-")
            async with draining(again):
                await ends.until(lambda all: any(each.final for each in all if each.assertion_id == asserted))
                last = next(each.send for each in ends.all if each.final and each.assertion_id == asserted)
                assert last.state is state
                assert (last.reason or "").startswith(reason)
                await killed(again)
        store.close()
        rows = inbox(tmp_path)
        assert [(assertion, number) for assertion, number, _ in rows] == [(asserted, 1)]

    play(work)


def test_kill_9_of_a_sender_loses_nothing_durable_and_doubles_nothing(tmp_path: Path) -> None:
    async def work() -> list[str]:
        node, store = make(tmp_path, RECEIVER, 0)
        heard: list[str] = []
        came = asyncio.Event()

        def hear(news: nw.News) -> None:
            if isinstance(news, nw.Delivered):
                heard.append(news.delivery.block.assertion_id)
                came.set()

        node.subscribe(hear)
        durable: list[str] = []
        async with node, asyncio.timeout(60):
            for first, kill_after in ((0, 7), (100, 40), (200, 60)):
                speaker = await program("speaking_peer", tmp_path, SENDER, RECEIVER, node.port, first, 60)
                durable += [await line(speaker, starts="asrt-") for _ in range(kill_after)]
                await killed(speaker)
                assert speaker.stdout is not None
                durable += (await speaker.stdout.read()).decode().split()
            last = await program("speaking_peer", tmp_path, SENDER, RECEIVER, node.port, 300, 1)
            durable.append(await line(last, starts="asrt-"))
            async with draining(last):
                while not set(durable) <= set(heard):
                    came.clear()
                    await came.wait()
                await killed(last)
        store.close()
        assert len(heard) == len(set(heard))
        return durable

    durable = play(work)
    rows = inbox(tmp_path)
    assert [number for _, number, _ in rows] == list(range(1, len(rows) + 1)), "in order, without a hole"
    asserted = [assertion for assertion, _, _ in rows]
    assert len(set(asserted)) == len(asserted)
    assert [each for each in asserted if each in set(durable)] == durable


def test_kill_9_of_a_receiver_delivers_each_directed_block_once_and_in_order(tmp_path: Path) -> None:
    count = 240

    async def work() -> None:
        receiver = await program("node_peer", tmp_path, RECEIVER, 0)
        port = int(await line(receiver))
        node, store = make(tmp_path, SENDER, 0, ("127.0.0.1", port))
        ends = Ends(node)
        async with node, asyncio.timeout(60):
            assert await node.wait_for_peers(1, 20)

            async def address_all() -> None:
                for number in range(count):
                    await address(node, f"errand {number}")

            addressing = asyncio.create_task(address_all())
            for delivered in (30, 90, 150):
                async with draining(receiver):
                    await ends.until(lambda all, least=delivered: len(all) >= least)
                    await killed(receiver)
                receiver = await program("node_peer", tmp_path, RECEIVER, port)
            async with draining(receiver):
                await addressing
                await ends.until(lambda all: len({each.assertion_id for each in all}) == count)
                await killed(receiver)
        store.close()
        assert {each.send.state for each in ends.all} == {SendState.DELIVERED}

    play(work)
    rows = inbox(tmp_path)
    assert [number for _, number, _ in rows] == list(range(1, count + 1))
    assert len({assertion for assertion, _, _ in rows}) == count
