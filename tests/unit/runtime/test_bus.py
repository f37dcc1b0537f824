"""The local bus: delivery, order, containment, bounds, threads; and requests with their deadlines."""

import asyncio
import math
import threading
from collections import Counter

import pytest

from covey import limits
from covey.errors import UsageError
from covey.fleet.message import Message, MessageError, MessageType
from covey.runtime.bus.local import LocalBus
from covey.runtime.bus.requests import Requests
from covey.runtime.bus.values import NoSuchAgentError, RequestFailedError, RequestTimeoutError
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy


def make_bus(**options):
    return LocalBus(clock=SystemClock(), entropy=SystemEntropy(), **options)


def post(bus, sender, recipient, text="", kind="REQUEST"):
    return bus.send(bus.make(sender, recipient, kind, {"text": text}))


def test_m01_every_handler_of_a_nickname_runs_in_the_order_they_registered():
    bus, seen = make_bus(), []
    bus.register("writer", lambda m: seen.append(("one", m.payload["text"])))
    end = bus.register("writer", lambda m: seen.append(("two", m.payload["text"])))
    assert post(bus, "ann", "writer", "hi").delivered == 2
    end()
    end()
    assert post(bus, "ann", "writer", "again").delivered == 1
    assert seen == [("one", "hi"), ("two", "hi"), ("one", "again")]


def test_m02_when_send_returns_the_handler_has_run_in_the_same_thread():
    bus, threads = make_bus(), []
    bus.register("writer", lambda _: threads.append(threading.get_ident()))
    receipt = post(bus, "ann", "writer")
    assert threads == [threading.get_ident()]
    assert (receipt.delivered, receipt.failed, receipt.queued) == (1, 0, 0)


def test_m02_a_coroutine_handler_runs_on_its_own_loop():
    async def main():
        bus, heard = make_bus(), asyncio.Queue()
        bus.register("writer", heard.put)
        receipt = await asyncio.to_thread(post, bus, "ann", "writer", "hello")
        assert (receipt.delivered, receipt.queued) == (0, 1)
        assert (await asyncio.wait_for(heard.get(), 5)).payload["text"] == "hello"

    asyncio.run(main())


def test_m03_a_broadcast_reaches_everybody_but_its_sender_once():
    bus, seen = make_bus(), Counter()
    for name in ("ann", "bob", "cid"):
        bus.register(name, lambda _, name=name: seen.update([name]))
    assert post(bus, "ann", "*").delivered == 2
    assert seen == {"bob": 1, "cid": 1}


def test_m04_an_unknown_recipient_is_a_dead_letter():
    logged = []
    bus = make_bus(log=lambda *line: logged.append(line))
    receipt = post(bus, "ann", "nobody")
    assert (receipt.reached, receipt.dead) == (0, "no-recipient")
    assert [letter.reason for letter in bus.dead_letters()] == ["no-recipient"]
    assert bus.counters()["dead"] == 1
    assert logged[0][1] == "bus-dead-letter"


def test_m05_history_is_bounded_filtered_and_in_the_order_sent():
    bus = make_bus(history=3)
    bus.register("bob", lambda _: None)
    for index in range(5):
        post(bus, "ann" if index % 2 else "cid", "bob", str(index), "REQUEST" if index < 4 else "ERROR")
    page = bus.history()
    assert [m.payload["text"] for m in page.messages] == ["2", "3", "4"]
    assert page.dropped == 2
    assert [m.payload["text"] for m in bus.history(sender="cid", kind="REQUEST").messages] == ["2"]
    assert [m.payload["text"] for m in bus.history(limit=1).messages] == ["4"]
    assert bus.history(recipient="nobody").messages == ()


def test_m06_a_handler_that_raises_stops_nobody_and_is_said():
    logged, seen = [], []
    bus = make_bus(log=lambda *line: logged.append(line))

    def bad(_):
        raise RuntimeError("no paper")

    bus.register("writer", bad)
    bus.register("writer", lambda m: seen.append(m.id))
    receipt = post(bus, "ann", "writer")
    assert (receipt.delivered, receipt.failed, receipt.errors) == (1, 1, ("RuntimeError: no paper",))
    assert len(seen) == 1
    assert logged[0][1] == "bus-handler-failed"
    assert bus.counters()["failed"] == 1


