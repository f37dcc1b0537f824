"""The bus over the mesh, on real nodes and sockets: the calls of one process, and what may go wrong."""

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from covey import _core, limits
from covey.fleet.message import Message, MessageError, MessageType
from covey.model import SendState
from covey.proto import news as nw
from covey.runtime.bus.local import LocalBus
from covey.runtime.bus.mesh import MeshBus
from covey.runtime.bus.requests import Requests
from covey.runtime.bus.values import NoSuchAgentError, RequestTimeoutError
from covey.store.messages import StoreMessages
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from tests.unit.runtime.meshkit import MemoryStore, identity, node

SECONDS = 20


WAITING: list[asyncio.Event] = []


class Stirring(MeshBus):
    """Says when it has heard something."""

    def perform(self, what):
        super().perform(what)
        for event in WAITING:
            event.set()


def make_bus(log=None):
    return Stirring(clock=SystemClock(), entropy=SystemEntropy(), log=log)


@asynccontextmanager
async def mesh(count, *, logs=None, **options):
    """Nodes that are all connected, with their buses; what they log lands in `logs`."""
    take = None if logs is None else lambda *line: logs.append(line)
    buses = [make_bus(take) for _ in range(count)]
    nodes = [node(number + 1, plugins=(bus,), **options) for number, bus in enumerate(buses)]
    for each, bus in zip(nodes, buses, strict=True):
        bus.attach(each)
    try:
        for each in nodes:
            await each.start()
            for other in nodes[: nodes.index(each)]:
                other.dial("127.0.0.1", each.port)
                each.dial("127.0.0.1", other.port)
        for each in nodes:
            assert await each.wait_for_peers(count - 1, SECONDS)
        yield nodes, buses
    finally:
        for each in nodes:
            await each.stop()


async def until(true, seconds=SECONDS):
    """Wait until something is so; looked at after everything that a bus hears, and now and then."""
    WAITING[:] = [event := asyncio.Event()]
    async with asyncio.timeout(seconds):
        while not true():
            event.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), 0.05)


def put(queue):
    return lambda message: queue.put_nowait(message)


async def settled(bus, receipt):
    """Return the fates of a message once every peer has said what became of it."""
    fates = lambda: bus.fates(receipt.message.id)  # noqa: E731  # read twice below
    await until(lambda: all(each.state is not SendState.ACCEPTED for each in fates()))
    return fates()


async def test_s02_send_and_broadcast_reach_agents_of_other_peers_with_the_same_calls():
    async with mesh(3) as (_, (a, b, c)):
        heard = {name: asyncio.Queue() for name in ("bob", "cid", "ann")}
        a.register("ann", put(heard["ann"]))
        b.register("bob", put(heard["bob"]))
        c.register("cid", put(heard["cid"]))
        await until(lambda: a.nicknames() == ["ann", "bob", "cid"])
        receipt = a.send(a.make("ann", "bob", "TASK_REQUEST", {"n": 1}))
        assert (receipt.carried, receipt.reached, receipt.dead) == (1, 1, "")
        message = await asyncio.wait_for(heard["bob"].get(), SECONDS)
        assert message == receipt.message
        fates = await settled(a, receipt)
        assert [(each.node_id, each.state) for each in fates] == [
            (b.origin(message.id) and fates[0].node_id, "executed")
        ]
        assert a.send(a.make("ann", "*", "HEARTBEAT")).carried == 2
        assert (await asyncio.wait_for(heard["bob"].get(), SECONDS)).type == "HEARTBEAT"
        assert (await asyncio.wait_for(heard["cid"].get(), SECONDS)).type == "HEARTBEAT"
        assert heard["ann"].empty()


async def test_s02_a_recipient_nobody_has_is_a_typed_end_and_one_that_is_gone_becomes_one():
    async with mesh(2) as (nodes, (a, b)):
        assert a.send(a.make("ann", "bob", "REQUEST")).dead == "no-recipient"
        end = b.register("bob", lambda _: None)
        await until(lambda: "bob" in a.nicknames())
        end()
        await until(lambda: "bob" not in a.nicknames())
        b.register("bob", lambda _: None)
        await until(lambda: "bob" in a.nicknames())
        await nodes[1].stop()
        await until(lambda: "bob" not in a.nicknames())
        assert [letter.reason for letter in a.dead_letters()] == ["no-recipient"]


