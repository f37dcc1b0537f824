"""What a program may not say to votes, auctions, solving, tasks and requests: one typed refusal for all."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from covey.api.tasks import Tasks
from covey.errors import UsageError
from covey.runtime.bus.requests import Requests
from covey.runtime.decide.auctions import Auctions, Terms
from covey.runtime.decide.solving import Solving
from covey.runtime.decide.votes import Votes
from covey.runtime.pool import AgentPool
from covey.runtime.work.answer import TaskAnswers
from covey.runtime.work.job import Job
from covey.system.clock import SystemClock
from tests.unit.runtime.decidekit import local
from tests.unit.runtime.test_work import house

_SOMETHING = pytest.param(object(), id="an object")  # by a name: the text of one is another in each process
NO_SECONDS = [None, math.nan, math.inf, -math.inf, -1, 0, "5", True, 1e12, [], _SOMETHING]
SHOWN = r"^\w+: [\w ]+: expected .+, got .+$"


async def refused(call: Awaitable[Any], named: str) -> None:
    with pytest.raises(UsageError, match=SHOWN) as found:
        await call
    assert named in found.value.message, found.value.message
    assert found.value.hint and found.value.exit_code == 2


@pytest.mark.parametrize("value", NO_SECONDS, ids=repr)
async def test_s07_no_vote_auction_or_solving_takes_what_are_no_seconds(value: Any) -> None:
    async with local(1) as (each,):
        votes, auctions = Votes(each.post, each.book), Auctions(each.post, each.book)
        solving, requests = Solving(each.post, votes, each.book), Requests(each.bus, "ann")
        await refused(votes.call("?", ["a", "b"], seconds=value), "vote: seconds: ")
        await refused(auctions.hold("t", seconds=value), "auction: seconds: ")
        await refused(auctions.hold("t", confirm_seconds=value), "auction: confirm_seconds: ")
        for phase in ("brainstorm", "critique", "vote", "implement"):
            await refused(solving.solve("?", **{phase: value}), f"solve: {phase}: ")
        await refused(requests.ask("bob", {}, timeout_seconds=value), "request: timeout_seconds: ")
        assert not each.book.ids("votes") and not each.book.ids("auctions") and not votes.asked()
        requests.close()
        with pytest.raises(UsageError, match=r"pool: seconds for a turn: expected .+, got .+"):
            AgentPool(each.bus, SystemClock(), turn_seconds=value)


@pytest.mark.parametrize("value", NO_SECONDS, ids=repr)
async def test_s07_no_task_takes_what_are_no_seconds(value: Any) -> None:
    async with house() as room:
        desk = await room.desk("lead")
        tasks = Tasks(desk, "lead")
        await refused(tasks.submit("work", within_seconds=value), "task: within_seconds: ")
        if value is not None:  # the half of the deadline
            await refused(tasks.submit("work", try_seconds=value), "task: try_seconds: ")
        assert tasks.list() == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"text": None}, "vote: text"),
        ({"text": ""}, "vote: text"),
        ({"options": None}, "vote: options"),
        ({"options": "ab"}, "vote: options"),
        ({"options": [1, 2]}, "vote: options"),
        ({"voters": "bob"}, "vote: voters"),
        ({"quorum": None}, "vote: quorum"),
        ({"quorum": math.nan}, "vote: quorum"),
        ({"majority": 1.0}, "vote: majority"),
        ({"majority": "half"}, "vote: majority"),
        ({"tie": "toss"}, "vote: tie"),
    ],
)
async def test_s11_a_vote_that_cannot_be_held_is_refused_by_name(wrong: dict[str, Any], named: str) -> None:
    async with local(1) as (each,):
        with pytest.raises(UsageError, match=named):
            await Votes(each.post, each.book).call(**{"text": "?", "options": ["a", "b"], **wrong})


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"task": None}, "auction: task"),
        ({"needs": "translate"}, "auction: needs: expected a list"),
        ({"needs": ["a b"]}, "auction: needs: capability: expected one word"),
        ({"bidders": "bob"}, "auction: bidders"),
        ({"score": None}, "auction: score: expected a function"),
        ({"score": 1.0}, "auction: score: expected a function"),
    ],
)
async def test_s12_an_auction_that_cannot_be_held_is_refused_by_name(
    wrong: dict[str, Any], named: str
) -> None:
    async with local(1) as (each,):
        auctions = Auctions(each.post, each.book)
        with pytest.raises(UsageError, match=named):
            await auctions.hold(**{"task": "t", **wrong})


async def test_s12_a_bidder_that_cannot_be_asked_is_refused_by_name() -> None:
    async def bid(_: Any) -> Terms:
        return Terms()

    async with local(1) as (each,):
        bidder: Callable[..., None] = Auctions(each.post, each.book).bidder
        for given, named in (
            ({"bid": None}, "bidder: bid"),
            ({"bid": bid, "accept": True}, "bidder: accept"),
            ({"bid": bid, "won": 1}, "bidder: won"),
            ({"bid": bid, "capabilities": "translate"}, "bidder: capabilities"),
            ({"bid": bid, "capabilities": ["a b"]}, "bidder: capabilities: capability: expected one word"),
        ):
            with pytest.raises(UsageError, match=named):
                bidder(**given)


async def test_s15_a_problem_that_cannot_be_put_is_refused_by_name() -> None:
    async with local(1) as (each,):
        solving = Solving(each.post, Votes(each.post, each.book), each.book)
        await refused(solving.solve(None), "solve: text: ")  # type: ignore[arg-type]  # what programs do
        await refused(solving.solve("?", members="bob"), "solve: members: ")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"capability": "a b"}, "task: capability: expected one word"),
        ({"capability": None}, "task: capability: expected one word"),
        ({"key": ""}, "task: key"),
        ({"key": 7}, "task: key"),
        ({"tries": "3"}, "task: tries"),
        ({"tries": True}, "task: tries"),
        ({"hops": None}, "task: hops"),
        ({"choose": None}, "task: choose: expected a function"),
        ({"if_nobody": "later"}, "task: if_nobody: expected one of wait, fail"),
    ],
)
async def test_a_task_that_cannot_be_done_is_refused_by_name(wrong: dict[str, Any], named: str) -> None:
    async with house() as room:
        desk = await room.desk("lead")
        with pytest.raises(UsageError, match=named):
            await Tasks(desk, "lead").submit(**{"capability": "work", **wrong})
        assert desk.listed() == [] and desk._owner.strategies == {}


async def test_an_offer_that_cannot_be_made_is_refused_by_name() -> None:
    async def work(_: Job) -> None:
        return None

    async with house() as room:
        offer: Callable[..., object] = (await room.desk("ann")).hands.offer
        for handlers, options, named in (
            ({"a b": work}, {}, "offer: capability: expected one word"),
            ({"work": None}, {}, "offer: work: expected a function"),
            ({"work": work}, {"capacity": "2"}, "offer: capacity"),
            ({"work": work}, {"accepts": "all"}, "offer: accepts"),
            (["work"], {}, "its function"),
            ({}, {}, "at least one capability"),
        ):
            with pytest.raises(UsageError, match=named):
                offer("ann", handlers, **options)


async def test_a_command_is_refused_what_a_program_is() -> None:
    async with house() as room:
        answers = TaskAnswers(await room.desk("lead"), list)
        for wrong, named in (
            ({"capability": "a b"}, "task: capability: expected one word"),
            ({"capability": 7}, "task: capability: expected one word"),
            ({"capability": "work", "within_seconds": math.inf}, "task: within_seconds"),
            ({"capability": "work", "patience": "later"}, "patience: expected"),
        ):
            with pytest.raises(UsageError, match=named):
                await answers.answer({"op": "submit", **wrong})


async def test_a_part_that_is_handed_on_is_refused_what_a_task_is() -> None:
    async with house() as room:
        lead, ann = await room.desk("lead"), await room.desk("ann-peer")
        met: list[str] = []

        async def whole(job: Job) -> None:
            job.progress(0.5)
            for options in ({"within_seconds": None}, {"within_seconds": math.inf}, {"capability": "a b"}):
                with pytest.raises(UsageError) as found:
                    await job.delegate(**{"capability": "part", **options})
                met.append(found.value.message.split(": expected")[0])
            with pytest.raises(UsageError, match="progress: share: expected a share"):
                job.progress("half")  # type: ignore[arg-type]  # what programs do

        ann.hands.offer("ann", {"whole": whole})
        await (await lead.submit("whole", hops=1)).result()
        assert met == ["delegate: within_seconds"] * 2 + ["task: capability"]
