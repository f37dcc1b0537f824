"""The bus between two engines in virtual time: announcements, fates, budgets, and what hostile peers send."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.proto import effects as fx
from covey.proto.bus import frames, words
from covey.proto.bus.engine import BusEngine
from tests.unit.proto.virtual import Mesh

BODY = b'{"id":"0"}'


def two(**options):
    mesh = Mesh()
    hosts = [mesh.host(number, extensions=[BusEngine()], **options) for number in (1, 2)]
    mesh.introduce(*hosts)
    return mesh, *hosts


def tell(mesh, host, what):
    host.feed(fx.Told("bus", what, bytes(32)))
    mesh.settle()


def carry(mesh, host, other, token="m1", body=BODY):
    tell(mesh, host, words.Carry(token, (other.identity.node_id,), "", body))


def said(host, kind):
    return [each.what for each in host.wanted if isinstance(each.what, kind)]


def fates(host):
    return [(fate.token, fate.state, fate.reason) for fate in said(host, words.Fate)]


def raw(mesh, host, other, **frame):
    """Send whatever a peer likes, as one of its frames."""
    peer = host.engine._sessions.peers[other.identity.node_id]
    peer.active.session.send_control(json.dumps({"type": frames.FRAME_TYPE, **frame}).encode())
    host.feed(fx.Timer(bytes(32)))
    host.engine._sessions.touch(peer.active)
    mesh.settle()


def test_what_is_announced_is_known_in_one_piece_however_many_frames_it_takes():
    mesh, a, b = two()
    assert said(b, words.Known)[-1].names == ()
    names = tuple(f"agent-{n}" for n in range(limits.BUS_WHO_ENTRIES + 10))
    tell(mesh, a, words.Announce(names, ("a.>",)))
    known = said(b, words.Known)[-1]
    assert (known.node_id, known.names, known.patterns) == (a.identity.node_id, names, ("a.>",))
    count = len(said(b, words.Known))
    tell(mesh, a, words.Announce(names, ("a.>",)))
    assert len(said(b, words.Known)) == count, "what did not change is not said again"


def test_a_message_is_handed_to_the_shell_and_its_answer_is_its_fate():
    mesh, a, b = two()
    carry(mesh, a, b)
    (heard,) = said(b, words.Heard)
    assert (heard.node_id, heard.message) == (a.identity.node_id, {"id": "0"})
    assert fates(a) == [("m1", "accepted", "")]
    tell(mesh, b, words.Answer(heard.node_id, heard.seq, "executed"))
    tell(mesh, b, words.Answer(heard.node_id, heard.seq, "refused", "full"))
    assert fates(a) == [("m1", "accepted", ""), ("m1", "executed", "")]


def test_nobody_answers_in_time_or_the_session_breaks_and_the_fate_is_unknown():
    mesh, a, b = two()
    carry(mesh, a, b)
    mesh.advance(limits.BUS_TAKEN_SECONDS + 1)
    assert fates(a)[-1] == ("m1", "unknown", "no-answer")
    carry(mesh, a, b, "m2")
    b.feed(fx.Shutdown())
    mesh.settle()
    assert fates(a)[-1] == ("m2", "unknown", "session-lost")
    assert said(a, words.Gone)[-1].node_id == b.identity.node_id
    carry(mesh, a, b, "m3")
    assert fates(a)[-1] == ("m3", "refused", "not-here")


def test_a_peer_that_speaks_past_its_budget_is_refused_told_and_logged_once():
    mesh, a, b = two()
    extra = 20
    for number in range(limits.BUS_PEER_MESSAGES_BURST + extra):
        carry(mesh, a, b, f"m{number}")
        heard = said(b, words.Heard)
        if len(heard) > number:
            tell(mesh, b, words.Answer(heard[-1].node_id, heard[-1].seq, "executed"))
    refused = [fate for fate in fates(a) if fate[1] == "refused"]
    assert refused and {reason for _, _, reason in refused} == {"over-budget"}
    assert b.counts["bus.refused.over-budget"] == len(refused)
    assert [log.facts["reason"] for log in b.logs if log.event == "bus-refused"] == ["over-budget"]
    mesh.advance(5)
    carry(mesh, a, b, "later")
    assert len(said(b, words.Heard)) > len(heard)


def test_a_stranger_is_neither_known_nor_heard_and_hears_so():
    mesh, a, b = two()
    b.engine._sessions._trust.heeds = lambda *_, **__: False
    known = len(said(b, words.Known))
    tell(mesh, a, words.Announce(("ann",), ()))
    carry(mesh, a, b)
    assert (len(said(b, words.Known)), said(b, words.Heard)) == (known, [])
    assert fates(a)[-1] == ("m1", "refused", "stranger")


def test_who_announces_without_end_is_not_remembered():
    mesh, a, b = two()
    known = len(said(b, words.Known))
    for part in range(limits.BUS_ANNOUNCED // limits.BUS_WHO_ENTRIES + 1):
        names = [f"n{part}-{n}" for n in range(limits.BUS_WHO_ENTRIES)]
        raw(mesh, a, b, op="who", serial=99, names=names, patterns=[], more=True)
    raw(mesh, a, b, op="who", serial=99, names=[], patterns=[], more=False)
    assert b.counts["bus.refused.announced"] >= 1
    assert len(said(b, words.Known)[known:]) <= 1
    assert all(len(each.names) <= limits.BUS_ANNOUNCED for each in said(b, words.Known))


@pytest.mark.parametrize(
    "frame",
    [
        {"op": "love"},
        {"op": "message", "seq": 1, "topic": "", "message": []},
        {"op": "message", "seq": -1, "topic": "", "message": {}},
        {"op": "taken", "seq": 1, "state": "loved", "reason": ""},
        {"op": "taken", "seq": 1, "state": "executed", "reason": "A B"},
        {"op": "who", "serial": 1, "names": [""], "patterns": [], "more": False},
        {"op": "who", "serial": 1, "names": [], "patterns": [], "more": 0},
        {"op": "who", "serial": 1, "names": [], "patterns": [], "more": False, "extra": 1},
    ],
)
def test_a_frame_that_is_none_is_counted_and_changes_nothing(frame):
    mesh, a, b = two()
    before = list(b.wanted)
    raw(mesh, a, b, **frame)
    assert b.counts[f"frames.refused.{frames.FRAME_TYPE}"] == 1
    assert b.wanted == before


def test_an_answer_to_what_was_never_sent_or_went_to_somebody_else_says_nothing():
    mesh, a, b = two()
    raw(mesh, b, a, op="taken", seq=7, state="executed", reason="")
    assert fates(a) == []


@given(st.binary(max_size=200))
def test_whatever_bytes_are_read_or_refused(data):
    with pytest.raises(frames.BadFrameError):
        frames.read(data)


MEMBERS = ["type", "op", "serial", "names", "patterns", "more", "seq", "topic", "message", "state"]
VALUES = st.none() | st.integers() | st.booleans() | st.text(max_size=5) | st.lists(st.text(max_size=3))


@given(st.dictionaries(st.sampled_from(MEMBERS), VALUES))
def test_whatever_object_is_read_or_refused(value):
    try:
        found = frames.read(json.dumps(value).encode())
    except frames.BadFrameError:
        return
    assert isinstance(found, frames.Who | frames.Sent | frames.Taken)
