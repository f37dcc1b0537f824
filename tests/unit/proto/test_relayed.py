"""Peers that meet through relays: one peer whatever the paths; nothing lost, nothing twice when one ends."""

from __future__ import annotations

import json

from covey import limits
from covey.model import SendState
from covey.proto import effects as fx
from covey.proto import news as nw
from covey.proto.relay import client as rc
from tests.unit.proto.virtual import Host, node_id
from tests.unit.proto.virtual_relay import RelayedMesh


def two(relays: int = 1) -> tuple[RelayedMesh, Host, Host]:
    mesh = RelayedMesh(relays)
    return mesh, mesh.host(1), mesh.host(2)


def paths(host: Host) -> list[str]:
    return [view.path for view in host.engine.peers()]


def test_two_peers_with_only_a_relay_hear_each_other():
    mesh, one, two_ = two()
    assert (paths(one), paths(two_)) == (["relay"], ["relay"])
    one.emit("from one")
    two_.emit("from two")
    mesh.settle()
    assert (two_.heard(), one.heard()) == (["from one"], ["from two"])
    assert one.states_of("from one") == [SendState.DELIVERED]
    assert [view.address for view in one.engine.peers()] == ["relay-0"]


def test_the_smaller_node_dials_and_the_other_never():
    _, one, two_ = two()
    assert one.counts["dials.started"] == 1
    assert two_.counts["dials.started"] == 0


def test_lan_and_relay_are_one_peer_and_the_lan_is_preferred():
    mesh, one, two_ = two()
    mesh.introduce(one, two_)
    assert paths(one) == ["test+relay"]
    assert len(one.told(nw.PeerJoined)) == 1
    frames = one.counts["bytes.out"]
    one.emit("over the lan")
    assert two_.heard() == ["over the lan"]
    assert mesh.line(one).engine.state == "joined"
    assert one.counts["bytes.out"] > frames
    assert len(one.ends) == 1


def test_a_cut_lan_fails_over_without_a_goodbye_and_without_loss():
    mesh, one, two_ = two()
    mesh.introduce(one, two_)
    two_.store = "hold"
    for number in range(20):
        one.emit(f"block {number}")
    (end,) = one.ends.values()
    mesh.cut(end)
    two_.store = "ok"
    two_.answer()
    mesh.settle()
    assert (one.told(nw.PeerLeft), two_.told(nw.PeerLeft)) == ([], [])
    assert sorted(two_.heard()) == sorted(f"block {number}" for number in range(20))
    assert len(two_.told(nw.Judged)) - len(two_.heard()) == two_.counts["records.duplicate"]
    for number in range(20):  # each has one end: taken, or refused as redundant by the admission of two
        (end_of,) = one.ends_of(f"block {number}")
        assert end_of.state == SendState.DELIVERED or "redundant" in (end_of.reason or "")
    mesh.advance(5)
    assert paths(one) == ["test+relay"]  # the LAN came back by itself


def test_a_dead_relay_fails_over_to_the_second_without_a_goodbye():
    mesh, one, two_ = two(relays=2)
    one.emit("through the first")
    mesh.kill_relay(0)
    assert (one.told(nw.PeerLeft), two_.told(nw.PeerLeft)) == ([], [])
    one.emit("through the second")
    assert two_.heard() == ["through the first", "through the second"]
    assert [view.address for view in one.engine.peers()] == ["relay-1"]
    mesh.start_relay(0)
    mesh.advance(60)
    assert [view.address for view in one.engine.peers()] == ["relay-0"]


def test_a_relay_that_comes_back_is_joined_again():
    mesh, one, two_ = two()
    mesh.kill_relay(0)
    assert [news.reason for news in one.told(nw.PeerLeft)] == ["relay lost"]
    one.emit("while it is away")
    mesh.advance(20)
    assert mesh.line(one).engine.state == "waiting"
    mesh.start_relay(0)
    mesh.advance(limits.RELAY_RETRY_LAST_SECONDS * 1.2 + 5)
    assert (paths(one), paths(two_)) == (["relay"], ["relay"])
    assert two_.heard() == ["while it is away"]


def test_a_restarted_peer_is_met_again_although_the_relay_never_saw_it_leave():
    for restarted in (1, 2):
        mesh, one, two_ = two()
        gone, stayed = (one, two_) if restarted == 1 else (two_, one)
        mesh.vanish(gone)
        mesh.seconds += limits.RELAY_FRESH_SECONDS + 1
        again = mesh.host(restarted)
        mesh.advance(3)
        assert paths(again) == ["relay"]
        assert len(stayed.engine.peers()) == 1
        stayed.emit("welcome back")
        again.emit("I am back")
        mesh.advance(2)
        assert (again.heard(), stayed.heard()) == (["welcome back"], ["I am back"]), restarted


