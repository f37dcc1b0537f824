"""Desks of one process on a local bus: tasks done, refused, handed on, cancelled, kept; with real clocks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from covey import limits
from covey.errors import StoreError, UsageError
from covey.fleet.work.task import NoCapableAgentError, WorkError
from covey.runtime.bus.local import LocalBus
from covey.runtime.work import flow
from covey.runtime.work.desk import Desk
from covey.runtime.work.job import Job, TaskImpossibleError, TaskRefusedError
from covey.runtime.work.proof import checked
from covey.runtime.work.rooms import Hall, MemoryKeeper
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from tests.conformance import coordination

SECONDS = 30


class House:
    """A bus, a hall, and the desks in it."""

    def __init__(self) -> None:
        self.bus = LocalBus(clock=SystemClock(), entropy=SystemEntropy())
        self.hall = Hall()
        self.desks: list[Desk] = []
        self.lines: list[tuple[str, str, Any]] = []
        self.logged = asyncio.Event()

    def log(self, *line: Any) -> None:
        self.lines.append((line[0], line[1], line[2]))
        self.logged.set()

    async def unreadable(self, count: int) -> None:
        """Wait until the log says that often that something could not be read."""
        while [line[1] for line in self.lines].count("task-unreadable") < count:
            self.logged.clear()
            await self.logged.wait()

    async def desk(self, name: str, keeper: Any = None, **options: Any) -> Desk:
        desk = Desk(
            self.bus,
            self.hall.room(name),
            keeper or MemoryKeeper(),
            clock=SystemClock(),
            entropy=SystemEntropy(),
            log=self.log,
            **options,
        )
        await desk.start()
        self.desks.append(desk)
        return desk


@contextlib.asynccontextmanager
async def house() -> AsyncIterator[House]:
    made = House()
    try:
        async with asyncio.timeout(SECONDS):
            yield made
    finally:
        for desk in made.desks:
            await desk.stop()


async def double(job: Job) -> int:
    return int(job.payload) * 2


async def state(desk: Desk, task: str, wanted: str) -> dict[str, Any]:
    """Wait until a task stands so."""
    changed = asyncio.Event()
    end = desk.watch(lambda _: changed.set())
    while (view := desk.show(task))["state"] != wanted:
        await changed.wait()
        changed.clear()
    end()
    return view


async def test_s14_a_task_is_done_by_who_can_and_its_result_says_who() -> None:
    async with house() as room:
        lead, ann = await room.desk("lead"), await room.desk("ann-peer")
        ann.hands.offer("ann", {"double": double, "plain": lambda job: job.payload})
        handle = await lead.submit("double", 21)
        done = await handle.result()
        assert (done.value, done.by, done.fence, done.tries) == (42, "ann@ann-peer", 1, 0)
        assert (await (await lead.submit("plain", {"a": 1})).result()).value == {"a": 1}
        steps = [step["what"] for step in lead.show(handle.id)["story"]]
        assert steps == ["submitted", "granted", "done"]
        assert [line[1] for line in room.lines if line[2]["id"] == handle.id] == [
            "task-submitted",
            "task-granted",
            "task-ended",
        ]


async def test_s14_own_agents_first_then_others_then_nobody() -> None:
    async with house() as room:
        lead, other = await room.desk("lead"), await room.desk("other")
        hold = asyncio.Event()

        async def slow(job: Job) -> str:
            await hold.wait()
            return job.agent

        lead.hands.offer("own", {"work": slow})
        other.hands.offer("far", {"work": slow})
        first = await lead.submit("work", choose="own-first")
        await state(lead, first.id, "leased")
        second = await lead.submit("work", choose="own-first")
        await state(lead, second.id, "leased")
        third = await lead.submit("work", choose="own-first", patience="free")
        with pytest.raises(NoCapableAgentError, match="all who can are busy"):
            await third.result()
        with pytest.raises(NoCapableAgentError, match="nobody can do it"):
            await (await lead.submit("fly", patience="capable")).result()
        hold.set()
        assert [(await each.result()).value for each in (first, second)] == ["own@lead", "far@other"]


async def test_s04_a_predicate_refuses_what_its_agent_offers_and_the_next_one_is_asked() -> None:
    async with house() as room:
        lead, one, two = [await room.desk(name) for name in ("lead", "one", "two")]
        asked: list[str] = []

        def never(job: Job) -> str:
            asked.append(job.id)
            return "too hot today"

        async def changes_its_mind(job: Job) -> None:
            raise TaskRefusedError("on second thought")

        one.hands.offer("ann", {"double": double}, accepts=never)
        two.hands.offer("bob", {"double": double})
        two.hands.offer("cid", {"double": changes_its_mind}, accepts=lambda job: job.payload == 1)
        handle = await lead.submit("double", 5, choose="round-robin")
        done = await handle.result()
        assert done.value == 10 and done.by == "bob@two"
        assert asked and ("refused", "too hot today") in [
            (step["what"], step["detail"]) for step in lead.show(handle.id)["story"]
        ]
        assert done.tries == 0, "a refusal costs no try"


async def test_a_bad_try_is_followed_by_another_and_an_impossible_task_by_none() -> None:
    async with house() as room:
        lead, ann = await room.desk("lead"), await room.desk("ann-peer")
        tries: list[str] = []

        async def third_time(job: Job) -> str:
            tries.append(job.id)
            if len(tries) < 3:
                raise RuntimeError("not yet")
            return "at last"

        async def never(job: Job) -> None:
            raise TaskImpossibleError("there is no such city")

        async def not_json(job: Job) -> object:
            return object()

        ann.hands.offer("ann", {"try": third_time, "never": never, "odd": not_json})
        done = await (await lead.submit("try")).result()
        assert (done.value, done.tries, len(set(tries))) == ("at last", 2, 1)
        for capability, why in (("never", "no such city"), ("odd", "not JSON")):
            with pytest.raises(WorkError, match=why) as failed:
                await (await lead.submit(capability)).result()
            assert failed.value.code == "failed"


async def test_a_run_that_takes_too_long_is_ended_and_tried_again() -> None:
    async with house() as room:
        lead, ann = await room.desk("lead"), await room.desk("ann-peer")
        ended: list[str] = []

        async def hangs(job: Job) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(job.id)

        ann.hands.offer("ann", {"hang": hangs})
        handle = await lead.submit("hang", try_seconds=0.2, tries=2)
        with pytest.raises(WorkError, match=r"not over within 0\.2 s"):
            await handle.result()
        assert ended == [handle.id] * 2


async def test_s18_what_nobody_can_do_waits_visibly_and_starts_when_somebody_joins() -> None:
    async with house() as room:
        lead = await room.desk("lead")
        handles = [await lead.submit("double", n) for n in range(6)]
        assert [each["state"] for each in lead.listed()] == ["waiting"] * 6
        assert lead.counters()["task.waiting"] == 6
        late = await room.desk("late")
        late.hands.offer("late", {"double": double}, capacity=2)
        assert [(await each.result()).value for each in handles] == [0, 2, 4, 6, 8, 10]


async def test_the_same_key_is_the_same_task() -> None:
    async with house() as room:
        lead, ann = await room.desk("lead"), await room.desk("ann-peer")
        runs: list[int] = []

        async def once(job: Job) -> int:
            runs.append(1)
            return len(runs)

        ann.hands.offer("ann", {"once": once}, capacity=4)
        handles = [await lead.submit("once", 1, key="order-7") for _ in range(5)]
        assert {(await each.result()).value for each in handles} == {1} and runs == [1]
        with pytest.raises(WorkError, match="order-7"):
            await lead.submit("once", 2, key="order-7")


async def test_progress_is_heard_and_cancelling_stops_the_worker() -> None:
    async with house() as room:
        lead, ann = await room.desk("lead"), await room.desk("ann-peer")
        stopped = asyncio.Event()

        async def long(job: Job) -> None:
            job.progress(0.25, "a quarter")
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

        ann.hands.offer("ann", {"long": long})
        handle = await lead.submit("long")
        async for view in handle.news():
            if view["share"] == 0.25 and view["state"] == "leased":
                assert view["detail"] == "a quarter"
                await handle.cancel("changed my mind")
        await stopped.wait()
        with pytest.raises(WorkError, match="changed my mind") as cancelled:
            await handle.result()
        assert cancelled.value.code == "cancelled" and not ann.hands.worker.busy


async def test_s14_a_full_agent_hands_on_where_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    async with house() as room:
        lead, late, busy, free = [await room.desk(name) for name in ("lead", "late", "busy", "free")]
        monkeypatch.setattr(busy.room, "busy", lambda agent, running: None)  # gossip lags
        hold, begun = asyncio.Event(), asyncio.Event()

        async def work(job: Job) -> str:
            begun.set()
            await hold.wait()
            return job.agent

        busy.hands.offer("ann", {"work": work}, hand_on=True)
        first = await lead.submit("work")
        await begun.wait()
        free.hands.offer("bob", {"work": work})

        def to_ann(some: Any, random: Any, turn: int) -> Any:
            return next(each for each in some if each.node_id == "busy")

        begun.clear()
        second = await late.submit("work", choose=to_ann, hops=1)
        await begun.wait()
        hold.set()
        done = await second.result()
        assert (done.value, done.by) == ("bob@free", "bob@free")
        (sub,) = busy.listed()
        assert sub["capability"] == "work" and busy.show(sub["id"])["visited"] == [
            "tasks@late",
            "ann@busy",
            "tasks@busy",
        ]
        assert busy.show(sub["id"])["hops"] == 0 and (await first.result()).value == "ann@busy"


async def test_s10_a_strategy_of_a_program_that_fails_stops_nothing() -> None:
    async with house() as room:
        lead, ann = await room.desk("lead"), await room.desk("ann-peer")
        ann.hands.offer("ann", {"double": double})

        def broken(some: Any, random: Any, turn: int) -> Any:
            raise RuntimeError("no idea")

        assert (await (await lead.submit("double", 2, choose=broken)).result()).value == 4
        assert lead.counters()["task.strategy-failed"] == 1


async def test_s14_a_part_of_a_task_is_delegated_only_as_far_as_its_submitter_allows() -> None:
    async with house() as room:
        lead, one, two = [await room.desk(name) for name in ("lead", "one", "two")]

        async def sum_of_doubles(job: Job) -> int:
            parts = [await job.delegate("double", each) for each in job.payload]
            return sum(part.value for part in parts)

        one.hands.offer("ann", {"sum": sum_of_doubles})
        two.hands.offer("bob", {"double": double})
        assert (await (await lead.submit("sum", [1, 2, 3], hops=1)).result()).value == 12
        with pytest.raises(WorkError, match="no hand-on is left"):
            await (await lead.submit("sum", [1], tries=1)).result()


async def test_what_survives_is_gone_on_with_and_its_key_still_known() -> None:
    async with house() as room:
        keeper, ann = MemoryKeeper(), await room.desk("ann-peer")
        lead = await room.desk("lead", keeper)
        handle = await lead.submit("double", 4, key="k")
        room.desks.remove(lead)
        await lead.stop()
        again = await room.desk("lead", keeper)
        ann.hands.offer("ann", {"double": double})
        assert (await again.ended(handle.id))["value"] == 8
        assert (await again.submit("double", 4, key="k")).id == handle.id


async def test_what_the_disk_does_not_take_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(MemoryKeeper):
        broken = True

        async def keep(self, rows: Sequence[tuple[str, bytes]], dropped: Sequence[str]) -> None:
            if self.broken:
                raise StoreError("disk full")
            await super().keep(rows, dropped)

    monkeypatch.setattr(limits, "STATE_ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(flow, "_AGAIN_SECONDS", 0.05)
    async with house() as room:
        keeper, ann = Broken(), await room.desk("ann-peer")
        ann.hands.offer("ann", {"double": double})
        lead = await room.desk("lead", keeper)
        with pytest.raises(StoreError, match="not submitted"):
            await lead.submit("double", 1)
        assert lead.listed() == [] and not ann.hands.worker.counts
        assert [line[1] for line in room.lines].count("tasks-not-kept") >= 1
        keeper.broken = False
        assert (await (await lead.submit("double", 2)).result()).value == 4


async def test_whoever_stops_says_so_and_others_go_on_at_once() -> None:
    async with house() as room:
        lead, one = await room.desk("lead"), await room.desk("one")
        begun = asyncio.Event()

        async def never(job: Job) -> None:
            begun.set()
            await asyncio.Event().wait()

        one.hands.offer("ann", {"double": never})
        handle = await lead.submit("double", 3)
        await begun.wait()
        room.desks.remove(one)
        await one.stop()
        two = await room.desk("two")
        two.hands.offer("bob", {"double": double})
        assert (await handle.result()).by == "bob@two"
        assert "its agent stops" in [step["detail"] for step in lead.show(handle.id)["story"]]


async def test_where_results_must_be_signed_one_without_a_record_counts_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with house() as room:
        lead, ann = await room.desk("lead"), await room.desk("ann-peer")
        monkeypatch.setattr(lead.room, "must_prove", lambda node_id: True)
        ann.hands.offer("ann", {"double": double})
        handle = await lead.submit("double", 3)
        while "task.unsigned" not in lead.counters():
            room.logged.clear()
            await room.logged.wait()
        assert handle.view()["state"] == "leased" and "task-unsigned" in [line[1] for line in room.lines]


def test_a_proof_holds_for_what_it_says_and_for_nothing_else() -> None:
    record, key = coordination.signed(coordination.messages()["result"]), coordination.identity().public_key
    good = {
        "id": coordination.task().id,
        "state": "done",
        "fence": 3,
        "value": {"text": "guten Morgen"},
        "signer": coordination.WORKER,
        "proof": record.to_json().decode(),
    }
    keys = {coordination.WORKER: key, coordination.LEAD: key}
    assert checked(good, keys) == "holds"
    for change, why in (
        ({"value": "something else"}, "says something else"),
        ({"fence": 2}, "says something else"),
        ({"id": "0" * 32}, "says something else"),
        ({"signer": coordination.LEAD}, "no message of that peer"),
        ({"signer": "stranger"}, "not known here"),
        ({"proof": good["proof"].replace("from ann", "from eve")}, "does not hold"),
        ({"proof": "{}"}, "does not hold"),
        ({"proof": ""}, "own peer"),
        ({"state": "failed"}, "the task is failed"),
    ):
        assert why in checked({**good, **change}, keys)
    for said in ('{"message":{"payload":[1]}}', '{"message":[]}', "[]", "7", '{"a":1,"a":2}'):
        proof = coordination.signed_text(said).to_json().decode()
        assert "does not hold" in checked({**good, "proof": proof}, keys)


async def test_what_is_no_word_of_tasks_is_counted_and_harms_nobody() -> None:
    async with house() as room:
        lead = await room.desk("lead")
        for kind, payload in (
            ("TASK_REQUEST", {"x": 1}),
            ("TASK_RESULT", {}),
            ("CANCEL", {}),
            ("REQUEST", {}),
        ):
            room.bus.send(room.bus.make("eve", "lead/tasks", kind, payload))
        handle = await lead.submit("double", 1)
        assert handle.view()["state"] == "waiting"
        await asyncio.wait_for(room.unreadable(4), SECONDS)
        assert lead.counters()["task.unreadable"] == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"within_seconds": 0},
        {"within_seconds": 1e9},
        {"choose": "best"},
        {"tries": 0},
        {"hops": 9},
        {"key": ""},
    ],
)
async def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    async with house() as room:
        lead = await room.desk("lead")
        with pytest.raises(UsageError):
            await lead.submit("double", 1, **wrong)
        with pytest.raises(WorkError) as unknown:
            lead.show("nothing")
        assert unknown.value.code == "unknown"
        for agent, capacity in (("tasks", 1), ("ann", 0), ("a b", 1)):
            with pytest.raises(UsageError):
                lead.hands.offer(agent, {"double": double}, capacity=capacity)
