"""A pool of agents: turns with a real time limit, rounds, messages that are not lost, and its end."""

import asyncio
import math
import threading

import pytest

from covey import limits
from covey.errors import UsageError
from covey.fleet.notebook import Notebook
from covey.fleet.pooled import PooledAgent, TurnOverError
from covey.fleet.profile import AgentProfile
from covey.runtime.bus.local import LocalBus
from covey.runtime.pool import AgentPool, UnknownAgentError
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from tests.unit.runtime.test_mesh_bus import mesh, until

SECONDS = 20


def agent(name, take_turn):
    return PooledAgent(AgentProfile(name, "", "0" * 12), take_turn, Notebook())


def make_pool(bus=None, **options):
    lines = []
    bus = bus or LocalBus(clock=SystemClock(), entropy=SystemEntropy())
    pool = AgentPool(bus, SystemClock(), log=lambda *line: lines.append(line), **options)
    return pool, bus, lines


def answers(turn):
    turn.memory.put("last", turn.percept)
    return f"{turn.agent_id} saw {turn.percept}"


async def test_m15_agents_are_added_found_run_exported_and_removed():
    pool, bus, _ = make_pool()
    for name in ("bob", "ann"):
        pool.add(agent(name, answers))
    assert (pool.agent_ids, pool.size, pool.get_agent("ann").id) == (["ann", "bob"], 2, "ann")
    with pytest.raises(UsageError, match="already"):
        pool.add(agent("ann", answers))
    result = await pool.run_turn("ann", 7)
    assert (result.response, result.well, result.timed_out, result.error) == ("ann saw 7", True, False, "")
    round_of_two = await pool.run_round({"ann": 1, "bob": 2, "zoe": 3})
    assert {who: each.response for who, each in round_of_two.items()} == {
        "ann": "ann saw 1",
        "bob": "bob saw 2",
    }
    assert pool.counts["percepts-of-nobody"] == 1
    assert set(await pool.broadcast_percept("x")) == {"ann", "bob"}
    assert pool.export_memories() == {"ann": {"last": "x"}, "bob": {"last": "x"}}
    assert pool.remove("bob").memory.export() == {"last": "x"}
    assert bus.nicknames() == ["ann"]
    with pytest.raises(KeyError, match="bob is not in the pool"):
        pool.get_agent("bob")
    with pytest.raises(UnknownAgentError):
        pool.remove("bob")
    assert (await pool.run_turn("bob")).error == "no such agent in the pool"
    await pool.shutdown()
    await pool.shutdown()
    assert (pool.size, bus.nicknames()) == (0, [])


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan])
async def test_m15_no_turn_is_without_an_end(seconds):
    with pytest.raises(UsageError, match="at most 86400"):
        make_pool(turn_seconds=seconds)
    pool, _, _ = make_pool()
    pool.add(agent("bob", answers))
    with pytest.raises(UsageError, match="at most 86400"):
        await pool.run_turn("bob", timeout_seconds=seconds)


async def test_m15_what_a_turn_raises_is_its_result_and_changes_nothing():
    pool, bus, lines = make_pool()
    heard = []
    bus.register("ann", heard.append)

    async def fails(turn):
        turn.memory.put("half", "done")
        turn.send("ann", "REQUEST", {"half": "done"})
        raise RuntimeError("no")

    pool.add(agent("bob", fails))
    result = await pool.run_turn("bob")
    assert (result.error, result.actions, result.timed_out) == ("RuntimeError: no", (), False)
    assert (pool.export_memories(), heard, pool.counts["turns-failed"]) == ({"bob": {}}, [], 1)
    assert lines[0][:2] == ("warn", "pool-turn-failed")


async def test_m15_a_coroutine_that_is_late_is_cancelled_and_its_agent_is_free_again():
    pool, _, _ = make_pool(turn_seconds=0.1)
    cancelled = []

    async def slow(turn):
        turn.memory.put("half", "done")
        if turn.percept == "quick":
            return "done"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(turn)
            with pytest.raises(TurnOverError):
                turn.send("ann", "REQUEST")
            raise

    pool.add(agent("bob", slow))
    result = await asyncio.wait_for(pool.run_turn("bob"), SECONDS)
    assert (result.timed_out, result.well, result.error) == (True, False, "no end within 0.1 s")
    assert 100 <= result.duration_ms < SECONDS * 1000 and len(cancelled) == 1
    assert pool.export_memories() == {"bob": {}} and pool.counts["turns-timed-out"] == 1
    again = await pool.run_turn("bob", "quick", timeout_seconds=SECONDS)
    assert again.response == "done"


async def test_m15_a_function_that_never_returns_times_out_blocks_nobody_and_says_nothing_late():
    pool, bus, _ = make_pool(workers=1, turn_seconds=0.1)
    holds, returned, heard, late = threading.Event(), asyncio.Event(), [], []
    loop = asyncio.get_running_loop()
    bus.register("ann", heard.append)

    def stuck(turn):
        turn.memory.put("half", "done")
        turn.send("ann", "REQUEST", {"early": True})
        holds.wait(SECONDS)
        try:
            turn.send("ann", "REQUEST", {"late": True})
        except TurnOverError as error:
            late.append(str(error))
        loop.call_soon_threadsafe(returned.set)

    pool.add(agent("bob", stuck))
    pool.add(agent("cid", answers))
    assert (await asyncio.wait_for(pool.run_turn("bob"), SECONDS)).timed_out
    assert (await pool.run_turn("bob")).error.startswith("busy")
    assert (await pool.run_turn("cid", 1, timeout_seconds=SECONDS)).response == "cid saw 1", (
        "the worker is free"
    )
    holds.set()
    await asyncio.wait_for(returned.wait(), SECONDS)
    await until(lambda: pool._places["bob"].running is None)
    assert (heard, pool.export_memories()["bob"], len(late)) == ([], {}, 1)


