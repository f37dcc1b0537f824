"""A node over its real store: what it must still know after a restart."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

from covey import _core
from covey.model import Duplicate, Minted, Proposal, SendState
from covey.net.tcp import TcpTransport
from covey.proto import news as nw
from covey.proto.options import AdmissionOptions, NodeOptions
from covey.runtime.node import Node
from covey.store import NodeStore, open_store
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from tests.unit.runtime.meshkit import Heard, identity

EVERYTHING = AdmissionOptions(guarded=2.0, redundancy=0.0)


@contextlib.asynccontextmanager
async def running(
    folder: Path, number: int, who: _core.Identity | None = None, **options: Any
) -> AsyncIterator[Node]:
    who = who or identity(number)
    store = NodeStore(open_store(folder / f"{number}.db", who.node_id), who, SystemClock())
    node = Node(
        who,
        NodeOptions(admission=EVERYTHING, **options),
        store=store,
        transport=TcpTransport(),
        clock=SystemClock(),
        entropy=SystemEntropy(),
    )
    try:
        async with node:
            yield node
    finally:
        store.close()


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def said(text: str, to: str | None = None) -> Proposal:
    return Proposal({"focus": text, "intent": f"say {text}"}, to=to)


def address(node: Node) -> dict[str, Any]:
    return {"addresses": (("127.0.0.1", node.port),)}


def test_a_directed_block_survives_a_restart_and_is_sent_when_its_peer_comes(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, 1) as one:
            assert isinstance(await one.emit(said("after the restart", identity(2).node_id)), Minted)
        async with running(tmp_path, 2) as two:
            heard = Heard(two)
            async with running(tmp_path, 1, **address(two)) as one:
                settled = Heard(one)
                delivery = (await heard.until(nw.Delivered))[0].delivery
                assert (delivery.directed, delivery.block.categories["focus"]) == (True, "after the restart")
                assert (await settled.until(nw.SendSettled))[0].send.state is SendState.DELIVERED
            async with running(tmp_path, 1, **address(two)) as one:
                assert await one.wait_for_peers(1, 10)
                assert one.counters().get("records.sent", 0) == 0, "the outbox was not cleared"

    run(work())


def test_after_a_restart_of_both_own_blocks_are_context_and_known_ones_duplicates(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, 1) as one, running(tmp_path, 2, **address(one)) as two:
            heard = Heard(two)
            assert await one.wait_for_peers(1, 10)
            assert isinstance(await one.emit(said("only once")), Minted)
            await heard.until(nw.Delivered)
        async with running(tmp_path, 1) as one, running(tmp_path, 2, **address(one)) as two:
            heard = Heard(two)
            assert (one.status()["anchors"], two.status()["anchors"]) == (1, 1)
            judged = (await heard.until(nw.Judged))[0]
            assert (judged.outcome, judged.replayed) == ("duplicate", True)
            assert isinstance(await one.emit(said("only once")), Duplicate)
            assert isinstance(await one.emit(said("a second thing")), Minted)
            delivered = await heard.until(nw.Delivered)
            assert [news.delivery.block.categories["focus"] for news in delivered] == ["a second thing"]

    run(work())


def test_a_nodes_first_key_is_still_bound_after_a_restart(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, 1) as one, running(tmp_path, 2, **address(one)):
            assert await one.wait_for_peers(1, 10)
        impostor = _core.Identity(identity(2).node_id, "peer-2", bytes(range(32)))
        (tmp_path / "elsewhere").mkdir()
        async with running(tmp_path, 1) as one:
            async with running(tmp_path / "elsewhere", 2, impostor, **address(one)) as two:
                left = Heard(two)
                assert (await left.until(nw.PeerLeft))[0].reason == "peer_error", "it heard 1009"
                assert one.counters()["sessions.closed.identity_conflict"] == 1
                assert one.peers() == []
            async with running(tmp_path, 2, **address(one)):
                assert await one.wait_for_peers(1, 10)

    run(work())
