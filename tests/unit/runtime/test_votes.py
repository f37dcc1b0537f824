"""Votes over a bus, in one process and over the mesh: who is silent, comes back, cheats or counts wrong."""

import asyncio
from dataclasses import replace

import pytest

from covey.errors import DecisionError, UsageError
from covey.fleet import vote_record as vr
from covey.fleet.message import MessageType
from covey.fleet.signed_word import canonical
from covey.fleet.vote import ABSTAIN, VoteError
from covey.runtime.decide.votes import Votes
from tests.unit.runtime.decidekit import DISTANCES, agent, local
from tests.unit.runtime.meshkit import identity
from tests.unit.runtime.test_mesh_bus import until

SECONDS = 30


def voter(each, option):
    votes = Votes(each.post, each.book)

    @votes.answer
    async def choose(question):
        return option

    return votes


@pytest.mark.parametrize("distance", DISTANCES)
async def test_s11_a_vote_is_one_call_signed_kept_and_counted_again_by_everybody(distance):
    async with distance(3) as agents:
        votes = [voter(each, option) for each, option in zip(agents, ("yes", "yes", ABSTAIN), strict=True)]
        record = await votes[0].call("ship it?", ["yes", "no"], seconds=SECONDS)
        outcome = record.outcome
        assert (outcome.kind, outcome.winner, outcome.missing) == ("decided", "yes", ())
        assert outcome.abstained == (agents[2].node_id,)
        assert (await votes[1].check(record)).holds
        await until(lambda: all(each.book.ids("votes") for each in agents))
        for each in votes:
            kept = each.record(record.question.id[:12])
            assert kept == record and (await each.check(kept)).holds
        assert record.trace and not any(each.asked() for each in votes[1:])


@pytest.mark.parametrize("distance", DISTANCES)
async def test_s11_a_silent_voter_delays_to_the_deadline_and_no_longer(distance):
    async with distance(3) as agents:
        votes = [voter(each, "yes") for each in agents[:2]]
        silent = Votes(agents[2].post, agents[2].book)
        record = await asyncio.wait_for(votes[0].call("?", ["yes", "no"], seconds=1.0), SECONDS)
        assert (record.outcome.kind, record.outcome.missing) == ("decided", (agents[2].node_id,))
        assert record.outcome.confidence == pytest.approx(2 / 3)
        assert [each.state for each in silent.asked()] in ([], ["open"])
        assert votes[0].asked() == [], "the caller's own question is over at once"


async def test_s11_a_ballot_after_the_deadline_is_refused_where_it_is_made():
    async with local(2) as agents:
        caller, other = Votes(agents[0].post, agents[0].book), Votes(agents[1].post, agents[1].book)
        called = asyncio.ensure_future(caller.call("?", ["yes", "no"], seconds=SECONDS))
        await until(other.asked)
        asked = other.asked()[0]
        asked.until = other._post.world.clock.monotonic() - 1.0
        with pytest.raises(DecisionError, match="its deadline has passed"):
            await other.cast(asked.question.id, "yes")
        assert other._book.ids("ballots") == [], "it is not even written"
        called.cancel()


async def test_s11_a_voter_that_comes_late_is_asked_and_one_that_comes_back_repeats_its_ballot():
    async with local(3) as agents:
        caller, books = Votes(agents[0].post, agents[0].book), agents[1].book
        agents[2].post.close()
        first = voter(agents[1], "yes")
        called = asyncio.ensure_future(
            caller.call("?", ["yes", "no"], voters=[each.node_id for each in agents], seconds=SECONDS)
        )
        await until(lambda: books.ids("ballots") and first.asked()[0].state != "open")
        agents[1].post.close()  # killed after it has voted
        ring = agents[1].post._keys
        again = voter(agent(2, agents[1].bus, ring, books), "no")  # and it would choose otherwise now
        late = voter(agent(3, agents[2].bus, ring), "yes")
        await until(lambda: caller.asked() and again is not late)
        await caller.cast(caller.asked()[0].question.id, "no")
        record = await asyncio.wait_for(called, SECONDS)
        assert record.outcome.counts == {"yes": 2, "no": 1} and record.outcome.twice == ()


async def test_s11_a_second_ballot_is_refused_where_it_is_made():
    async with local(2) as agents:
        caller, other = Votes(agents[0].post, agents[0].book), Votes(agents[1].post, agents[1].book)
        called = asyncio.ensure_future(caller.call("?", ["yes", "no"], seconds=SECONDS))
        await until(lambda: caller.asked() and other.asked())
        asked = await other.cast(other.asked()[0].question.id[:6], "yes")
        await other.cast(asked.question.id, "yes")
        with pytest.raises(DecisionError, match="has voted: yes"):
            await other.cast(asked.question.id, "no")
        with pytest.raises(UsageError, match="expected one of"):
            await other.cast(asked.question.id, "maybe")
        with pytest.raises(DecisionError, match="not open here"):
            await other.cast("ffff", "yes")
        await until(lambda: asked.state == "counted")
        await caller.cast(asked.question.id, "no")
        assert (await called).outcome.kind == "tie"


