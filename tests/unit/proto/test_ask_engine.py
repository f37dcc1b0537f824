"""Questions between two engines in virtual time: who is asked, who declines, and what hostile peers send."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.model import Payload, Proposal
from covey.proto import effects as fx
from covey.proto.ask import frames, words
from covey.proto.ask.engine import AskEngine
from tests.unit.proto.virtual import Mesh, node_id

TEXT = "which frames does the parser drop?"
KEY = frames.key_of(TEXT)


def two(**options):
    mesh = Mesh()
    hosts = [mesh.host(number, extensions=[AskEngine()], **options) for number in (1, 2)]
    mesh.introduce(*hosts)
    return mesh, *hosts


def tell(mesh, host, what):
    host.feed(fx.Told("ask", what, bytes(32)))
    mesh.settle()


def put(mesh, host, text=TEXT):
    tell(mesh, host, words.Put(frames.key_of(text), text, 5_000))


def said(host, kind):
    return [each.what for each in host.wanted if isinstance(each.what, kind)]


def raw(mesh, host, other, frame):
    peer = host.engine._sessions.peers[other.identity.node_id]
    peer.active.session.send_control(frame)
    host.feed(fx.Timer(bytes(32)))
    host.engine._sessions.touch(peer.active)
    mesh.settle()


def test_everybody_who_is_there_is_asked_and_may_decline():
    mesh, a, b = two()
    put(mesh, a)
    assert [(each.node_id, each.state) for each in said(a, words.Asked)[-1].there] == [
        (b.identity.node_id, "asked")
    ]
    (question,) = said(b, words.Question)
    assert (question.node_id, question.key, question.text) == (a.identity.node_id, KEY, TEXT)
    tell(mesh, b, words.Decline(a.identity.node_id, KEY, "no-grounding"))
    assert said(a, words.Declined) == [words.Declined(b.identity.node_id, KEY, "no-grounding")]


def test_a_contribution_is_an_addressed_record_and_wakes_nobody_else():
    mesh, a, b = two()
    application = Payload("application/json", words.CONTRIBUTION_SCHEMA, b"{}")
    proposal = Proposal({"focus": "it drops"}, (), a.identity.node_id, 5.0, application)
    b.feed(fx.Emit(mesh.token(), proposal))
    mesh.settle()
    (came,) = said(a, words.Contributed)
    assert came.record.node_id == b.identity.node_id and came.heeded
    assert not [news for news in a.news if type(news).__name__ == "Delivered"]


def test_who_leaves_is_told_of():
    mesh, a, b = two()
    b.feed(fx.Shutdown())
    mesh.settle()
    assert said(a, words.Gone) == [words.Gone(b.identity.node_id)]


def test_a_strangers_question_is_declined_and_a_stranger_is_not_asked():
    mesh = Mesh()
    a, b = (mesh.host(number, extensions=[AskEngine()]) for number in (1, 2))
    a.loopback = b.loopback = False
    mesh.introduce(a, b)
    put(mesh, a)
    assert said(a, words.Asked)[-1].there[0].state == "unheeded"
    assert not said(b, words.Question)
    raw(mesh, a, b, frames.write_ask(frames.Ask(KEY, TEXT, 1000)))
    assert not said(b, words.Question)
    assert said(a, words.Declined)[-1].reason == "stranger"


def test_a_trusted_peer_of_another_machine_is_asked_and_contributes_itself():
    mesh = Mesh()
    trusted = frozenset({node_id(1), node_id(2)})
    a, b = (mesh.host(number, extensions=[AskEngine()], trusted=trusted) for number in (1, 2))
    a.loopback = b.loopback = False
    mesh.introduce(a, b)
    put(mesh, a)
    assert said(a, words.Asked)[-1].there[0].state == "asked"
    (question,) = said(b, words.Question)
    application = Payload("application/json", words.CONTRIBUTION_SCHEMA, b"{}")
    b.feed(fx.Emit(mesh.token(), Proposal({"focus": "it drops"}, (), question.node_id, 5.0, application)))
    mesh.settle()
    assert said(a, words.Contributed)[-1].heeded


def test_a_peer_that_asks_without_end_hears_that_it_is_too_much():
    mesh, a, b = two()
    most = int(limits.ASKED_BURST)
    for number in range(most + 3):
        put(mesh, a, f"question number {number}?")
    assert len(said(b, words.Question)) == most
    assert [each.reason for each in said(a, words.Declined)] == ["busy"] * 3
    mesh.advance(1.5 / limits.ASKED_PER_SECOND)
    put(mesh, a, "one more?")
    assert len(said(b, words.Question)) == most + 1


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"kind": "order"}, "kind"),
        ({"key": "cmb-x"}, "key"),
        ({"key": "cmb-" + "0" * 64}, "other-key"),
        ({"text": ""}, "text"),
        ({"text": "x" * (limits.ASK_QUESTION_CHARS + 1)}, "text"),
        ({"within_ms": 0}, "within"),
        ({"within_ms": True}, "within"),
        ({"within_ms": 10**9}, "within"),
        ({"kind": "silent", "reason": "say what I want"}, "reason"),
    ],
)
def test_what_is_no_frame_is_counted_and_nothing_else(change, word):
    mesh, a, b = two()
    frame = {"type": frames.FRAME_TYPE, "kind": "ask", "key": KEY, "text": TEXT, "within_ms": 1000, **change}
    raw(mesh, a, b, json.dumps(frame).encode())
    assert b.counts[f"ask.refused.{word}"] == 1
    assert not said(b, words.Question) and not said(b, words.Declined)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_frame_or_refused(data):
    try:
        frames.read(data)
    except frames.BadFrameError as error:
        assert str(error)


@given(st.text(max_size=300), st.integers(1, 120_000))
def test_what_is_written_is_read(text, within):
    if frames.problem(text) is None:
        ask = frames.Ask(frames.key_of(text), text, within)
        assert frames.read(frames.write_ask(ask)) == ask
