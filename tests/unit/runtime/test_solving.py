"""Solving together over a bus: phases with deadlines, partial participation, a transcript to be checked."""

import asyncio
import json
from dataclasses import replace

import pytest

from covey.errors import UsageError
from covey.fleet import signed_word as sw
from covey.fleet import solve_record as sr
from covey.fleet.transcript import SAID, Item, SolveError, said_body
from covey.runtime.decide.solving import Mind, Remark, Solving
from covey.runtime.decide.votes import Votes
from tests.unit.runtime.decidekit import DISTANCES, local
from tests.unit.runtime.test_mesh_bus import until

SECONDS = 30


class Able(Mind):
    """Has one idea, likes ideas by their length, and makes what it is asked to."""

    def __init__(self, name, *, makes=True):
        self.name = name
        self.makes = makes

    async def brainstorm(self, problem):
        return [f"{self.name}: {'think ' * len(self.name)}"]

    async def critique(self, problem, ideas):
        return [Remark(each, f"{self.name} of it", min(1.0, len(each.text) / 40)) for each in ideas]

    async def implement(self, problem, idea, remarks):
        return (
            f"{self.name} made {idea.text.split(':')[0]}'s with {len(remarks)} remarks"
            if self.makes
            else None
        )


class Hangs(Mind):
    async def brainstorm(self, problem):
        await asyncio.Event().wait()

    async def choose(self, problem, ideas, remarks):
        await asyncio.Event().wait()


def solving(each, mind=None):
    found = Solving(each.post, Votes(each.post, each.book), each.book)
    if mind is not None:
        found.join(mind)
    return found


@pytest.mark.parametrize("distance", DISTANCES)
async def test_s15_one_call_solves_in_four_phases_and_its_transcript_shows_the_way(distance):
    async with distance(3) as agents:
        minds = [Able("ann"), Able("bobby"), Able("cid")]
        all_of_them = [solving(each, mind) for each, mind in zip(agents, minds, strict=True)]
        record = await asyncio.wait_for(all_of_them[0].solve("a problem"), SECONDS)
        assert (record.stage, record.answer()) == ("solved", "bobby made bobby's with 3 remarks")
        steps = [(each.phase, each.by) for each in record.lineage()]
        assert steps[0] == ("brainstorm", agents[1].node_id) and steps[-1] == ("implement", agents[1].node_id)
        assert [phase for phase, _ in steps[1:-1]] == ["critique"] * 3 and record.silent == ()
        assert len(record.entries()) == 3 + 9 + 1 and record.vote.outcome.winner.endswith("think think")
        await until(lambda: all(each.book.ids("solves") for each in agents))
        for each in all_of_them:
            kept = each.record(record.problem.id[:12])
            assert kept == record and (await each.check(kept)).holds


@pytest.mark.parametrize("distance", DISTANCES)
async def test_s15_who_is_silent_or_dies_holds_nobody_up_and_is_named(distance):
    async with distance(3) as agents:
        ann = solving(agents[0], Able("ann"))
        solving(agents[1], Hangs())
        solving(agents[2], Hangs())
        short = {"brainstorm": 0.4, "critique": 0.4, "vote": 0.6}
        record = await asyncio.wait_for(ann.solve("a problem", **short), SECONDS)
        assert (record.stage, record.answer()) == ("not-decided", None), "one ballot of three is no quorum"
        assert ("brainstorm", agents[1].node_id) in record.silent
        assert (await ann.check(record)).holds
        solving_two = await asyncio.wait_for(
            ann.solve("again", members=[agents[0].node_id, agents[1].node_id], **short), SECONDS
        )
        assert (solving_two.stage, solving_two.answer()) == ("solved", "ann made ann's with 1 remarks")


