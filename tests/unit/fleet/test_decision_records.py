"""Records of decisions read what they write, and anything else is a typed refusal."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import _core
from covey.fleet import auction_record as ar
from covey.fleet import signed_word as sw
from covey.fleet import vote_record as vr
from covey.fleet.auction import Bid, Lot
from covey.fleet.auction_record import AuctionError, AuctionRecord
from covey.fleet.signed_word import WordError
from covey.fleet.vote import STATEMENT, Ballot, Question, VoteError, count

ANN = _core.Identity("01900000-0000-7000-8000-000000000001", "ann", hashlib.sha256(b"ann").digest())
BOB = _core.Identity("01900000-0000-7000-8000-000000000002", "bob", hashlib.sha256(b"bob").digest())
KEYS = {each.node_id: each.public_key for each in (ANN, BOB)}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def vote():
    question = Question("0" * 12, "?", ("yes", "no"), (ANN.node_id, BOB.node_id), 1_000, 1, 0, "by-hash")
    unsigned = Ballot(question.digest(), BOB.node_id, "yes")
    ballot = Ballot(unsigned.vote, unsigned.voter, "yes", BOB.sign_statement(STATEMENT, unsigned.body()))
    record = vr.VoteRecord(count(question, [ballot]), ANN.node_id, (), 5, "ab")
    return vr.close(ANN, record)


def auction():
    lot = Lot("0" * 12, "task", frozenset({"x"}), 1.0, 5.0, None)
    digest = ar.lot_digest(lot)
    bid = Bid(BOB.node_id, frozenset({"x"}), 0.5)
    words = (
        sw.say(BOB, "bid", ANN.node_id, ar.bid_body(bid, digest)),
        sw.say(ANN, "award", BOB.node_id, {"lot": digest, "fence": 1}),
        sw.say(BOB, "confirm", ANN.node_id, {"lot": digest, "fence": 1}),
    )
    record = AuctionRecord(lot, ANN.node_id, words, "confirmed", BOB.node_id, 1, {BOB.node_id: 1.5})
    return ar.close(ANN, record)


KINDS = {
    "vote": (vote, vr.read_record, vr.check, VoteError),
    "auction": (auction, ar.read_record, ar.check, AuctionError),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_and_holds(kind):
    make, read, check, _ = KINDS[kind]
    again = read(json.loads(json.dumps(make().to_dict())))
    assert again == make() and check(again, KEYS.get).holds
    assert not check(again, {}.get).holds, "without keys nothing is proved"


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_s11_s12_whatever_stands_in_a_record_is_read_or_refused_and_no_change_of_it_holds(kind, data):
    make, read, check, refused = KINDS[kind]
    whole = make().to_dict()
    place, value = data.draw(st.sampled_from(sorted(whole))), data.draw(JSON)
    try:
        record = read({**whole, place: value})
    except refused:
        return
    if record != make():
        assert not check(record, KEYS.get).holds


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_that_is_no_unicode_is_refused(kind):
    make, read, _, refused = KINDS[kind]
    whole = make().to_dict()
    about = "question" if kind == "vote" else "lot"
    with pytest.raises(refused, match="no Unicode"):
        read({**whole, about: {**whole[about], "id": "\ud800"}})


@given(JSON)
def test_whatever_a_word_is_it_is_read_or_refused(value):
    good = sw.say(ANN, "bid", BOB.node_id, {"a": 1}).to_dict()
    assert sw.holds(sw.read(good), ANN.public_key)
    for place in good:
        try:
            word = sw.read({**good, place: value})
        except WordError:
            continue
        assert sw.holds(word, ANN.public_key) == ({**good, place: value} == good)
