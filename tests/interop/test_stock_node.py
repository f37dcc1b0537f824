"""Two-way exchange with a stock Node peer 0.12, where one is on this machine; else a visible skip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from covey import _core
from tests.interop.stock import StockNode, Wire, reference, stock_node


@pytest.fixture
def stock(tmp_path: Path) -> Iterator[StockNode]:
    """Run a stock peer."""
    with stock_node(reference(), tmp_path / "home") as node:
        yield node


@pytest.fixture
def wire(stock: StockNode) -> Iterator[Wire]:
    """Connect to it as a peer it has never met."""
    identity = _core.Identity("018f47a0-7b21-7abc-8def-111111111111", "covey", os.urandom(32))
    session = _core.LegacySession.client(
        identity,
        room="default",
        secret=os.urandom(32),
        entropy=os.urandom(32),
        expect_node_id=stock.node_id,
    )
    wire = Wire(identity, session, stock.connect())
    claimed = wire.hear(_core.LegacyClaimed)
    assert (claimed.peer.node_id, claimed.peer.name, claimed.peer.seals) == (stock.node_id, "stock", True)
    assert stock.wait("joined")["id"] == identity.node_id
    yield wire
    wire.close()


def test_a_stock_peer_verifies_what_we_say(stock: StockNode, wire: Wire) -> None:
    broadcast = wire.say("the build is red")
    accepted = stock.wait("accepted")
    assert (accepted["key"], accepted["verified"], accepted["directed"]) == (broadcast.key, True, False)
    assert "focus: the build is red" in accepted["content"]
    directed = wire.say("a word for one", to=stock.node_id)
    accepted = stock.wait("accepted")
    assert (accepted["key"], accepted["verified"], accepted["directed"]) == (directed.key, True, True)


def test_we_verify_what_a_stock_peer_says(stock: StockNode, wire: Wire) -> None:
    stock.begin("remember", categories={"focus": "it was the cache", "mood": "relieved"})
    (heard,) = wire.hear(_core.LegacyRecords).records
    assert stock.wait("done")["key"] == heard.key == heard.content_key
    assert (heard.standing, heard.scheme, heard.author, heard.directed) == (
        "signed",
        "block-v2",
        "stock",
        False,
    )
    assert (heard.categories["focus"], heard.categories["mood"]) == ("it was the cache", "relieved")
    stock.begin("remember", categories={"focus": "only for you"}, to=wire.identity.node_id)
    (heard,) = wire.hear(_core.LegacyRecords).records
    assert (heard.directed, heard.categories["focus"]) == (True, "only for you")


def test_an_answer_to_a_stock_peer_is_not_dropped_as_its_echo(stock: StockNode, wire: Wire) -> None:
    asked = stock.do("remember", categories={"focus": "why is it red?"})["key"]
    (heard,) = wire.hear(_core.LegacyRecords).records
    assert heard.key == asked
    # Directed: a stock peer shows it whatever its admission says, but for an echo, which it never shows.
    answer = wire.say("because of the cache", to=stock.node_id, parents=(asked,))
    accepted = stock.wait("accepted")
    assert (accepted["key"], accepted["verified"]) == (answer.key, True)


def test_fetches_are_answered_both_ways(stock: StockNode, wire: Wire) -> None:
    kept = stock.do("remember", categories={"focus": "kept for later"})["key"]
    wire.session.send_fetch("cf-1", kept, now_ms=1)
    wire.flush()
    fetched = wire.hear(_core.LegacyFetched)
    assert fetched.record is not None
    assert (fetched.key, fetched.record.standing) == (kept, "signed")
    assert fetched.record.categories["focus"] == "kept for later"

    own = wire.sign("ours, for the asking")
    missing = "cmb-" + "0" * 64
    for key, record in ((missing, None), (own.key, own)):
        stock.begin("fetch", key=key)
        asked = wire.hear(_core.LegacyFetch)
        wire.session.send_fetched(asked.request_id, asked.key, record, now_ms=2)
        wire.flush()
        assert stock.wait("done")["found"] is (record is not None)


def test_what_was_said_before_we_met_is_heard_as_context(stock: StockNode) -> None:
    before = stock.do("remember", categories={"focus": "said to nobody yet"})["key"]
    identity = _core.Identity("018f47a0-7b21-7abc-8def-222222222222", "late", os.urandom(32))
    session = _core.LegacySession.client(
        identity, room="default", secret=os.urandom(32), entropy=os.urandom(32)
    )
    late = Wire(identity, session, stock.connect())
    late.hear(_core.LegacyClaimed)
    (heard,) = late.hear(_core.LegacyRecords).records
    assert (heard.key, heard.anchor, heard.standing) == (before, True, "signed")
    own = late.sign("ours from before", to=None)
    late.session.send_record(own, anchor=True)
    late.flush()
    accepted = stock.wait("accepted")
    assert (accepted["key"], accepted["verified"]) == (own.key, True)
    late.close()


def test_a_stock_peer_dials_us_and_is_answered(stock: StockNode) -> None:
    # The smaller node id dials: this one is larger than any that a clock gives.
    identity = _core.Identity("ffffffff-7b21-7abc-8def-111111111111", "listener", os.urandom(32))
    with stock.dialling(identity.node_id, "listener") as connection:
        session = _core.LegacySession.server(
            identity, room="default", secret=os.urandom(32), entropy=os.urandom(32)
        )
        wire = Wire(identity, session, connection)
        assert wire.hear(_core.LegacyClaimed).role == "server"
        wire.flush()
        assert stock.wait("joined")["id"] == identity.node_id
        directed = wire.say("you called?", to=stock.node_id)
        accepted = stock.wait("accepted")
        assert (accepted["key"], accepted["verified"]) == (directed.key, True)


def test_a_stock_peer_survives_us_and_we_survive_its_mood(stock: StockNode, wire: Wire) -> None:
    with pytest.raises(_core.CoreError, match="forbidden_inner"):
        wire.session.send_control("mood")
    wire.session.send_control("ping")
    wire.flush()
    assert wire.hear(_core.Control).type == "pong"
    stock.begin("mood", mood="tired")
    assert wire.hear(_core.Control).type == "mood"
    stock.wait("done")
    wire.say("still here", to=stock.node_id)
    stock.wait("accepted")
    assert stock.stop() == 0
