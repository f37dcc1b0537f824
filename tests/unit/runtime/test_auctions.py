"""Auctions over a bus, in one process and over the mesh: no bids, winners that die, decline, say nothing."""

import asyncio
import math
from dataclasses import replace

import pytest

from covey.errors import DecisionError, UsageError
from covey.fleet import auction_record as ar
from covey.fleet.auction_record import AuctionError
from covey.fleet.message import MessageType
from covey.runtime.decide.auctions import Auctions, Terms
from tests.unit.runtime.decidekit import DISTANCES, agent, local
from tests.unit.runtime.meshkit import identity
from tests.unit.runtime.test_mesh_bus import until

SECONDS = 30


def auctions(each, load=None, *, can=("translate",), accepts=True, won=None):
    found = Auctions(each.post, each.book)
    if load is not None:

        async def bid(lot):
            return Terms(load, 1.0, 2.0)

        async def accept(lot):
            return accepts

        async def told(lot):
            if won is not None:
                won.append((each.node_id, lot.task))

        found.bidder(bid, capabilities=can, accept=accept, won=told)
    return found


@pytest.mark.parametrize("distance", DISTANCES)
async def test_s12_an_auction_is_one_call_and_its_winner_confirms_before_it_begins(distance):
    async with distance(4) as agents:
        won = []
        seller = auctions(agents[0])
        loads = {1: 0.9, 2: 0.1}
        bidders = [auctions(agents[n], load, won=won) for n, load in loads.items()]
        auctions(agents[3], 0.0, can=("review",), won=won)
        invited = [each.node_id for each in agents[1:]]
        record = await seller.hold("a text", needs=["translate"], bidders=invited, seconds=SECONDS)
        assert (record.stage, record.winner, record.fence) == ("confirmed", agents[2].node_id, 1)
        assert {each.bidder: each.load for each in record.bids()} == {
            agents[n].node_id: load for n, load in loads.items()
        }
        await until(lambda: won)
        assert won == [(agents[2].node_id, "a text")]
        await until(lambda: all(agents[n].book.ids("auctions") for n in (0, 1, 2)))
        for each in (seller, *bidders):
            kept = each.record(record.lot.id[:12])
            assert kept == record and (await each.check(kept)).holds
        assert not any("contested" in word for each in agents for word in each.post.counts)


@pytest.mark.parametrize("distance", DISTANCES)
async def test_s12_nobody_bids_and_the_outcome_says_so(distance):
    async with distance(2) as agents:
        seller = auctions(agents[0])
        auctions(agents[1])
        record = await asyncio.wait_for(seller.hold("a text", bidders=[agents[1].node_id]), SECONDS)
        assert (record.stage, record.winner, record.bids()) == ("no-bids", None, [])
        assert (await seller.check(record)).holds


async def test_s12_who_listens_only_after_the_announcement_still_bids_until_the_deadline():
    async with local(2) as agents:
        seller = auctions(agents[0])
        ring = agents[1].post._keys
        agents[1].post.close()
        held = asyncio.ensure_future(seller.hold("a text", seconds=SECONDS, bidders=[agents[1].node_id]))
        await until(lambda: agents[0].post.counts["said-lot"] == 0 and seller._sales)
        auctions(agent(2, agents[1].bus, ring), 0.2)
        assert (await asyncio.wait_for(held, SECONDS)).winner == agents[1].node_id


async def test_s12_a_winner_that_declines_is_silent_or_gone_gives_way_over_the_bus():
    async with local(4) as agents:
        won = []
        seller = auctions(agents[0])
        auctions(agents[1], 0.0, accepts=False, won=won)
        dies = auctions(agents[2], 0.1, won=won)
        last = auctions(agents[3], 0.2, won=won)

        async def silent(lot):
            agents[2].post.close()
            await asyncio.Event().wait()

        dies._bidder = replace(dies._bidder, accept=silent)
        invited = [each.node_id for each in agents[1:]]
        record = await seller.hold("x", bidders=invited, seconds=SECONDS, confirm_seconds=SECONDS)
        assert (record.stage, record.winner, record.fence) == ("confirmed", agents[3].node_id, 3)
        assert record.passed_over == ((agents[1].node_id, "declined"), (agents[2].node_id, "gone"))
        assert (await last.check(record)).holds
        await until(lambda: won)
        assert won == [(agents[3].node_id, "x")]


async def test_s12_a_winner_that_says_nothing_gives_way_at_its_time_and_that_is_remembered():
    async with local(3) as agents:
        seller = auctions(agents[0])
        slow, good = auctions(agents[1], 0.0), auctions(agents[2], 0.5)
        holds = asyncio.Event()

        async def never(lot):
            await holds.wait()

        slow._bidder = replace(slow._bidder, accept=never)
        invited = [each.node_id for each in agents[1:]]
        first = await seller.hold("x", bidders=invited, seconds=SECONDS, confirm_seconds=0.3)
        assert first.winner == agents[2].node_id
        assert first.passed_over == ((agents[1].node_id, "did not confirm in time"),)
        await seller.report(first.lot.id, done=True)
        await until(lambda: agents[1].book.ids("auctions"))
        slow._bidder = replace(slow._bidder, accept=None)
        good._bidder = replace(good._bidder, accept=None)
        second = await seller.hold("x", bidders=invited, seconds=SECONDS)
        assert second.winner == agents[2].node_id, "its past counts for more than its load"
        again = auctions(agents[0])
        assert await again._past.known() == await seller._past.known()
        with pytest.raises(DecisionError, match="no winner to report"):
            await good.report(first.lot.id, done=False)


