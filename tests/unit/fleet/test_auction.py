"""Auctions: announced first, closed in time, awarded until somebody confirms; never a crash without bids."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from covey.fleet.auction import (
    Announce,
    Auction,
    Award,
    Bid,
    Ended,
    Lot,
    Past,
    Withdraw,
    default_score,
    ranked,
)

CAN = frozenset({"translate"})


def lot(**changes):
    return Lot(**{"id": "l1", "task": "translate this", "needs": CAN, "deadline": 10.0, **changes})


def bid(name, **more):
    return Bid(name, CAN, **more)


def closed(*bids, **changes):
    auction = Auction(lot(**changes))
    assert auction.begin() == [Announce(auction.lot)]
    for each in bids:
        assert auction.bid(each, 5.0) is None
    return auction, auction.tick(10.0)


def test_s12_the_best_bid_wins_and_confirms():
    auction, effects = closed(bid("slow", load=0.9), bid("free", load=0.1))
    assert effects == [Award(auction.lot, "free", 1, 15.0)]
    (ended,) = auction.confirm("free", 1, 11.0)
    assert (ended.stage, ended.winner) == ("confirmed", "free")
    assert auction.next_deadline() is None


def test_s12_no_bids_is_an_outcome():
    auction, (ended,) = closed()
    assert isinstance(ended, Ended)
    assert (ended.stage, ended.winner, ended.bids) == ("no-bids", None, ())
    assert auction.tick(99.0) == []


def test_s12_a_winner_that_is_silent_declines_or_dies_gives_way_and_then_it_is_exhausted():
    auction, effects = closed(bid("a"), bid("b", load=0.2), bid("c", load=0.4))
    assert effects[0].bidder == "a"
    withdrawn, award = auction.tick(15.0)
    assert (withdrawn.bidder, withdrawn.reason, award.bidder, award.fence) == (
        "a",
        "did not confirm in time",
        "b",
        2,
    )
    assert auction.confirm("a", 1, 15.1) == []
    withdrawn, award = auction.decline("b", 2, 15.2)
    assert (withdrawn.reason, award.bidder) == ("declined", "c")
    withdrawn, ended = auction.gone("c", 15.3)
    assert withdrawn == Withdraw(auction.lot, "c", 3, "gone")
    assert (ended.stage, ended.passed_over[-1]) == ("exhausted", ("c", "gone"))


@pytest.mark.parametrize(
    ("offered", "now", "why"),
    [
        (bid("a"), 10.5, "late"),
        (Bid("a", frozenset()), 5.0, "cannot"),
        (bid("x"), 5.0, "not-invited"),
        (bid("a", load=float("nan")), 5.0, "malformed"),
        (bid("a", price=-1.0), 5.0, "malformed"),
    ],
)
def test_s12_bids_that_do_not_count_are_refused_with_their_reason(offered, now, why):
    assert Auction(lot(invited=frozenset({"a", "b"}))).bid(offered, now) == why


def test_s12_one_bid_of_each_and_none_after_the_end():
    auction, _ = closed(bid("a"))
    assert auction.bid(bid("b"), 10.0) == "closed"
    fresh = Auction(lot())
    assert [fresh.bid(bid("a"), 1.0), fresh.bid(bid("a"), 2.0), fresh.bid(bid("a", load=0.5), 3.0)] == [
        None,
        None,
        "second-bid",
    ]


def test_s12_past_performance_counts_and_the_score_is_pluggable():
    past = {"proven": Past(done=9, failed=1), "shaky": Past(done=1, failed=9)}
    bids = [bid("proven", load=0.6), bid("shaky", load=0.0), bid("new", load=0.3)]
    assert ranked(bids, default_score, past, "l") == ["proven", "new", "shaky"]
    assert ranked(bids, lambda each, _: -each.load, past, "l") == ["shaky", "new", "proven"]
    assert ranked(bids, lambda each, _: float("nan") if each.bidder == "new" else 0.0, past, "l")[-1] == "new"


@given(st.permutations(["a", "b", "c", "d"]))
def test_s12_equal_bids_are_ranked_the_same_whatever_their_order(order):
    assert ranked([bid(name) for name in order], default_score, {}, "l1") == ranked(
        [bid(name) for name in "abcd"], default_score, {}, "l1"
    )


class Bidding(RuleBasedStateMachine):
    """Anything in any order: at most one award stands, fences rise, and it ends when time goes on."""

    @initialize()
    def begin(self):
        self.now = 0.0
        self.auction = Auction(lot())
        self.effects = list(self.auction.begin())

    @rule(name=st.sampled_from("abcde"), load=st.floats(0, 1))
    def offer(self, name, load):
        self.auction.bid(bid(name, load=load), self.now)

    @rule(seconds=st.floats(0, 8))
    def wait(self, seconds):
        self.now += seconds
        self.effects += self.auction.tick(self.now)

    @rule(name=st.sampled_from("abcde"), fence=st.integers(0, 6), yes=st.booleans())
    def answer(self, name, fence, yes):
        act = self.auction.confirm if yes else self.auction.decline
        self.effects += act(name, fence, self.now)

    @rule(name=st.sampled_from("abcde"))
    def die(self, name):
        self.effects += self.auction.gone(name, self.now)

    @precondition(lambda self: self.now > 5)
    @rule()
    def cancel(self):
        self.effects += self.auction.cancel()

    @invariant()
    def one_award_stands_and_it_ends_once(self):
        if not hasattr(self, "effects"):
            return
        awards = [e for e in self.effects if isinstance(e, Award)]
        assert [award.fence for award in awards] == list(range(1, len(awards) + 1))
        assert len({award.bidder for award in awards}) == len(awards)
        void = sum(isinstance(e, Withdraw) for e in self.effects)
        assert len(awards) - void in (0, 1)
        ended = [e for e in self.effects if isinstance(e, Ended)]
        assert len(ended) <= 1
        if ended and ended[0].stage == "confirmed":
            assert ended[0].winner == awards[-1].bidder and ended[0].fence == awards[-1].fence

    def teardown(self):
        if not hasattr(self, "auction"):
            return
        for _ in range(10):
            deadline = self.auction.next_deadline()
            if deadline is not None:
                self.now = max(self.now, deadline)
                self.effects += self.auction.tick(self.now)
        assert self.auction.next_deadline() is None
        assert isinstance(self.effects[-1], Ended)


Bidding.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestBidding = Bidding.TestCase