def test_m06_an_interrupt_still_passes_and_blocks_nobody_afterwards():
    bus = make_bus()

    def interrupted(_):
        raise KeyboardInterrupt

    end = bus.register("writer", interrupted)
    bus.register("writer", lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        post(bus, "ann", "writer")
    end()
    assert post(bus, "ann", "writer").delivered == 1


def test_m07_eight_threads_lose_nothing_and_deadlock_nowhere():
    bus, counts, lock = make_bus(history=100), Counter(), threading.Lock()
    names = [f"n{index}" for index in range(8)]

    def handler(message, name):
        with lock:
            counts[name] += 1
        if message.payload["text"] == "relay":
            post(bus, name, names[(names.index(name) + 1) % 8], "end")
            bus.register("passing", lambda _: None)()

    for name in names:
        bus.register(name, lambda m, name=name: handler(m, name))
    failures = []

    def work(index):
        for turn in range(1_000):
            receipt = post(bus, names[index], names[turn % 8], "relay" if turn % 50 == 0 else "end")
            if receipt.delivered != 1:
                failures.append(receipt)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not failures
    assert sum(counts.values()) == bus.counters()["sent"] == 8_000 + 8 * 20


def test_m07_two_handlers_that_send_to_each_other_at_once_do_not_wait_for_ever():
    bus, met = make_bus(), threading.Barrier(2, timeout=20)

    def first(message, name, other):
        if message.payload["text"] == "cross":
            met.wait()
            assert post(bus, name, other, "plain").delivered == 1

    bus.register("ann", lambda m: first(m, "ann", "bob"))
    bus.register("bob", lambda m: first(m, "bob", "ann"))
    threads = [threading.Thread(target=post, args=(bus, "x", name, "cross")) for name in ("ann", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert bus.counters()["out-of-turn"] >= 1
    assert bus.counters()["delivered"] == 4


def test_the_order_at_one_recipient_is_the_order_of_the_history():
    bus, heard = make_bus(), []
    bus.register("bob", lambda m: heard.append(m.id))
    threads = [threading.Thread(target=lambda: [post(bus, "x", "bob") for _ in range(300)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == [message.id for message in bus.history().messages]


def test_s20_a_message_sent_five_times_runs_once_and_its_receipt_is_replayed():
    bus, seen = make_bus(), []
    bus.register("bob", seen.append)
    message = bus.make("ann", "bob", "REQUEST")
    receipts = [bus.send(message) for _ in range(5)]
    assert len(seen) == 1
    assert [r.duplicate for r in receipts] == [False, True, True, True, True]
    assert {r.delivered for r in receipts} == {1}


def test_s23_sends_inside_handlers_end_at_a_depth():
    bus = make_bus()
    receipts = []
    bus.register("echo", lambda _: receipts.append(post(bus, "echo", "echo")))
    post(bus, "ann", "echo")
    assert len(receipts) == limits.BUS_NESTING
    assert receipts[0].dead == "too-deep"
    counts = bus.counters()
    assert counts["dead.too-deep"] == counts["dead"] == 1


def test_what_is_past_its_deadline_is_a_dead_letter():
    bus, seen = make_bus(), []
    bus.register("bob", seen.append)
    late = Message("0" * 12, "ann", "bob", "REQUEST", deadline_ms=1)
    assert bus.send(late).dead == "expired"
    assert not seen


def test_s06_topics_reach_matching_patterns_and_a_subscriber_may_leave_while_it_is_told():
    bus, seen = make_bus(), []
    ends = []

    def once(message):
        seen.append(message.payload["text"])
        ends[0]()

    ends.append(bus.subscribe("work.*.done", once))
    bus.subscribe("work.>", lambda m: seen.append("all " + m.payload["text"]))
    assert bus.publish("work.paper.done", bus.make("ann", "*", "TASK_COMPLETE", {"text": "1"})).delivered == 2
    assert bus.publish("work.paper.done", bus.make("ann", "*", "TASK_COMPLETE", {"text": "2"})).delivered == 1
    assert bus.publish("play", bus.make("ann", "*", "TASK_COMPLETE", {"text": "3"})).dead == "no-subscriber"
    assert seen == ["1", "all 1", "all 2"]


@pytest.mark.parametrize("policy", ["drop-oldest", "block", "disconnect"])
def test_s06_a_slow_subscriber_is_bounded_as_it_chose(policy):
    async def main():
        bus, free, heard = make_bus(), asyncio.Event(), []

        async def slow(message):
            await free.wait()
            heard.append(message.payload["text"])

        bus.register("slow", slow, capacity=2, policy=policy)
        receipts = [post(bus, "ann", "slow", "0")]
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # the first is taken out and being handled
        receipts += [post(bus, "ann", "slow", str(n)) for n in (1, 2, 3)]
        free.set()
        while len(heard) < (1 if policy == "disconnect" else 3):
            await asyncio.sleep(0)
            if policy == "disconnect":
                break
        return bus, receipts, heard

    bus, receipts, heard = asyncio.run(main())
    assert bus.counters()["dropped"] >= 1
    if policy == "drop-oldest":
        assert heard == ["0", "2", "3"]
    elif policy == "block":
        assert heard == ["0", "1", "2"]
        assert receipts[3].refused == 1
    else:
        assert bus.counters()["disconnected"] == 1


def run_pair(act, answer):
    async def main():
        bus = make_bus()
        asker, server = Requests(bus, "ann"), Requests(bus, "bob")
        server.serve(answer)
        try:
            return await act(bus, asker, server)
        finally:
            asker.close()
            server.close()

    return asyncio.run(main())


def test_s07_a_request_gets_its_reply_with_its_correlation():
    async def act(bus, asker, _):
        return await asker.ask("bob", {"n": 2}, timeout_seconds=5), bus.history().messages[0]

    async def double(message):
        return {"n": message.payload["n"] * 2}

    reply, asked = run_pair(act, double)
    assert (reply.type, reply.payload["n"]) == (MessageType.RESPONSE, 4)
    assert reply.in_reply_to == asked.id
    assert reply.correlation_id == asked.correlation_id and reply.trace == asked.trace
    assert reply.depth == 1


def test_s07_nobody_of_that_name_fails_at_once():
    async def act(_bus, asker, _):
        with pytest.raises(NoSuchAgentError, match="zoe"):
            await asker.ask("zoe", {}, timeout_seconds=60)

    run_pair(act, None)


@pytest.mark.parametrize("seconds", [None, 0, -1, math.inf, math.nan, 1e12, "5"])
def test_s07_no_request_is_without_a_deadline(seconds):
    async def act(bus, asker, _):
        with pytest.raises(UsageError, match="at most 86400"):
            await asyncio.wait_for(asker.ask("bob", {}, timeout_seconds=seconds), 10)
        assert not bus.history().messages

    run_pair(act, None)


@pytest.mark.parametrize("seconds", [math.inf, math.nan])
def test_s07_a_message_lasts_no_time_that_is_no_number(seconds):
    bus = make_bus()
    with pytest.raises(MessageError, match="finite"):
        bus.make("ann", "bob", "REQUEST", {}, ttl_seconds=seconds)


def test_s07_a_question_that_names_no_deadline_is_not_worked_on_for_ever(monkeypatch):
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.05)
    refused = []

    async def act(bus, _asker, _server):
        heard = asyncio.Event()
        end = bus.register("zoe", lambda message: (refused.append(message), heard.set()))
        bus.send(bus.make("zoe", "bob", "REQUEST", {}))
        await asyncio.wait_for(heard.wait(), 30)
        end()

    async def never(_):
        await asyncio.Event().wait()

    run_pair(act, never)
    assert refused[0].type == MessageType.ERROR and "TimeoutError" in refused[0].payload["error"]


def test_s07_nobody_calls_off_what_another_has_asked():
    started, go = asyncio.Event(), asyncio.Event()

    async def act(bus, asker, _server):
        asking = asyncio.create_task(asker.ask("bob", {}, timeout_seconds=60))
        await asyncio.wait_for(started.wait(), 30)
        asked = bus.history(kind="REQUEST").messages[0]
        bus.send(bus.make("zoe", "bob", "CANCEL", {}, answers=asked))
        passed = asyncio.create_task(asker.ask("bob", {"quick": True}, timeout_seconds=60))
        await passed  # bob's inbox is read in order: the other's CANCEL has been heard
        go.set()
        assert (await asking).payload["n"] == 1

    async def work(message):
        if not message.payload.get("quick"):
            started.set()
            await go.wait()
        return {"n": 1}

    run_pair(act, work)


def test_s07_an_error_of_the_other_side_is_said():
    async def act(_bus, asker, _):
        with pytest.raises(RequestFailedError, match="ZeroDivisionError"):
            await asker.ask("bob", {}, timeout_seconds=5)

    async def fails(_):
        return {"n": 1 // 0}

    run_pair(act, fails)


def test_s07_a_timeout_and_a_cancellation_reach_the_other_side_and_late_replies_are_counted():
    started, ended = asyncio.Queue(), asyncio.Queue()

    async def act(bus, asker, _server):
        with pytest.raises(RequestTimeoutError, match="within"):
            await asker.ask("bob", {}, timeout_seconds=0.05)
        await asyncio.wait_for(ended.get(), 10)
        await started.get()
        task = asyncio.create_task(asker.ask("bob", {}, timeout_seconds=60))
        await asyncio.wait_for(started.get(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(ended.get(), 10)
        asked = bus.history(kind="REQUEST").messages[1]
        before = asker.late
        heard = asyncio.Event()

        async def note(message):
            if message.type == "RESPONSE":
                heard.set()

        bus.register("ann", note)
        bus.send(bus.make("bob", "ann", "RESPONSE", {}, answers=asked))
        await asyncio.wait_for(heard.wait(), 10)
        return asker.late - before

    async def slow(_):
        started.put_nowait(True)
        try:
            await asyncio.Event().wait()
        finally:
            ended.put_nowait(True)

    assert run_pair(act, slow) == 1