async def test_s06_topics_with_wildcards_reach_who_subscribed_elsewhere_and_nobody_else():
    async with mesh(3) as (_, (a, b, c)):
        weather, other = asyncio.Queue(), []
        end = b.subscribe("weather.*.rain", put(weather))
        c.subscribe("news.>", other.append)
        await until(lambda: sum(len(each.patterns) for each in a.directory()) == 2)
        receipt = a.publish("weather.north.rain", a.make("ann", "*", "X_RAIN", {"mm": 3}))
        assert receipt.carried == 1
        assert (await asyncio.wait_for(weather.get(), SECONDS)).payload == {"mm": 3}
        assert a.publish("weather.north", a.make("ann", "*", "X_RAIN")).dead == "no-subscriber"
        end()
        await until(lambda: sum(len(each.patterns) for each in a.directory()) == 1)
        assert other == []


async def test_s06_a_slow_subscriber_elsewhere_is_bounded_and_its_sender_hears_of_it():
    async with mesh(2) as (_, (a, b)):
        holds = asyncio.Event()

        async def slow(_):
            await holds.wait()

        b.register("slow", slow, capacity=2, policy="block")
        await until(lambda: "slow" in a.nicknames())
        receipts = [a.send(a.make("ann", "slow", "REQUEST", {"n": n})) for n in range(6)]
        states = [(await settled(a, receipt))[0] for receipt in receipts]
        assert {each.state for each in states} == {"delivered", "refused"}
        assert {each.reason for each in states if each.state == "refused"} == {"full"}
        assert len([each for each in states if each.state == "refused"]) >= 3
        holds.set()


async def pair(a, b, answer):
    asker, server = Requests(a, "ann"), Requests(b, "bob")
    server.serve(answer)
    await until(lambda: "bob" in a.nicknames() and "ann" in b.nicknames())
    return asker, server


async def test_s05_s07_a_request_over_the_mesh_gets_its_reply_with_its_correlation():
    async with mesh(2) as (_, (a, b)):

        async def double(message):
            return {"n": message.payload["n"] * 2}

        asker, _ = await pair(a, b, double)
        reply = await asker.ask("bob", {"n": 2}, timeout_seconds=SECONDS)
        asked = a.history(kind="REQUEST").messages[0]
        assert (reply.type, reply.payload["n"], reply.depth) == (MessageType.RESPONSE, 4, 1)
        assert (reply.in_reply_to, reply.correlation_id, reply.trace) == (
            asked.id,
            asked.correlation_id,
            asked.trace,
        )


async def test_s07_a_timeout_and_a_cancellation_cross_the_mesh_and_a_late_reply_is_counted():
    async with mesh(2) as (_, (a, b)):
        started, ended = asyncio.Queue(), asyncio.Queue()

        async def slow(message):
            started.put_nowait(message)
            try:
                await asyncio.Event().wait()
            finally:
                ended.put_nowait(message)

        asker, _ = await pair(a, b, slow)
        with pytest.raises(RequestTimeoutError, match="within"):
            await asker.ask("bob", {}, timeout_seconds=0.1)
        late = await asyncio.wait_for(started.get(), SECONDS)
        await asyncio.wait_for(ended.get(), SECONDS)
        task = asyncio.create_task(asker.ask("bob", {"again": True}, timeout_seconds=60))
        await asyncio.wait_for(started.get(), SECONDS)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(ended.get(), SECONDS)
        b.send(b.make("bob", "ann", "RESPONSE", {}, answers=late))
        await until(lambda: asker.late >= 1)


@pytest.mark.parametrize("proof", [False, True])
async def test_s07_a_forger_that_knows_a_question_and_has_its_askers_name_does_not_call_it_off(proof):
    async with mesh(3) as (nodes, (a, b, c)):
        started, ended = asyncio.Queue(), asyncio.Queue()

        async def slow(message):
            started.put_nowait(message)
            try:
                await asyncio.Event().wait()
            finally:
                ended.put_nowait(message)

        asker, server = await pair(a, b, slow)
        known = asyncio.Queue()
        c.register("bob", put(known))  # asked too: so it has the question's id
        c.register("ann", lambda _: None)  # and it has an agent of the asker's name
        await until(lambda: len([each for each in b.directory() if "ann" in each.names]) == 2)
        await until(lambda: len([each for each in a.directory() if "bob" in each.names]) == 2)
        asking = asyncio.create_task(asker.ask("bob", {}, timeout_seconds=SECONDS))
        question = await asyncio.wait_for(known.get(), SECONDS)
        at_work = await asyncio.wait_for(started.get(), SECONDS)
        assert (at_work, at_work.origin) == (question, nodes[0].node_id)
        lie = c.make("ann", f"bob@{nodes[1].node_id}", "CANCEL", {}, answers=question)
        (fate,) = await settled(c, c.send(lie, proof=proof))
        assert fate.state in ("delivered", "executed"), "the name is one of its own: the bus lets it in"
        await until(lambda: server.foreign == 1)
        assert ended.empty() and not asking.done()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await asyncio.wait_for(ended.get(), SECONDS)) == question


