"""Error codes 1001 to 1011 and 2001 (§7.2, update 1): what covey does when one comes, and when it says one.

A sealed 1001 or 1003 to 1010 ends the session, everything else informs; in the clear only 1011 on a relay
counts. A failed handshake says nothing, whatever its code would be.
"""

from __future__ import annotations

from typing import Any

import pytest

from covey import limits
from covey.proto import effects as fx
from covey.proto import news as nw
from covey.proto.relay import client as rc
from tests.unit.proto.puppet_peer import PuppetPeer
from tests.unit.proto.virtual import Host, Mesh, identity, node_id
from tests.unit.proto.virtual_relay import RelayedMesh

ENDING = (1001, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010)
INFORMING = (1000, 1002, 1011, 1012, 2001, 9999)


def met(**options: Any) -> tuple[Mesh, Host, PuppetPeer]:
    mesh = Mesh()
    host = mesh.host(1, **options)
    return mesh, host, PuppetPeer(mesh, host, 2)


def error(code: int) -> dict[str, Any]:
    return {"type": "error", "code": code, "message": "for the test"}


@pytest.mark.parametrize("code", ENDING)
def test_a_sealed_error_of_these_codes_ends_the_session(code: int) -> None:
    _, host, puppet = met()
    puppet.say(error(code))
    assert host.names() == []
    (left,) = host.told(nw.PeerLeft)
    assert left.reason == ("peer_closed" if code == 1010 else "peer_error")


@pytest.mark.parametrize("code", INFORMING)
def test_every_other_sealed_error_informs_and_ends_nothing(code: int) -> None:
    _, host, puppet = met()
    puppet.say(error(code))
    puppet.say({"type": "ping"})
    assert host.names() == ["peer-2"]
    assert [frame["type"] for frame in puppet.heard()][-1] == "pong"


@pytest.mark.parametrize("code", [*ENDING, *INFORMING])
def test_an_error_in_the_clear_changes_nothing(code: int) -> None:
    _, host, puppet = met()
    puppet.give(error(code))
    puppet.say({"type": "ping"})
    assert host.names() == ["peer-2"] and puppet.heard()[-1]["type"] == "pong"


@pytest.mark.parametrize("code", [999, 10_000, 1000.5, "1001", None, True])
def test_a_code_outside_its_schema_is_refused(code: object) -> None:
    _, host, puppet = met()
    puppet.say({"type": "error", "code": code, "message": "x"})
    assert host.names() == ["peer-2"] and host.counts["frames.refused.malformed_control"] == 1


def test_1001_another_version_fails_the_handshake_in_silence() -> None:
    mesh = Mesh()
    host = mesh.host(1)
    puppet = PuppetPeer(mesh, host, 2, protocolVersion="1.1")
    assert (puppet.raw, puppet.closed) == ([], True)
    assert host.counts["handshakes.failed.version_mismatch"] == 1


def test_1002_is_never_said_for_no_vector_is_ever_taken() -> None:
    _, host, puppet = met()
    record = puppet.record("with a vector")
    record["categories"]["focus"]["vector"] = [1.0]
    puppet.give(puppet.puppet.record(record))
    assert host.names() == ["peer-2"] and puppet.errors() == []


def test_1003_a_frame_that_is_too_large_ends_the_session_and_says_so() -> None:
    mesh, host, puppet = met()
    length = (limits.FRAME_BYTES + 1).to_bytes(4, "big")
    host.feed(fx.LinkData(puppet.link, length, mesh.entropy(32)))
    mesh.settle()
    assert puppet.errors() == [1003] and host.names() == []


def test_1004_a_handshake_that_takes_too_long_is_closed_in_silence() -> None:
    mesh = Mesh()
    host = mesh.host(1)
    host.feed(fx.LinkOpened(1000, True, "127.0.0.1:7", True, mesh.entropy(64)))
    mesh.settle()
    mesh.advance(limits.HANDSHAKE_SECONDS + 1)
    assert host.counts["handshakes.failed.timeout"] == 1


def test_1005_is_never_said_for_a_second_session_of_one_identity_is_elected() -> None:
    mesh, host, first = met()
    second = PuppetPeer(mesh, host, 2, link=1002)
    mesh.advance(limits.RETIRE_SERVER_SECONDS + 1)
    assert 1005 not in first.errors() + second.errors() and host.names() == ["peer-2"]
    assert sorted([first.errors(), second.errors()]) == [[], [1010]], "one of the two stays"


def test_1006_who_is_not_admitted_hears_so() -> None:
    _, host, puppet = met(trust="strict")
    assert puppet.errors() == [1006] and host.names() == []


def test_1007_another_room_fails_the_handshake_in_silence() -> None:
    mesh = Mesh()
    host = mesh.host(1)
    puppet = PuppetPeer(mesh, host, 2, room="elsewhere")
    assert (puppet.raw, puppet.closed) == ([], True)
    assert host.counts["handshakes.failed.room_mismatch"] == 1


def test_1008_is_never_said_for_a_replay_is_discarded() -> None:
    _, host, puppet = met()
    frame = puppet.puppet.control({"type": "ping"})
    puppet.give(frame, frame)
    assert host.names() == ["peer-2"] and puppet.errors() == []


def test_1009_another_key_hears_so_and_who_hears_it_dials_no_more() -> None:
    mesh, host, _ = met()
    assert PuppetPeer(mesh, host, 2, link=1002, seed=b"\x55" * 32).errors() == [1009]
    mesh = Mesh()
    one, other = mesh.host(1), mesh.host(3)
    other.engine.intake.bind(node_id(1), identity(5).public_key)
    mesh.introduce(one, other)
    assert one.names() == [] and one.counts["sessions.closed.peer_error"] == 1
    dials = one.counts["dials.started"]
    mesh.advance(600)
    assert one.counts["dials.started"] == dials, "the conflict does not go away by asking again"


def test_1010_a_gap_ends_the_session_and_says_so() -> None:
    _, host, puppet = met()
    puppet.give(puppet.puppet.control({"type": "ping"}, sequence=7))
    assert puppet.errors() == [1010] and host.names() == []


def test_1010_who_stops_says_goodbye() -> None:
    mesh, host, puppet = met()
    host.feed(fx.Shutdown())
    mesh.settle()
    mesh.advance(limits.DRAIN_SECONDS + 1)
    assert puppet.errors() == [1010] and host.stopped


def test_1011_is_said_in_the_clear_through_a_relay_and_acted_on_by_the_client_alone() -> None:
    mesh = RelayedMesh()
    one, two = mesh.host(1), mesh.host(2)
    sealed = b'{"type":"cmb-encrypted","sessionId":"' + b"ab" * 16 + b'"}'
    for _ in range(20):
        two.feed(fx.Relayed(0, rc.Arrived(node_id(3), "cmb-encrypted", "ab" * 16, sealed), mesh.entropy(32)))
    mesh.settle()
    assert two.counts["relay.unknown_session.answered"] == 1, "at most one a second for one sender"
    assert two.counts["relay.unknown_session.unanswered"] == 19
    named = b'{"type":"error","code":1011,"message":"x","detail":"session:' + b"cd" * 16 + b'"}'
    for host, other in ((one, node_id(2)), (two, node_id(1))):
        host.feed(fx.Relayed(0, rc.Arrived(other, "error", None, named), mesh.entropy(32)))
    mesh.settle()
    assert one.counts["relay.errors.ignored"] == two.counts["relay.errors.ignored"] == 1
    assert one.names() == ["peer-2"], "a session that is not ours is nobody's to end"