async def test_s12_all_winners_declining_is_exhausted_and_a_score_may_be_anything():
    async with local(3) as agents:
        seller = auctions(agents[0])
        for each in agents[1:]:
            auctions(each, 0.5, accepts=False)
        invited = [each.node_id for each in agents[1:]]
        record = await seller.hold("x", bidders=invited, seconds=SECONDS, score=lambda bid, _: math.nan)
        assert (record.stage, record.winner, record.scores) == ("exhausted", None, dict.fromkeys(invited))
        assert ar.read_record(record.to_dict()) == record
        assert (await seller.check(record)).holds


async def test_s12_bids_after_the_end_and_answers_to_void_awards_change_nothing():
    async with local(2) as agents:
        seller = auctions(agents[0])
        auctions(agents[1], 0.0)
        record = await seller.hold("x", bidders=[agents[1].node_id], seconds=SECONDS)
        body = ar.bid_body(record.bids()[0], ar.lot_digest(record.lot))
        refused = []

        async def hear(word, _):
            refused.append(word.body["why"])

        agents[1].post.serve("bid-refused", hear)
        agents[1].post.send(agents[0].node_id, MessageType.TASK_AUCTION, "bid", body)
        await until(lambda: refused)
        assert refused == ["late"]


async def test_s12_a_record_that_was_changed_does_not_hold_and_says_where():
    async with local(3) as agents:
        seller = auctions(agents[0])
        for each, load in zip(agents[1:], (0.1, 0.8), strict=True):
            auctions(each, load)
        invited = [each.node_id for each in agents[1:]]
        record = await seller.hold("x", bidders=invited, seconds=SECONDS)
        sign = lambda changed: ar.close(agents[0].who, changed)  # noqa: E731  # used in a table below
        bids, (award,) = record.of("bid"), record.of("award")
        better = {who: -score for who, score in record.scores.items()}
        for forged, says in (
            (replace(record, winner=agents[2].node_id), "did not sign"),
            (sign(replace(record, winner=agents[2].node_id)), "outcome"),
            (sign(replace(record, scores=better)), "better score"),
            (sign(replace(record, words=(*record.words, award))), "fences"),
            (sign(replace(record, words=(*bids, award))), "outcome"),
            (sign(replace(record, words=(bids[0], *record.words))), "one of each"),
            (sign(replace(record, words=(replace(bids[0], body={**bids[0].body, "price": 9.0}),))), "signed"),
            (sign(replace(record, lot=replace(record.lot, task="y"))), "another lot"),
            (sign(replace(record, stage="no-bids", winner=None)), "outcome"),
        ):
            finding = await seller.check(forged)
            assert not finding.holds and any(says in each for each in finding.problems), (says, finding)
        stranger = ar.close(identity(9), replace(record, auctioneer=identity(9).node_id))
        assert "not known here" in (await seller.check(stranger)).problems[0]
        for spoiled in ({}, {**record.to_dict(), "stage": "open"}, {**record.to_dict(), "words": [{}]}):
            with pytest.raises(AuctionError):
                ar.read_record(spoiled)


async def test_what_an_auction_cannot_be_is_refused_where_it_is_held():
    async with local(1) as agents:
        seller = auctions(agents[0])
        for wrong, says in (
            ({"task": ""}, "task"),
            ({"task": "x", "seconds": 0}, "seconds"),
            ({"task": "x", "bidders": ["zoe"]}, "none of these agents"),
        ):
            with pytest.raises(UsageError, match=says):
                await seller.hold(**wrong)


async def test_s12_a_bidder_that_raises_holds_nobody_up_and_the_next_best_has_it():
    async with local(4) as agents:
        seller, other = auctions(agents[0]), auctions(agents[1], 0.9)
        best, broken = Auctions(agents[2].post, agents[2].book), Auctions(agents[3].post, agents[3].book)

        async def free(lot):
            return Terms(0.0)

        async def fails(lot):
            raise RuntimeError("no disk")

        best.bidder(free, capabilities=("translate",), accept=fails)
        broken.bidder(fails, capabilities=("translate",))
        invited = [each.node_id for each in agents[1:]]
        held = seller.hold("a text", needs=["translate"], bidders=invited, seconds=3600, confirm_seconds=3600)
        record = await asyncio.wait_for(held, SECONDS)
        assert (record.stage, record.winner) == ("confirmed", agents[1].node_id)
        assert dict(record.passed_over) == {agents[2].node_id: "declined"}
        assert agents[2].post.counts["auction-accept-failed"] == 1
        assert agents[3].post.counts["auction-bid-failed"] == 1
        assert (await other.check(record)).holds


@pytest.mark.parametrize("wrong", [None, "high", math.nan, ZeroDivisionError("by zero")])
async def test_s12_a_score_that_fails_costs_its_bid_the_award_and_not_the_auction(wrong):
    async with local(3) as agents:
        seller = auctions(agents[0])
        auctions(agents[1], 0.9)
        auctions(agents[2], 0.0)

        def score(bid, past):
            if bid.load:
                return 1
            if isinstance(wrong, Exception):
                raise wrong
            return wrong

        invited = [each.node_id for each in agents[1:]]
        record = await asyncio.wait_for(seller.hold("a text", bidders=invited, score=score), SECONDS)
        assert (record.stage, record.winner) == ("confirmed", agents[1].node_id)
        assert record.scores == {agents[1].node_id: 1, agents[2].node_id: None}
        assert agents[0].post.counts["bids-unscored"] == 1 and (await seller.check(record)).holds
