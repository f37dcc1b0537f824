from __future__ import annotations

import asyncio
import struct
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from covey import limits
from covey.errors import NetworkError
from covey.model import EmissionRefused, Minted, Proposal, SendState
from covey.net.registry import RegistryDiscovery
from covey.proto import effects as fx
from covey.proto import news as nw
from covey.runtime.node import Node
from covey.system.clock import SystemClock
from tests.unit.runtime.meshkit import Heard, MemoryStore, identity, node

LOOPS = ["asyncio", "uvloop"]


def run(work: Coroutine[Any, Any, None], loop: str = "asyncio") -> None:
    if loop == "uvloop":
        uvloop = pytest.importorskip("uvloop")
        uvloop.run(work)
    else:
        asyncio.run(work)


def said(text: str, to: str | None = None) -> Proposal:
    return Proposal({"focus": text, "intent": f"say {text}"}, to=to)


async def meet(*nodes: Node) -> None:
    """Everybody dials everybody that came before, and waits until all are connected."""
    for index, one in enumerate(nodes):
        for other in nodes[:index]:
            assert other.port is not None
            one.dial("127.0.0.1", other.port)
    for one in nodes:
        assert await one.wait_for_peers(len(nodes) - 1, 10)


@pytest.mark.parametrize("loop", LOOPS)
def test_two_nodes_on_real_sockets_exchange_blocks_and_receipts(loop: str) -> None:
    async def work() -> None:
        async with node(1) as one, node(2) as two:
            heard_one, heard_two = Heard(one), Heard(two)
            await meet(one, two)
            result = await one.emit(said("across a real socket"))
            assert isinstance(result, Minted)
            delivered = (await heard_two.until(nw.Delivered))[0].delivery
            assert delivered.block == result.block
            assert delivered.wakes
            settled = (await heard_one.until(nw.SendSettled))[0]
            assert (settled.assertion_id, settled.send.state) == (
                result.block.assertion_id,
                SendState.DELIVERED,
            )
            assert two.counters()["records.admitted"] == 1
            assert one.status()["peers"] == 1

    run(work(), loop)


def test_three_nodes_found_by_the_registry_hear_each_other(tmp_path: Path) -> None:
    async def work() -> None:
        nodes = [node(n, discovery=[RegistryDiscovery(tmp_path, SystemClock(), 0.02)]) for n in (1, 2, 3)]
        for one in nodes:
            await one.start()
        for one in nodes:
            assert await one.wait_for_peers(2, 20)
        heard = [Heard(one) for one in nodes]
        for one in nodes:
            assert isinstance(await one.emit(said(f"from {one.identity.name}")), Minted)
        for listener in heard:
            judged = await listener.until(nw.Judged, 2)
            assert {news.from_node_id for news in judged} == {
                one.node_id for one in nodes if one is not listener.node
            }
            paths = {view.path for view in listener.node.peers()}
            assert paths <= {"registry", "inbound"}
        for one in nodes:
            await one.stop()

    run(work())
    assert list(tmp_path.iterdir()) == []


def test_a_block_as_large_as_the_protocol_allows_arrives_whole() -> None:
    async def work() -> None:
        async with node(1) as one, node(2) as two:
            heard = Heard(two)
            await meet(one, two)
            texts = {"focus": "ü" * 100_000, "issue": "x" * 250_000}
            assert isinstance(await one.emit(Proposal(texts)), Minted)
            block = (await heard.until(nw.Delivered))[0].delivery.block
            assert {name: block.categories[name] for name in texts} == texts

    run(work())


def test_a_fast_author_waits_for_a_peer_that_keeps_taking_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OUTLET_RECORDS", 64)
    monkeypatch.setattr(limits, "OUTLET_PRESSED", 16)

    async def work() -> None:
        async with node(1) as one, node(2) as two:
            await meet(one, two)
            heard = Heard(one)
            numbers = iter(range(300))

            async def author() -> None:
                for number in numbers:
                    assert isinstance(await one.emit(said(f"number {number}")), Minted)

            await asyncio.gather(*(author() for _ in range(16)))
            ends = await heard.until(nw.SendSettled, 300)
            assert all(end.send.reason != "queue full" for end in ends)
            assert "sends.refused.queue_full" not in one.counters()

    run(work())