async def test_s11_ballots_that_do_not_count_are_told_so_and_nobody_speaks_for_another():
    async with local(3) as agents:
        caller = Votes(agents[0].post, agents[0].book)
        told = []
        voters = [agents[1].node_id]
        called = asyncio.ensure_future(caller.call("?", ["yes", "no"], voters=voters, seconds=SECONDS))
        other = Votes(agents[1].post, agents[1].book)
        await until(lambda: other.asked())

        async def hear(word, _):
            told.append(word.body["refused"])

        agents[2].post.serve("counted", hear)
        vote = other.asked()[0].question.digest()
        for by in (agents[2].node_id, agents[1].node_id):
            ballot = {"vote": vote, "voter": by, "option": "yes", "signature": "A" * 85 + "A"}
            agents[2].post.send(agents[0].node_id, MessageType.CONSENSUS_VOTE, "ballot", ballot)
        late = {"vote": "0" * 64, "voter": agents[2].node_id, "option": "yes", "signature": "A" * 86}
        agents[2].post.send(agents[0].node_id, MessageType.CONSENSUS_VOTE, "ballot", late)
        await until(lambda: len(told) == 3)
        assert told == ["not-in-electorate", "bad-signature", "late"]
        await other.cast(vote and other.asked()[0].question.id, "yes")
        assert (await called).outcome.winner == "yes"


async def test_s11_a_caller_that_leaves_a_ballot_out_is_contested_by_its_voter():
    async with local(2) as agents:
        caller, lines = Votes(agents[0].post, agents[0].book), []
        agents[1].post.close()
        other = agent(2, agents[1].bus, agents[1].post._keys, lines=lines)
        voted = voter(other, "yes")
        honest = caller._close
        caught = []

        async def cheat(poll):
            record = await honest(poll)
            caught.append((poll, record))
            return record

        caller._close = cheat
        tell, caller._post.send = caller._post.send, lambda *words, **more: _not_told(tell, words, more)
        called = asyncio.ensure_future(caller.call("?", ["yes", "no"], seconds=SECONDS))
        await until(lambda: caller.asked())
        await caller.cast(caller.asked()[0].question.id, "no")
        record = await called
        await until(lambda: voted.asked()[0].state == "counted")
        mine = tuple(each for each in record.outcome.ballots if each.voter == agents[0].node_id)
        forged = vr.VoteRecord(vr.count(record.question, mine), record.caller, (), record.ended_ms, "")
        forged = vr.close(agents[0].who, forged)
        assert (await caller.check(forged)).holds, "nobody else could see it"
        tell(agents[1].node_id, MessageType.CONSENSUS_VOTE, "outcome", {"record": forged.to_dict()})
        await until(lambda: any(event == "vote-contested" for event, _ in lines))
        assert other.post.counts["outcomes-contested"] == 1


def _not_told(tell, words, more):
    """Send what is said, the outcome apart."""
    return None if words[2] == "outcome" else tell(*words, **more)


async def test_s11_a_record_that_was_changed_does_not_hold_and_says_where():
    async with local(2) as agents:
        votes = [voter(each, "yes") for each in agents]
        record = await votes[0].call("?", ["yes", "no"], seconds=SECONDS)
        assert vr.read_record(record.to_dict()) == record
        ballot = record.outcome.ballots[0]
        for forged, says in (
            (replace(record, outcome=replace(record.outcome, winner="no")), "outcome"),
            (replace(record, outcome=replace(record.outcome, ballots=(ballot,))), "outcome"),
            (replace(record, ended_ms=1), "did not sign"),
            (replace(record, caller=agents[1].node_id), "did not sign"),
            (replace(record, twice=((ballot, replace(ballot, option="no")),)), "not signed by it"),
            (replace(record, twice=((ballot, ballot),)), "must differ"),
        ):
            finding = await votes[1].check(forged)
            assert not finding.holds and any(says in each for each in finding.problems), finding
        strange = replace(record, caller=identity(9).node_id)
        assert "not known here" in (await votes[1].check(strange)).problems[0]
        for spoiled in ({}, {**record.to_dict(), "schema": "x"}, {**record.to_dict(), "ballots": [[1]]}):
            with pytest.raises(VoteError):
                vr.read_record(spoiled)


async def test_what_a_vote_cannot_be_is_refused_where_it_is_called():
    async with local(2) as agents:
        votes = Votes(agents[0].post, agents[0].book)
        with pytest.raises(UsageError, match="options"):
            await votes.call("?", ["yes"])
        with pytest.raises(UsageError, match="none of these agents"):
            await votes.call("?", ["yes", "no"], voters=["zoe"])
        with pytest.raises(UsageError, match="seconds"):
            await votes.call("?", ["yes", "no"], seconds=0)
        with pytest.raises(DecisionError, match="not kept here"):
            votes.record("abc")


async def test_words_that_nobody_signed_or_that_are_for_others_are_turned_away_and_counted():
    async with local(2) as agents:
        a, b = agents
        b.post.serve("counted", asyncio.sleep)
        word, _ = a.post.send(b.node_id, MessageType.CONSENSUS_VOTE, "unheard-of", {})
        for payload in (
            {},
            {**word.to_dict(), "body": {"changed": 1}, "word": "counted"},
            {**word.to_dict(), "to": a.node_id, "word": "counted"},
            {**word.to_dict(), "by": identity(9).node_id, "word": "counted"},
        ):
            message = a.bus.make("decide", "*", "X_ANY", payload)
            a.bus.publish(f"covey.decide.{b.node_id}", message)
        await until(lambda: sum(n for word, n in b.post.counts.items() if word.startswith("refused")) == 5)
        assert b.post.counts == {
            "refused-unknown-word": 1,
            "refused-unreadable": 1,
            "refused-bad-signature": 1,
            "refused-not-for-this": 1,
            "refused-unknown-key": 1,
        }
        assert canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()


async def test_what_an_agent_raises_is_counted_and_what_had_not_begun_at_the_end_leaves_nothing_behind():
    async with local(1) as (each,):

        async def fails():
            raise RuntimeError("an agent's fault")

        begun = []

        async def never():
            begun.append(True)

        each.post.start(fails())
        await until(lambda: each.post.counts["failed"] == 1)
        late = never()
        each.post.start(late)
        each.post.close()
        await until(lambda: late.cr_frame is None)
        assert begun == [] and each.post.counts["failed"] == 1
