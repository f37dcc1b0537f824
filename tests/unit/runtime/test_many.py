"""Many blocks at once: durable and delivered in order; a line that is no block is refused by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from covey import _core, limits
from covey.model import EmissionRefused, Minted, Proposal, SendState
from covey.net.tcp import TcpTransport
from covey.proto import news as nw
from covey.proto.many import EmittedMany, LineRefused
from covey.proto.options import AdmissionOptions, NodeOptions
from covey.runtime.node import Node
from covey.store.node import NodeStore
from covey.store.opening import open_store
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from tests.unit.runtime.meshkit import Heard, identity

EVERYTHING = AdmissionOptions(stable=2.0, guarded=2.0, redundancy=0.0)


def peer(number: int, folder: Path) -> tuple[Node, _core.Store]:
    who, clock = identity(number), SystemClock()
    file = open_store(folder / f"{number}.db", who.node_id)
    options = NodeOptions(room="many", admission=EVERYTHING)
    store = NodeStore(file, who, clock)
    node = Node(who, options, store=store, transport=TcpTransport(), clock=clock, entropy=SystemEntropy())
    return node, file


def lines(*texts: str) -> bytes:
    return b"".join(json.dumps({"focus": text, "mood": "calm"}).encode() + b"\n" for text in texts)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def emitted(result: EmittedMany | EmissionRefused) -> EmittedMany:
    assert isinstance(result, EmittedMany), result
    return result


def test_lines_arrive_in_their_order_before_and_behind_what_is_said_alone(tmp_path: Path) -> None:
    async def work() -> None:
        (one, file), (two, _) = peer(1, tmp_path), peer(2, tmp_path)
        async with one, two:
            heard, told = Heard(two), Heard(one)
            one.dial("127.0.0.1", two.port or 0)
            assert await one.wait_for_peers(1, 20)
            assert isinstance(await one.emit(Proposal({"focus": "first"})), Minted)
            texts = [f"line {number}" for number in range(700)]
            found = emitted(await one.many.emit(lines(*texts)))
            assert (found.minted, found.duplicates, found.refused) == (700, (), ())
            assert [(took.taken, took.refused, took.state) for took in found.sends] == [
                (700, 0, SendState.ACCEPTED)
            ]
            assert file.stats()["records"] == 701, "durable when it is answered"
            assert isinstance(await one.emit(Proposal({"focus": "last"})), Minted)
            delivered = await heard.until(nw.Delivered, 702)
            focuses = [news.delivery.block.categories["focus"] for news in delivered]
            assert focuses == ["first", *texts, "last"]
            settled = await told.until(nw.SendSettled, 702)
            assert {news.send.state for news in settled} == {SendState.DELIVERED}
            assert len(await told.until(nw.Emitted, 702)) == 702, "who watches hears of each"

    run(work())


def test_what_is_held_or_no_block_is_told_by_its_line(tmp_path: Path) -> None:
    async def work() -> None:
        one, file = peer(1, tmp_path)
        async with one:
            assert isinstance(await one.emit(Proposal({"focus": "known", "mood": "calm"})), Minted)
            said = lines("new", "known") + b'\n{"colour": "red"}\nno json\n{}\n' + lines("new", "other")
            found = emitted(await one.many.emit(said))
            assert (found.minted, found.duplicates) == (2, (2, 7))
            assert [(each.line, each.reason) for each in found.refused] == [
                (4, "schema"),
                (5, "malformed_json"),
                (6, "schema"),
            ]
            assert isinstance(found.refused[0], LineRefused)
            assert file.stats()["records"] == 3
            counters = one.counters()
            assert (counters["emissions.minted"], counters["emissions.duplicate"]) == (3, 2)
            assert counters["emissions.refused.schema"] == 2
            assert emitted(await one.many.emit(b"\n\n")).minted == 0

    run(work())


def test_more_than_fits_is_refused_whole(tmp_path: Path) -> None:
    async def work() -> None:
        one, file = peer(1, tmp_path)
        async with one:
            refused = await one.many.emit(b"{}\n" * 1025)
            assert isinstance(refused, EmissionRefused)
            assert refused.reason == "too_large"
            assert file.stats()["records"] == 0

    run(work())


def test_a_full_queue_takes_what_fits_and_the_rest_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        (one, _), (two, _) = peer(1, tmp_path), peer(2, tmp_path)
        async with one:
            async with two:
                one.dial("127.0.0.1", two.port or 0)
                assert await one.wait_for_peers(1, 20)
            gone = Heard(one)
            while one.peers():
                await gone.until(nw.PeerLeft)
            monkeypatch.setattr(limits, "OUTLET_RECORDS", 5)
            found = emitted(await one.many.emit(lines(*(f"waits {number}" for number in range(8)))))
            assert found.minted == 8
            (took,) = found.sends
            assert (took.taken, took.refused, took.state) == (5, 3, SendState.UNKNOWN)
            assert one.counters()["sends.refused.queue_full"] == 3

    run(work())


def test_what_another_signed_is_not_stored_and_not_sent(tmp_path: Path) -> None:
    async def work() -> None:
        one, file = peer(1, tmp_path)
        async with one:
            foreign = _core.OwnBatch.sign(
                lines("not mine"), identity(2), room="many", created_ms=SystemClock().now_ms()
            )
            refused = await one.many.publish(foreign)
            assert isinstance(refused, EmissionRefused)
            assert refused.reason == "store"
            assert file.stats()["records"] == 0

    run(work())


def test_signed_beforehand_is_sent_when_it_is_published(tmp_path: Path) -> None:
    async def work() -> None:
        one, file = peer(1, tmp_path)
        async with one:
            batch = one.many.sign(lines("a", "b", "a"))
            assert file.stats()["records"] == 0
            assert (len(batch), batch[0].room, batch[1].categories["focus"]) == (3, "many", "b")
            found = emitted(await one.many.publish(batch))
            assert (found.minted, found.duplicates) == (2, (3,))

    run(work())


def test_a_node_that_does_not_run_says_so(tmp_path: Path) -> None:
    one, _ = peer(1, tmp_path)
    with pytest.raises(RuntimeError, match="not running"):
        asyncio.run(one.many.emit(lines("too early")))