async def test_s15_a_builder_that_cannot_or_is_gone_gives_way_to_another():
    async with local(3) as agents:
        ann, bob = solving(agents[0], Able("ann")), solving(agents[1], Able("bobby", makes=False))
        solving(agents[2], Able("cid"))
        record = await asyncio.wait_for(ann.solve("x"), SECONDS)
        assert record.stage == "solved" and record.answer().split()[0] in ("ann", "cid")
        assert ("implement", agents[1].node_id) in record.silent and (await bob.check(record)).holds
        ann.join(Able("ann", makes=False))
        record = await asyncio.wait_for(ann.solve("x", members=["peer-1", "peer-2"]), SECONDS)
        assert (record.stage, record.result) == ("not-implemented", None)
        assert [each.phase for each in record.lineage()] == ["brainstorm"], "the idea that nobody made"


async def test_s15_an_agent_without_a_mind_is_waited_for_by_nobody():
    async with local(2) as agents:
        ann = solving(agents[0], Able("ann"))
        solving(agents[1])
        record = await asyncio.wait_for(ann.solve("x"), SECONDS)
        assert (record.stage, record.silent) == ("solved", ())
        assert record.vote.outcome.abstained == (agents[1].node_id,)


async def test_s15_without_ideas_it_ends_and_says_so_and_with_none_wanted_too():
    async with local(2) as agents:
        ann = solving(agents[0], Mind())
        solving(agents[1], Mind())
        record = await asyncio.wait_for(ann.solve("x"), SECONDS)
        assert (record.stage, record.entries(), record.vote) == ("no-ideas", [], None)
        assert (await ann.check(record)).holds

        class Picky(Able):
            async def choose(self, problem, ideas, remarks):
                return None

        ann.join(Picky("ann"))
        record = await asyncio.wait_for(ann.solve("x", members=["peer-1"]), SECONDS)
        assert (record.stage, record.vote.outcome.winner) == ("not-decided", "none of these")
        assert (await ann.check(record)).holds


async def test_s15_a_transcript_that_was_changed_does_not_hold_and_says_where():
    async with local(2) as agents:
        ann = solving(agents[0], Able("ann"))
        solving(agents[1], Able("bobby"))
        record = await asyncio.wait_for(ann.solve("x"), SECONDS)
        assert sr.read_record(json.loads(json.dumps(record.to_dict()))) == record
        sign = lambda changed: sr.close(agents[0].who, changed)  # noqa: E731  # used in a table below
        first, digest = record.words[0], record.problem.digest()
        late = sw.say(
            agents[0].who, SAID, agents[0].node_id, said_body(digest, "critique", [Item("x", ("0" * 64,))])
        )
        for forged, says in (
            (replace(record, chosen=None), "did not sign"),
            (sign(replace(record, result=record.chosen)), "outcome"),
            (sign(replace(record, stage="no-ideas")), "outcome"),
            (sign(replace(record, words=record.words[1:])), "rests on what was not said"),
            (sign(replace(record, words=(*record.words, first))), "speaks twice"),
            (sign(replace(record, words=(replace(first, body=record.words[1].body),))), "not signed"),
            (sign(replace(record, words=(late,))), "rests on what was not said"),
            (sign(replace(record, vote=None)), "outcome"),
            (sign(replace(record, vote=replace(record.vote, ended_ms=1))), "vote: caller"),
            (sign(replace(record, problem=replace(record.problem, text="y"))), "to another problem"),
        ):
            finding = await ann.check(forged)
            assert not finding.holds and any(says in each for each in finding.problems), (says, finding)
        for spoiled in ({}, {**record.to_dict(), "stage": "x"}, {**record.to_dict(), "words": [1]}):
            with pytest.raises(SolveError):
                sr.read_record(spoiled)


async def test_what_cannot_be_solved_so_is_refused_where_it_is_put():
    async with local(1) as agents:
        ann = solving(agents[0])
        for wrong, says in (
            ({"text": ""}, "solve: text"),
            ({"text": "x", "critique": 0}, "solve: critique"),
            ({"text": "x", "members": ["zoe"]}, "none of these agents"),
        ):
            with pytest.raises(UsageError, match=says):
                await ann.solve(**wrong)
