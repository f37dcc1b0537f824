"""Moods by themselves: sealed, to who is there and understands them; never to a stock peer, never kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.proto import effects as fx
from covey.proto import news as nw
from covey.proto.mood import Moods, Said, Say, Told, frame_of, problem
from tests.unit.proto.puppet_peer import PuppetPeer
from tests.unit.proto.test_legacy_profile import Room
from tests.unit.proto.virtual import Host, Mesh, node_id


def say(host: Host, mood: str, context: str | None = None) -> Said:
    before = len(host.wanted)
    host.feed(fx.Told("mood", Say(7, mood, context), b"e" * 32))
    host.mesh.settle()
    (answer,) = host.wanted[before:]
    assert isinstance(answer.what, Said) and answer.what.token == 7
    return answer.what


def three() -> tuple[Host, Host, Host]:
    mesh = Mesh()
    hosts = mesh.host(1, extensions=(Moods(),)), mesh.host(2), mesh.host(3)
    mesh.introduce(*hosts)
    return hosts


def test_the_bytes_of_the_frame_are_those_of_the_published_vector() -> None:
    told = '{"type":"mood","mood":"calm, focused","context":null,"timestamp":1786611600000}'
    assert frame_of("calm, focused", None, 1_786_611_600_000) == told.encode()


def test_everybody_who_is_there_hears_it_once_and_nobody_keeps_it() -> None:
    one, two, three_ = three()
    said = say(one, "tired", "the third review")
    assert said.told == (Told(node_id(2), "peer-2", "sent"), Told(node_id(3), "peer-3", "sent"))
    one.mesh.advance(60)
    for host in (two, three_):
        (heard,) = host.told(nw.MoodHeard)
        assert (heard.from_node_id, heard.from_name) == (node_id(1), "peer-1")
        assert (heard.mood, heard.context) == ("tired", "the third review")
        assert host.keys == set() and host.told(nw.Judged) == []
    assert one.told(nw.MoodHeard) == [], "nobody passes it on, nor back"
    late = one.mesh.host(4)
    one.mesh.introduce(one, late)
    assert late.names() == ["peer-1"] and late.told(nw.MoodHeard) == []


def test_it_travels_sealed_and_names_no_sender() -> None:
    mesh = Mesh()
    host = mesh.host(1, extensions=(Moods(),))
    puppet = PuppetPeer(mesh, host, 2)
    say(host, "calm")
    controls = [each for each in puppet.heard() if each["type"] == "mood"]
    assert controls == [{"type": "mood", "mood": "calm", "context": None, "timestamp": mesh.now().wall_ms}]


def test_a_stock_peer_is_never_told_one() -> None:
    room = Room(extensions=(Moods(),))
    assert [peer.name for peer in room.engine.peers()] == ["stock"]
    before = len(room.heard)
    room.feed(fx.Told("mood", Say(1, "calm"), b"e" * 32))
    (answer,) = room.wanted
    assert answer.what == Said(1, (), at_ms=answer.what.at_ms)
    assert len(room.heard) == before, "not a byte"


def test_who_reads_too_slowly_is_not_told_and_the_answer_says_so() -> None:
    one, two, _ = three()
    link = next(link for link, end in one.ends.items() if end.other is not None and end.other.host is two)
    one.feed(fx.LinkFull(link, True))
    assert [told.state for told in say(one, "tired").told] == ["unsent", "sent"]
    one.feed(fx.LinkFull(link, False))
    one.mesh.settle()
    assert two.told(nw.MoodHeard) == []


def test_moods_have_a_pace_at_who_says_them() -> None:
    one, two, _ = three()
    said = [say(one, f"mood {number}") for number in range(limits.MOODS_BURST + 1)]
    assert [each.refused for each in said[:-1]] == [None] * limits.MOODS_BURST
    assert said[-1].refused == "a mood is said 1 times a second at most" and said[-1].told == ()
    one.mesh.advance(1)
    assert say(one, "calm again").refused is None
    assert len(two.told(nw.MoodHeard)) == limits.MOODS_BURST + 1
    assert one.counts["moods.refused"] == 1


def test_moods_have_a_pace_at_who_hears_them() -> None:
    mesh = Mesh()
    host = mesh.host(1)
    puppet = PuppetPeer(mesh, host, 2)
    for number in range(limits.MOODS_BURST + 5):
        puppet.say({"type": "mood", "mood": f"mood {number}"})
    assert len(host.told(nw.MoodHeard)) == limits.MOODS_BURST
    assert host.counts["moods.dropped.pace"] == 5
    assert host.names() == ["peer-2"]


@pytest.mark.parametrize(
    ("mood", "context", "why"),
    [
        ("", None, "a mood is not empty: neutral says that there is none"),
        ("  ", None, "a mood is not empty: neutral says that there is none"),
        ("m" * 1_025, None, "mood: longer than 1,024 characters"),
        ("calm", "c" * 4_097, "context: longer than 4,096 characters"),
        ("calm \ud800", None, "mood: no valid Unicode"),
    ],
)
def test_what_no_frame_may_hold_is_refused_with_its_reason(mood: str, context: str | None, why: str) -> None:
    one, two, _ = three()
    assert say(one, mood, context) == Said(7, refused=why)
    assert two.told(nw.MoodHeard) == []


@given(st.text(max_size=1_100), st.none() | st.text(max_size=50))
def test_whatever_may_be_said_is_read_by_the_native_schema(mood: str, context: str | None) -> None:
    if problem(mood, context) is not None:
        return
    frame: dict[str, Any] = json.loads(frame_of(mood, context, 1))
    one, two = _pair()
    said = say(one, mood, context)
    assert said.refused is None
    (heard,) = two.told(nw.MoodHeard)
    assert (heard.mood, heard.context) == (frame["mood"], frame["context"] or "")


def _pair() -> tuple[Host, Host]:
    mesh = Mesh()
    one, two = mesh.host(1, extensions=(Moods(),)), mesh.host(2)
    mesh.introduce(one, two)
    return one, two
