"""A trusted peer that floods, as a process of its own, over a real socket: others are heard all the while."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from covey import limits
from covey.model import Minted, Proposal
from covey.proto import news as nw
from covey.runtime.node import Node
from tests.unit.runtime.meshkit import Heard, identity, node

ROOT = Path(__file__).parents[2]
VICTIM, HONEST, FLOODING = 1, 2, 3
REMARKS = 5


@contextlib.asynccontextmanager
async def flooding(victim: Node) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.e2e.flooding_peer", str(FLOODING), str(victim.port)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def states(victim: Node) -> dict[str, str]:
    return {view.node_id: view.state for view in victim.peers()}


def test_a_trusted_peer_that_floods_waits_for_its_turn_and_others_are_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "PRESSING_SECONDS", 0.2)
    # On a busy machine the flood is thinner, and pauses: it is one all the same, for as long as this looks.
    monkeypatch.setattr(limits, "ROUND_SECONDS", 0.5)
    monkeypatch.setattr(limits, "CALM_SECONDS", 3_600.0)
    lines: list[tuple[str, object]] = []

    async def work() -> dict[str, int]:
        trusted = frozenset({identity(FLOODING).node_id, identity(HONEST).node_id})
        async with node(VICTIM, trusted=trusted) as victim, node(HONEST) as honest, asyncio.timeout(100):
            victim._log = lambda level, event, facts: lines.append((event, facts.get("peer")))
            heard = Heard(victim)
            assert victim.port is not None
            honest.dial("127.0.0.1", victim.port)
            assert await honest.wait_for_peers(1, 20)
            async with flooding(victim) as process:
                while states(victim).get(identity(FLOODING).node_id) != "pressing":
                    await heard.until(nw.Judged, len(heard.news) + 1)
                for number in range(REMARKS):
                    sent = await honest.emit(
                        Proposal({"focus": f"remark {number}"}, to=identity(VICTIM).node_id)
                    )
                    assert isinstance(sent, Minted)
                    at = len(heard.news)
                    while not any(
                        isinstance(news, nw.Delivered) and news.delivery.block == sent.block
                        for news in heard.news[at:]
                    ):
                        await heard.until(nw.Judged, len(heard.news) + 1)
                    assert states(victim)[identity(HONEST).node_id] == "open"
                assert process.returncode is None, "it floods all the while"
                assert states(victim)[identity(FLOODING).node_id] == "pressing"
            return victim.counters()

    counted = asyncio.run(work())
    assert counted["turns.waited"] >= REMARKS
    assert counted["records.received"] > 1_000
    assert counted["peers.pressing"] == 1
    assert "sessions.closed.bad_signature" not in counted
    assert ("peer-presses", identity(FLOODING).node_id) in lines