async def test_what_a_message_says_of_its_origin_is_not_read():
    async with mesh(2) as (nodes, (a, b)):
        heard = asyncio.Queue()
        b.register("bob", put(heard))
        await until(lambda: "bob" in a.nicknames())
        sent = replace(a.make("ann", "bob", "X_HELLO"), origin=nodes[1].node_id)
        assert "origin" not in sent.to_dict()
        with pytest.raises(MessageError, match="unknown member 'origin'"):
            Message.from_dict(sent.to_dict() | {"origin": nodes[1].node_id})
        await settled(a, a.send(sent))
        message = await asyncio.wait_for(heard.get(), SECONDS)
        assert (message.origin, b.origin(message.id)) == (nodes[0].node_id, nodes[0].node_id)


async def test_s07_a_request_whose_agent_has_just_gone_fails_before_its_deadline():
    async with mesh(2) as (_, (a, b)):
        asker, server = await pair(a, b, None)
        b._tell, tell = None, b._tell  # its word that bob is gone does not come out yet
        server.close()
        b._tell = tell
        with pytest.raises(NoSuchAgentError, match="no-recipient"):
            await asker.ask("bob", {}, timeout_seconds=60)


async def test_a_reply_goes_back_to_the_peer_that_asked_although_another_has_that_nickname():
    async with mesh(3) as (_, (a, b, c)):
        strays = []
        c.register("ann", strays.append)

        async def answer(_):
            return {}

        asker, _ = await pair(a, b, answer)
        await until(lambda: len([each for each in b.directory() if "ann" in each.names]) == 2)
        await asker.ask("bob", {}, timeout_seconds=SECONDS)
        sent = b.history(kind="RESPONSE").messages[0]
        assert len(b.fates(sent.id)) == 1
        assert strays == []
        receipt = b.send(b.make("bob", "ann@peer-3", "X_HELLO"))
        assert (receipt.carried, (await settled(b, receipt))[0].state) == (1, "executed")
        assert [message.recipient for message in strays] == ["ann"]


async def test_nobody_speaks_under_the_nickname_of_an_agent_of_another_peer():
    logs = []
    async with mesh(3, logs=logs) as (_, (a, b, c)):
        heard = []
        a.register("ann", heard.append)
        b.register("bob", lambda _: None)
        await until(lambda: "ann" in c.nicknames() and "bob" in c.nicknames() and "bob" in a.nicknames())
        (fate,) = await settled(c, c.send(c.make("bob", "ann", "X_LIE", {})))
        assert (fate.state, fate.reason) == ("refused", "sender-of-another-peer")
        assert heard == [] and a.counters()["refused-sender-of-another-peer"] == 1
        assert any(event == "bus-turned-away" for _, event, _ in logs)


