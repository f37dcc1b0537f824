"""A receiver killed in the middle: nothing it acknowledged is lost, and the rest arrives when it is back."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import Process
from pathlib import Path

from covey import _core
from covey.model import Minted, Proposal, SendState
from covey.proto import news as nw
from tests.e2e.node_peer import identity, make

ROOT = Path(__file__).parents[2]
BLOCKS = 400
KILL_AFTER = (50, 150, 250)


async def start(folder: Path, port: int) -> tuple[Process, int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.e2e.node_peer", str(folder), "2", str(port)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    return process, int(await process.stdout.readline())


async def read_all(process: Process) -> None:
    """Keep the pipe empty, so that the peer never waits for us."""
    assert process.stdout is not None
    while await process.stdout.readline():
        pass


def test_kill_9_of_a_receiver_loses_nothing_acknowledged(tmp_path: Path) -> None:
    acknowledged: set[str] = set()

    async def work() -> None:
        process, port = await start(tmp_path, 0)
        draining = asyncio.create_task(read_all(process))
        node, store = make(tmp_path, 1, 0, ("127.0.0.1", port))
        progress = asyncio.Event()

        def hear(news: nw.News) -> None:
            if isinstance(news, nw.SendSettled):
                assert news.send.state is SendState.DELIVERED, news
                acknowledged.add(news.key)
                progress.set()

        node.subscribe(hear)

        async def until(count: int) -> None:
            while len(acknowledged) < count:
                progress.clear()
                await progress.wait()

        async def emit_all() -> None:
            for number in range(BLOCKS):
                result = await node.emit(Proposal({"focus": f"entry {number}", "intent": f"keep {number}"}))
                assert isinstance(result, Minted)

        async with node, asyncio.timeout(90):
            assert await node.wait_for_peers(1, 20)
            emitting = asyncio.create_task(emit_all())
            for count in KILL_AFTER:
                await until(count)
                process.kill()
                await process.wait()
                await draining
                process, _ = await start(tmp_path, port)
                draining = asyncio.create_task(read_all(process))
            await emitting
            await until(BLOCKS)
        store.close()
        assert process.stdin is not None
        process.stdin.close()
        assert await process.wait() == 0
        await draining

    asyncio.run(work())
    kept = _core.Store.open(tmp_path / "2.db", node_id=identity(2).node_id)
    assert kept.integrity() == []
    missing = [key for key in acknowledged if kept.record(key) is None]
    assert missing == []
    assert len(acknowledged) == BLOCKS
    kept.close()