def test_a_second_process_with_the_same_key_does_not_come_back():
    mesh, one, _ = two()
    mesh.seconds += limits.RELAY_FRESH_SECONDS + 1
    twin = mesh.host(1)
    assert mesh.line(one).engine.state == "stopped"
    assert mesh.line(twin).engine.state == "joined"
    assert any(log.event == "relay-identity-collision" for log in one.logs)
    mesh.advance(120)
    assert mesh.line(one).engine.state == "stopped"


def test_a_peer_that_leaves_says_goodbye_through_the_relay():
    mesh, one, two_ = two()
    one.feed(fx.Shutdown())
    mesh.settle()
    assert one.stopped
    assert [news.node_id for news in two_.told(nw.PeerLeft)] == [node_id(1)]


def test_peers_of_different_rooms_never_meet():
    mesh = RelayedMesh()
    one = mesh.host(1, room="here")
    two_ = mesh.host(2, room="there")
    mesh.advance(30)
    assert one.engine.peers() == two_.engine.peers() == []
    assert one.counts["dials.started"] <= 6  # jittered backoff, not a storm


def test_frames_of_unknown_sessions_are_answered_seldom():
    mesh, one, two_ = two()
    line = mesh.line(two_)
    before = one.counts["relay.unknown_session.answered"]
    for _ in range(30):
        stray = {"type": "control-encrypted", "sessionId": "ab" * 16}
        mesh.client(line, rc.Send(node_id(1), json.dumps(stray).encode()))
    mesh.settle()
    assert one.counts["relay.unknown_session.answered"] == before + 1
    assert one.counts["relay.unknown_session.unanswered"] == 29
    assert paths(one) == ["relay"]
    assert two_.counts["relay.errors.ignored"] == 1  # only a session's client acts on it


def test_what_a_relay_makes_up_hurts_nobody():
    mesh, one, _ = two()
    line = mesh.line(one)
    for frame in (
        b'{"type":"client-hello"}',
        b'{"type":"server-hello"}',
        b'{"type":"client-finish"}',
        b'{"type":"handshake","nodeId":"x"}',
        b'{"type":"error","code":1011,"message":"x","detail":"session:' + b"0" * 32 + b'"}',
        b'{"type":"error","code":1009,"message":"x"}',
        b'{"type":"cmb-encrypted","sessionId":7}',
        b'{"type":"cmb"}',
        b"{}",
    ):
        for sender in (node_id(2), node_id(3), "nobody"):
            message = b'{"from":"' + sender.encode() + b'","fromName":"x","payload":' + frame + b"}"
            line.to_client.append(message)
    for message in (
        b"null",
        b"[]",
        b"\xff",
        b"",
        b'{"type":"relay-peers","peers":{}}',
        b'{"type":"relay-x"}',
    ):
        line.to_client.append(message)
    mesh.settle()
    assert (paths(one), one.names()) == (["relay"], ["peer-2"])
    mesh.advance(30)
    assert (paths(one), one.told(nw.PeerLeft)) == (["relay"], [])


def test_a_relay_cannot_put_one_peer_in_anothers_place():
    mesh = RelayedMesh()
    one = mesh.host(1)
    mesh.line(one).swap = (node_id(2), node_id(3))
    three = mesh.host(3)
    mesh.advance(20)
    assert mesh.line(one).engine.present == {node_id(2): "peer-3"}
    assert one.engine.peers() == three.engine.peers() == []
    assert one.counts["handshakes.failed.unexpected_node"] >= 1


def test_a15_what_a_relay_changes_or_says_again_is_dropped_and_counted():
    mesh, one, two_ = two()
    line = mesh.line(two_)
    line.kept = []
    one.emit("once")
    mesh.settle()
    (sealed,) = [message for message in line.kept if b'"cmb-encrypted"' in message]
    before = two_.counts["frames.refused.replay"]
    line.to_client.extend([sealed] * 3)
    mesh.settle()
    assert two_.heard() == ["once"]
    assert two_.counts["frames.refused.replay"] == before + 3, two_.counts
    line.bend = True
    one.emit("bent on the way")
    mesh.settle()
    assert two_.heard() == ["once"]
    assert two_.counts["frames.refused.bad_seal"] == 1


def test_a_session_on_which_the_peer_never_speaks_is_given_up():
    mesh, one, two_ = two()
    two_.mute = True
    mesh.kill_relay(0)
    mesh.start_relay(0)
    mesh.advance(limits.HANDSHAKE_SECONDS + 5)
    assert one.counts["relay.unconfirmed"] == 1
    two_.mute = False
    mesh.advance(10)
    assert (paths(one), paths(two_)) == (["relay"], ["relay"])
    one.emit("heard at last")
    assert two_.heard() == ["heard at last"]
