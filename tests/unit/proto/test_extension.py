"""Conversations plugged into the engine: offered, spoken only where both offered, bounded, timed."""

import json

import pytest

from covey.model import Minted
from covey.proto import effects as fx
from covey.proto.extension import Extensions
from covey.proto.turn import Turn
from tests.unit.proto.virtual import Mesh, identity


class Echo:
    """Says back what it hears, once."""

    def __init__(self, token="x-covey-echo-v1"):
        self.name = "echo"
        self.token = token
        self.frames = frozenset({"x-covey-echo", "x-covey-echo-back"})
        self.seen = []

    def attach(self, host):
        self.host = host

    def started(self, turn):
        self.seen.append("started")

    def joined(self, peer, turn):
        self.seen.append(("joined", peer.node_id))

    def heard(self, peer, kind, frame, turn):
        said = json.loads(frame)["text"]
        self.seen.append((kind, said))
        if kind == "x-covey-echo":
            self.say(peer.node_id, said, turn, kind="x-covey-echo-back")

    def left(self, peer, turn):
        self.seen.append(("left", peer.node_id))

    def due(self, whom, turn):
        self.seen.append(("due", whom))
        self.host.want(whom, turn)

    def told(self, what, turn):
        node_id, text = what
        self.seen.append(("sent", self.say(node_id, text, turn)))
        self.host.timer(text, turn.now.monotonic + 5)

    def say(self, node_id, text, turn, kind="x-covey-echo"):
        return self.host.send(node_id, json.dumps({"type": kind, "text": text}).encode(), turn)


def two(other_token="x-covey-echo-v1"):
    mesh = Mesh()
    one, other = Echo(), Echo(other_token)
    hosts = mesh.host(1, extensions=[one]), mesh.host(2, extensions=[other])
    mesh.introduce(*hosts)
    mesh.settle()
    return mesh, hosts, one, other


def tell(mesh, host, what, name="echo"):
    host.feed(fx.Told(name, what, bytes(32)))
    mesh.settle()


def test_frames_reach_the_extension_of_the_other_side_and_come_back():
    mesh, (a, b), one, other = two()
    assert one.seen == ["started", ("joined", b.identity.node_id)]
    tell(mesh, a, (b.identity.node_id, "hello"))
    assert other.seen[-1] == ("x-covey-echo", "hello")
    assert one.seen[-2:] == [("sent", True), ("x-covey-echo-back", "hello")]
    assert a.counts["extensions.echo.sent"] == b.counts["extensions.echo.sent"] == 1


def test_a_peer_that_did_not_offer_the_token_is_not_spoken_to_and_not_listened_to():
    mesh, (a, b), one, other = two("x-covey-else-v1")
    assert one.seen == ["started"]
    tell(mesh, a, (b.identity.node_id, "hello"))
    assert one.seen[-1] == ("sent", False)
    assert a.counts["extensions.echo.unsent"] == 1
    assert other.seen == ["started"]


def test_a_deadline_comes_back_to_who_set_it_and_may_ask_the_shell():
    mesh, (a, b), one, _ = two()
    tell(mesh, a, (b.identity.node_id, "later"))
    mesh.advance(6)
    assert one.seen[-1] == ("due", "later")
    assert a.wanted == [fx.Want("echo", "later")]


def test_the_last_session_of_a_peer_ends_its_conversation():
    mesh, (a, b), one, _ = two()
    b.feed(fx.Shutdown())
    mesh.settle()
    assert one.seen[-1] == ("left", b.identity.node_id)
    tell(mesh, a, (b.identity.node_id, "anybody?"))
    assert one.seen[-1] == ("sent", False)


def test_what_is_sent_beside_goes_on_every_path_but_the_one_that_carries_records():
    mesh, (_, b), one, _ = two()
    host, peer = one.host, one.host.peer(b.identity.node_id)
    frame = json.dumps({"type": "x-covey-echo-back", "text": "x"}).encode()
    turn = Turn(mesh.now(), bytes(32))
    assert host.send(b.identity.node_id, frame, turn, beside=True) is False
    carrying, peer.active = peer.active, None
    assert host.send(b.identity.node_id, frame, turn) is False
    assert host.send(b.identity.node_id, frame, turn, beside=True) is True
    peer.active = carrying


def test_what_is_said_to_nobody_is_counted():
    mesh, (a, _), _, _ = two()
    tell(mesh, a, "x", name="nobody")
    assert a.counts["extensions.unknown"] == 1


def test_two_extensions_cannot_claim_one_frame():
    with pytest.raises(ValueError, match="claim"):
        Extensions([Echo(), Echo()])


def test_an_extension_of_standard_frames_needs_no_token():
    assert Extensions([Echo(None)]).tokens == ()
    assert identity(1).node_id


def test_a_record_that_an_extension_sends_needs_credit_like_any_other():
    mesh, (a, b), one, _ = two()
    result = a.emit("said before")
    assert isinstance(result, Minted)
    record = a.records[result.block.key]
    turn = Turn(mesh.now(), b"")
    (link,) = a.engine._sessions.links.values()
    spending = link.credit.spending
    before = spending.sent.records
    assert one.host.send_record(b.identity.node_id, record, turn)
    assert spending.sent.records == before + 1
    spending.spend(spending.left()[0], 0)
    assert not one.host.send_record(b.identity.node_id, record, turn)