def test_a_fast_author_does_not_wait_for_a_peer_that_has_stalled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OUTLET_RECORDS", 8)
    monkeypatch.setattr(limits, "OUTLET_PRESSED", 4)
    monkeypatch.setattr(limits, "OUTLET_STALLED_SECONDS", 0.05)
    monkeypatch.setattr(limits, "PRESSURE_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(limits, "DRAIN_SECONDS", 0.05)

    async def work() -> None:
        store = MemoryStore()
        async with node(1) as one, node(2, store=store) as two:
            await meet(one, two)
            store.silent = True
            results = [await one.emit(said(f"number {number}")) for number in range(12)]
            states = [result.sends[0].state for result in results if isinstance(result, Minted)]
            assert states == [SendState.ACCEPTED] * 8 + [SendState.REFUSED] * 4
            store.silent = False

    run(work())


def test_a_directed_block_waits_for_its_peer() -> None:
    async def work() -> None:
        async with node(1) as one:
            result = await one.emit(said("when you come", to=identity(2).node_id))
            assert isinstance(result, Minted)
            assert result.sends[0].state is SendState.UNKNOWN
            async with node(2) as two:
                heard = Heard(two)
                await meet(one, two)
                assert (await heard.until(nw.Delivered))[0].delivery.directed

    run(work())


def test_a_store_that_fails_refuses_the_emission_and_shows_in_status() -> None:
    async def work() -> None:
        store = MemoryStore()
        async with node(1, store=store) as one:
            store.failing = True
            refused = await one.emit(said("no room on the disk"))
            assert isinstance(refused, EmissionRefused)
            assert refused.reason == "store"
            assert one.status()["store"] == "disk full"
            store.failing = False
            store.keys.clear()
            assert isinstance(await one.emit(said("no room on the disk")), Minted)
            assert one.status()["store"] == "ok"

    run(work())


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        struct.pack(">I", 0),
        struct.pack(">I", limits.FRAME_BYTES + 1),
        struct.pack(">I", 5) + b"12345",
        struct.pack(">I", 20) + b'{"type":"cmb","x":1}',
    ],
)
def test_garbage_on_the_port_is_closed_and_counted_and_hurts_nobody(garbage: bytes) -> None:
    async def work() -> None:
        async with node(1) as one, node(2) as two:
            await meet(one, two)
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
            writer.write(garbage)
            async with asyncio.timeout(limits.HANDSHAKE_SECONDS / 2):
                assert await reader.read() == b"", "a failed handshake sends nothing"
            writer.close()
            assert sum(n for name, n in one.counters().items() if name.startswith("handshakes.failed.")) == 1
            heard = Heard(two)
            assert isinstance(await one.emit(said("still well")), Minted)
            await heard.until(nw.Delivered)

    run(work())


def test_a_node_does_not_listen_beyond_this_machine_unless_told_to() -> None:
    async def work() -> None:
        one = node(1, host="0.0.0.0")
        with pytest.raises(NetworkError, match="loopback") as refusal:
            await one.start()
        assert "lan = true" in str(refusal.value.hint)
        await one.stop()
        async with node(1, host="0.0.0.0", lan=True) as one:
            assert one.port

    run(work())


def test_a_taken_port_is_a_network_error_that_names_it() -> None:
    async def work() -> None:
        async with node(1) as one:
            two = node(2, port=one.port)
            with pytest.raises(NetworkError, match=str(one.port)):
                await two.start()
            await two.stop()

    run(work())


def test_a_peer_that_stops_leaves_at_once_and_comes_back_by_itself() -> None:
    async def work() -> None:
        async with node(1) as one:
            heard = Heard(one)
            two = node(2)
            await two.start()
            port = two.port
            joined = Heard(two)
            one.dial("127.0.0.1", port or 0)
            await heard.until(nw.PeerJoined)
            await joined.until(nw.PeerJoined)  # until then it has no session to say goodbye on
            await two.stop()
            (left,) = await heard.until(nw.PeerLeft)
            assert (left.reason, left.detail) == ("peer_closed", "this peer is shutting down")
            assert one.peers() == []
            async with node(2, port=port):
                await heard.until(nw.PeerJoined, 2)

    run(work())