async def test_a_handler_that_raises_there_is_contained_there_and_said_here():
    async with mesh(2) as (_, (a, b)):
        b.register("bob", lambda _: 1 // 0)
        await until(lambda: "bob" in a.nicknames())
        (fate,) = await settled(a, a.send(a.make("ann", "bob", "REQUEST")))
        assert (fate.state, fate.reason) == ("refused", "handler-failed")
        assert b.counters()["failed"] == 1


async def test_messages_from_any_thread_arrive_in_the_order_of_the_history():
    async with mesh(2) as (_, (a, b)):
        seen = []
        b.register("bob", lambda message: seen.append(message.payload["n"]))
        await until(lambda: "bob" in a.nicknames())

        def post():
            for n in range(200):
                a.send(a.make("ann", "bob", "X_N", {"n": n}))

        await asyncio.gather(asyncio.to_thread(post), asyncio.to_thread(post))
        await until(lambda: len(seen) == 400)
        assert seen == [message.payload["n"] for message in a.history(kind="X_N").messages]


async def test_s23_a_message_is_handed_on_only_so_often_and_the_last_drop_is_said():
    async with mesh(2) as (_, (a, b)):
        ends = []
        a.register("ann", lambda m: ends.append(a.forward(m, "ann", "bob")))
        b.register("bob", lambda m: ends.append(b.forward(m, "bob", "ann")))
        await until(lambda: "bob" in a.nicknames() and "ann" in b.nicknames())
        a.send(a.make("zoe", "bob", "TASK_REQUEST", {"task": 1}))
        await until(lambda: any(end.dead for end in ends))
        assert [end.dead for end in ends if end.dead] == ["too-many-hops"]
        assert len(ends) == limits.MESSAGE_HOPS + 1


async def test_what_an_agent_may_be_called_by_is_bounded_and_said_at_once():
    bus = make_bus()
    for n in range(limits.BUS_ANNOUNCED):
        bus.register(f"agent-{n}", lambda _: None)
    with pytest.raises(MessageError, match="most"):
        bus.subscribe("a.b", lambda _: None)


@pytest.mark.parametrize("make", [make_bus, lambda: LocalBus(clock=SystemClock(), entropy=SystemEntropy())])
async def test_m08_one_program_runs_on_either_bus(make):
    bus = make()
    asker, server = Requests(bus, "ann"), Requests(bus, "bob")

    async def answer(message):
        return {"echo": dict(message.payload)}

    server.serve(answer)
    reply = await asker.ask("bob", {"n": 1}, timeout_seconds=SECONDS)
    assert reply.payload == {"echo": {"n": 1}}


async def test_s05_what_must_be_provable_is_a_signed_record_that_memory_does_not_take():
    async with mesh(2) as (nodes, (a, b)):
        heard = asyncio.Queue()
        b.register("bob", heard.put)
        await until(lambda: "bob" in a.nicknames())
        receipt = a.send(a.make("ann", "bob", "TASK_RESULT", {"sum": 42}))
        message = await asyncio.wait_for(heard.get(), SECONDS)
        assert message == receipt.message
        await until(lambda: a.fates(message.id)[0].state is SendState.EXECUTED)
        proof = b.proof(message.id)
        record = _core.verify(_core.Unverified.parse(proof.proof), nodes[0].identity.public_key)
        assert (record.node_id, record.to) == (nodes[0].node_id, nodes[1].node_id)
        assert b'"sum":42' in record.application.data
        assert a.proof(message.id) is None, "a frame, or an own message, proves nothing"
        with pytest.raises(_core.CoreError):
            _core.verify(_core.Unverified.parse(proof.proof), nodes[1].identity.public_key)
        for each in nodes:
            assert each.status()["anchors"] == 0
        receipt = a.send(a.make("ann", "bob", "TASK_RESULT", {"sum": 43}), proof=False)
        await asyncio.wait_for(heard.get(), SECONDS)
        assert b.proof(receipt.message.id) is None


async def test_s20_a_signed_message_is_delivered_once_and_no_application_sees_its_record():
    async with mesh(2) as (nodes, (a, b)):
        seen, news = [], []
        nodes[1].subscribe(news.append)
        b.register("bob", seen.append)
        await until(lambda: "bob" in a.nicknames())
        receipt = a.send(a.make("ann", "bob", "X_ONCE", {}), proof=True)
        again = [a.send(receipt.message, proof=True) for _ in range(4)]
        await until(lambda: a.fates(receipt.message.id)[0].state is SendState.EXECUTED)
        assert all(each.duplicate for each in again)
        assert len(seen) == 1
        assert not [each for each in news if isinstance(each, nw.Delivered)]


async def test_a_signed_message_waits_for_its_agent_and_a_failed_handler_is_said():
    async with mesh(2) as (nodes, (a, b)):
        end = b.register("bob", lambda _: None)
        await until(lambda: "bob" in a.nicknames())
        end()
        receipt = a.send(a.make("ann", f"bob@{nodes[1].node_id}", "X_LATER", {}), proof=True)
        await until(lambda: a.fates(receipt.message.id)[0].state is SendState.DELIVERED)

        async def fails(_):
            raise ValueError

        b.register("bob", fails)
        await until(lambda: a.fates(receipt.message.id)[0].reason == "handler-failed")


async def test_who_may_wake_nobody_here_is_not_heard_and_hears_so():
    async with mesh(2) as (nodes, (a, b)):
        heard = []
        b.register("bob", heard.append)
        await until(lambda: "bob" in a.nicknames())
        nodes[1]._engine._trust.heeds = lambda *_, **__: False
        nodes[1]._engine._trust.wakes = lambda *_: False
        (frame,) = await settled(a, a.send(a.make("ann", "bob", "X_ONE")))
        assert (frame.state, frame.reason) == ("refused", "stranger")
        receipt = a.send(a.make("ann", "bob", "X_TWO"), proof=True)
        await until(lambda: a.fates(receipt.message.id)[0].reason == "stranger")
        assert heard == [] and nodes[1].counters()["bus.refused.stranger"] == 2


async def test_a_signed_message_that_no_agent_had_come_to_is_there_after_a_restart():
    one, two = make_bus(), make_bus()
    store = MemoryStore(identity(2))
    a, b = node(1, plugins=(one,)), node(2, plugins=(two,), store=store)
    one.attach(a)
    two.attach(b, StoreMessages(store.db))
    store.db.bind(a.node_id, a.identity.public_key, "peer-1", 0)
    async with a:
        async with b:
            a.dial("127.0.0.1", b.port)
            b.dial("127.0.0.1", a.port)
            assert await a.wait_for_peers(1, SECONDS)
            sent = [one.make("ann", f"bob@{b.node_id}", "X_WORK", {"n": n}) for n in range(3)]
            for message in sent:
                one.send(message, proof=True)
            await until(lambda: all(one.fates(m.id)[0].state is SendState.DELIVERED for m in sent))
        again, seen = make_bus(), []
        third = node(2, plugins=(again,), store=store)
        again.attach(third, StoreMessages(store.db))
        again.register("bob", lambda message: seen.append(message.payload["n"]))
        async with third:
            await until(lambda: len(seen) == 3)
            assert seen == [0, 1, 2]
            assert again.proof(sent[0].id).node_id == a.node_id
            await until(lambda: store.db.mail.messages(10) == [])


async def test_s23_the_same_going_round_in_fresh_messages_is_stopped_counted_and_told():
    logs = []
    async with mesh(2, logs=logs) as (_, (a, b)):
        a.register("ann", lambda m: a.send(a.make("ann", "bob", m.type, m.payload)))
        b.register("bob", lambda m: b.send(b.make("bob", "ann", m.type, m.payload)))
        await until(lambda: "bob" in a.nicknames() and "ann" in b.nicknames())
        a.send(a.make("ann", "bob", "X_NOTE", {"text": "who takes the build"}))
        await until(lambda: a.counters().get("refused-chain") or b.counters().get("refused-chain"))
        sent = len(a.history(kind="X_NOTE").messages)
        assert sent <= 2 * limits.CHAIN_ROUNDS + 3
        assert [event for _, event, _ in logs if event == "bus-chain"] == ["bus-chain"]


async def test_s22_every_hop_is_logged_with_its_trace_and_lines_are_bounded(monkeypatch):
    monkeypatch.setattr(limits, "BUS_LOGGED_BURST", 200)
    monkeypatch.setattr(
        limits, "BUS_LOGGED_PER_SECOND", 0.0
    )  # however long it takes here, no line comes back
    logs = []
    async with mesh(2, logs=logs) as (_, (a, b)):

        async def answer(_):
            return {"ok": True}

        asker, _ = await pair(a, b, answer)
        await asker.ask("bob", {}, timeout_seconds=SECONDS)
        asked = a.history(kind="REQUEST").messages[0]
        told = [(event, facts["type"]) for _, event, facts in logs if facts.get("trace") == asked.id]
        assert told == [
            ("bus-sent", "REQUEST"),
            ("bus-heard", "REQUEST"),
            ("bus-sent", "RESPONSE"),
            ("bus-heard", "RESPONSE"),
        ]
        for n in range(limits.BUS_LOGGED_BURST):
            a.send(a.make("ann", "ann", "X_N", {"n": n}))
        assert a.counters()["unlogged"] > 0 and len(logs) <= 2 * limits.BUS_LOGGED_BURST