async def test_m15_a_round_runs_at_once_as_far_as_there_are_workers_and_in_turn_where_it_is_wanted():
    pool, _, _ = make_pool(workers=3)
    here, most, gate = set(), [], asyncio.Event()

    async def meets(turn):
        here.add(turn.agent_id)
        most.append(len(here))
        if len(here) == turn.percept:
            gate.set()
        await gate.wait()
        here.discard(turn.agent_id)

    for n in range(6):
        pool.add(agent(f"a{n}", meets))
    found = await asyncio.wait_for(pool.run_round(dict.fromkeys(pool.agent_ids, 3)), SECONDS)
    assert all(each.well for each in found.values()) and max(most) == 3
    gate.set()
    most.clear()
    await pool.run_round(dict.fromkeys(pool.agent_ids, 9), concurrent=False)
    assert max(most) == 1


async def test_m15_messages_wait_for_a_turn_that_ends_well_and_are_given_up_after_three():
    pool, bus, _ = make_pool()
    seen = []

    def fails(turn):
        seen.append([each.payload["n"] for each in turn.messages])
        if turn.percept != "well":
            raise RuntimeError("no")

    pool.add(agent("bob", fails))
    for n in (1, 2):
        bus.send(bus.make("ann", "bob", "REQUEST", {"n": n}))
    await until(lambda: len(pool._places["bob"].waiting) == 2)
    await pool.run_turn("bob")
    await pool.run_turn("bob", "well")
    await pool.run_turn("bob", "well")
    assert seen == [[1, 2], [1, 2], []]
    bus.send(bus.make("ann", "bob", "REQUEST", {"n": 3}))
    await until(lambda: pool._places["bob"].waiting)
    for _ in range(limits.POOL_TRIES + 1):
        await pool.run_turn("bob")
    assert seen[3:] == [[3]] * limits.POOL_TRIES + [[]]
    assert pool.counts["messages-given-up"] == 1


async def test_m15_what_waits_for_an_agent_is_bounded_and_counted(monkeypatch):
    monkeypatch.setattr(limits, "POOL_INBOX", 2)
    pool, bus, _ = make_pool()
    pool.add(agent("bob", lambda turn: [each.payload["n"] for each in turn.messages]))
    for n in range(5):
        bus.send(bus.make("ann", "bob", "REQUEST", {"n": n}))
    await until(lambda: pool.counts["messages-dropped"] == 3)
    assert (await pool.run_turn("bob")).response == [3, 4]


@pytest.mark.parametrize("far", [False, True])
async def test_m15_agents_that_attend_answer_each_other_whatever_bus_there_is(far):
    ended = asyncio.Event()

    async def counts_up(turn):
        for message in turn.messages:
            n = message.payload["n"]
            if n >= 6:
                ended.set()
            else:
                turn.send(message.sender, "REQUEST", {"n": n + 1}, answers=message)
            turn.memory.put("n", n)

    async def run(first, second):
        pools = [make_pool(bus)[0] for bus in dict.fromkeys((first, second))]
        pools[0].add(agent("ann", counts_up))
        pools[-1].add(agent("bob", counts_up))
        await until(lambda: "bob" in first.nicknames() and "ann" in second.nicknames())
        async with pools[0].attending(), pools[-1].attending():
            first.send(first.make("ann", "bob", "REQUEST", {"n": 1}))
            await asyncio.wait_for(ended.wait(), SECONDS)
            await until(lambda: {"n": 6} in pools[0].export_memories().values())
        for pool in pools:
            await pool.shutdown()

    if far:
        async with mesh(2) as (_, buses):
            await run(*buses)
    else:
        bus = LocalBus(clock=SystemClock(), entropy=SystemEntropy())
        await run(bus, bus)


async def test_m15_an_agent_that_is_let_go_or_a_round_that_is_cancelled_ends_its_turns():
    pool, _, _ = make_pool()
    begun, ended = asyncio.Event(), []

    async def waits(turn):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(turn.agent_id)

    pool.add(agent("ann", waits))
    running = asyncio.ensure_future(pool.run_turn("ann"))
    await asyncio.wait_for(begun.wait(), SECONDS)
    await pool.shutdown()
    assert "let go" in (await running).error and ended == ["ann"]
    pool.add(agent("bob", waits))
    begun.clear()
    running = asyncio.ensure_future(pool.run_round({"bob": 1}))
    await asyncio.wait_for(begun.wait(), SECONDS)
    running.cancel()
    await until(lambda: ended == ["ann", "bob"])


async def test_what_a_pool_cannot_be_and_a_message_that_cannot_be_sent_are_said():
    with pytest.raises(UsageError, match="worker"):
        make_pool(workers=0)
    pool, _, _ = make_pool()
    pool.add(agent("ann", lambda turn: turn.send("bob", "NO_SUCH_TYPE")))
    assert "not sent: type" in (await pool.run_turn("ann")).error