def test_a_subscriber_that_raises_is_counted_and_the_node_goes_on() -> None:
    async def work() -> None:
        async with node(1) as one, node(2) as two:

            def broken(_: nw.News) -> None:
                raise ValueError("not my day")

            two.subscribe(broken)
            heard = Heard(two)
            await meet(one, two)
            await one.emit(said("carry on"))
            await heard.until(nw.Delivered)
            assert two.counters()["subscribers.failed"] >= 1

    run(work())


def test_an_outbound_only_node_listens_nowhere_and_still_speaks() -> None:
    async def work() -> None:
        async with node(2) as two:
            assert two.port is not None
            async with node(9, outbound_only=True, addresses=(("127.0.0.1", two.port),)) as nine:
                assert nine.port is None
                assert await nine.wait_for_peers(1, 10)
                heard = Heard(two)
                await nine.emit(said("from behind"))
                await heard.until(nw.Delivered)

    run(work())


def test_stop_before_start_and_twice_is_harmless_and_emit_needs_a_running_node() -> None:
    async def work() -> None:
        one = node(1)
        await one.stop()
        with pytest.raises(RuntimeError, match="not running"):
            await one.emit(said("too early"))
        await one.start()
        await one.stop()
        await one.stop()

    run(work())


def test_what_is_emitted_in_one_turn_of_the_loop_is_signed_together() -> None:
    async def work() -> None:
        async with node(1) as one:
            handle, together = one._engine.handle, []

            def watched(event: fx.Event, now: fx.Now) -> list[fx.Effect]:
                if isinstance(event, fx.EmitMany):
                    together.append(len(event.wanted))
                return handle(event, now)

            one._engine.handle = watched
            results = await asyncio.gather(*(one.emit(said(f"word {number}")) for number in range(300)))
            assert all(isinstance(result, Minted) for result in results)
            assert together == [128, 128, 44]
            assert isinstance(await one.emit(said("alone")), Minted)

    run(work())


def test_an_engine_that_fails_leaves_no_emission_waiting() -> None:
    async def work() -> None:
        async with node(1) as one:
            handle = one._engine.handle

            def broken(event: fx.Event, now: fx.Now) -> list[fx.Effect]:
                if isinstance(event, fx.EmitMany):
                    raise ZeroDivisionError("a fault of ours")
                return handle(event, now)

            one._engine.handle = broken
            with pytest.raises(ZeroDivisionError):
                await one.emit(said("lost"))

    run(work())


def test_waiting_for_peers_that_do_not_come_says_so() -> None:
    async def work() -> None:
        async with node(1) as one:
            assert await one.wait_for_peers(1, 0.05) is False

    run(work())


def test_news_turn_into_plain_dictionaries_under_their_names() -> None:
    async def work() -> None:
        async with node(1) as one, node(2) as two:
            heard = Heard(two)
            await meet(one, two)
            await one.emit(said("as json"))
            await heard.until(nw.Delivered)
            lines = [nw.as_dict(news) for news in heard.news]
            assert [line["event"] for line in lines][:3] == ["peer-joined", "judged", "delivered"]
            judged = lines[1]["judgement"]
            assert isinstance(judged, dict)
            assert judged["decision"] in ("aligned", "guarded")

    run(work())


def test_what_a_fault_left_undone_is_done_before_what_comes_next(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with node(1) as one:
            handle, handled = one._engine.handle, list[str]()

            def faulty(event: fx.Event, now: fx.Now) -> list[fx.Effect]:
                if not isinstance(event, fx.Dialled):
                    return handle(event, now)
                handled.append(event.host)
                if event.host == "first":
                    one.dial("second", 2)  # as an effect's doing may: it queues behind this one
                    raise ValueError("a fault of ours")
                return []

            monkeypatch.setattr(one._engine, "handle", faulty)
            with pytest.raises(ValueError, match="a fault of ours"):
                one.dial("first", 1)
            one.dial("third", 3)
            assert handled == ["first", "second", "third"]

    run(work())
