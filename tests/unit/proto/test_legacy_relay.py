"""Stock peers at a relay: met by the handshake they say first, in a room that holds them and in no other."""

from __future__ import annotations

import json

import pytest

from covey import _core
from covey.proto import effects as fx
from covey.proto import news as nw
from covey.proto.gate import GateOptions
from covey.proto.relay import client as rc
from tests.unit.proto.virtual import Host, identity, node_id
from tests.unit.proto.virtual_relay import RelayedMesh
from tests.unit.proto.virtual_stock import StockAtRelay


def meeting(us: int = 1, stock: int = 2) -> tuple[RelayedMesh, Host, StockAtRelay]:
    mesh = RelayedMesh()
    host = mesh.host(us, legacy=True)
    return mesh, host, StockAtRelay(mesh, stock)


@pytest.mark.parametrize(("us", "stock"), [(1, 2), (2, 1)])
def test_each_hears_the_other_whoever_is_smaller(us: int, stock: int) -> None:
    mesh, host, peer = meeting(us, stock)
    (view,) = host.engine.peers()
    assert (view.name, view.implementation, view.path) == (f"stock-{stock}", "legacy", "relay")
    own = host.emit("from covey")
    assert own is not None
    (records,) = peer.told(_core.LegacyRecords)
    assert [(r.standing, r.categories["focus"]) for r in records.records] == [("signed", "from covey")]
    mesh.texts[peer.say("from stock", node_id(us)).key] = "from stock"
    (delivered,) = host.told(nw.Delivered)
    assert (delivered.delivery.block.proof, delivered.delivery.wakes) == ("legacy", False)
    assert host.heard() == ["from stock"]


def test_no_category_of_ours_passes_the_relay_in_clear() -> None:
    _, host, peer = meeting()
    host.emit("a canary in a category")
    assert peer.told(_core.LegacyRecords) and not any(b"canary" in frame for frame in peer.raw)


def test_a_core_handshake_that_nobody_answers_ends_and_is_not_tried_again() -> None:
    mesh, host, _ = meeting()
    assert host.counts["dials.started"] == 1  # the smaller one dials whom it sees
    mesh.advance(90)
    assert host.counts["dials.started"] == 1
    assert host.counts["handshakes.failed.timeout"] == 1
    assert host.names() == ["stock-2"]


@pytest.mark.parametrize("options", [{}, {"legacy": True, "gate": GateOptions(identity(9).public_key)}])
def test_in_every_other_room_its_handshake_is_passed_over(options: dict[str, object]) -> None:
    mesh = RelayedMesh()
    host = mesh.host(2, **options)
    StockAtRelay(mesh, 1)
    mesh.advance(30)
    assert host.names() == [] and host.counts["relay.ignored"] >= 1
    assert host.counts["sessions.opened"] == 0


def test_a_core_peer_at_the_same_relay_is_met_on_the_core_wire() -> None:
    mesh, host, _ = meeting()
    mesh.host(3, legacy=True)
    assert sorted((v.name, v.implementation.split("/")[0]) for v in host.engine.peers()) == [
        ("peer-3", "covey"),
        ("stock-2", "legacy"),
    ]


def test_who_says_another_id_than_the_relay_is_refused() -> None:
    mesh = RelayedMesh()
    host = mesh.host(1, legacy=True)
    StockAtRelay(mesh, 2, says=identity(7, "impostor"))
    assert host.names() == [] and host.counts["sessions.closed.relay_misnamed"] == 1


def test_who_claims_an_id_that_proved_a_key_is_refused() -> None:
    mesh = RelayedMesh()
    host = mesh.host(1, legacy=True)
    mesh.host(2)
    claimer = _core.LegacySession.client(
        identity(2, "claimer"), room="default", secret=bytes(32), entropy=bytes(32)
    )
    (hello,) = claimer.take_messages()
    host.feed(fx.Relayed(0, rc.Arrived(node_id(2), "handshake", None, hello), mesh.entropy(32)))
    mesh.settle()
    assert host.counts["sessions.closed.claims_a_proven_id"] == 1
    assert [view.implementation.split("/")[0] for view in host.engine.peers()] == ["covey"]


def test_a_second_handshake_changes_nothing_and_is_not_answered() -> None:
    mesh, host, peer = meeting()
    greeted = len(peer.raw)
    frame = json.dumps({"type": "handshake", "nodeId": node_id(2), "name": "other"}).encode()
    peer.send(node_id(1), frame)
    mesh.settle()
    assert host.counts["frames.refused.handshake_order"] == 1
    assert (len(peer.raw), host.names()) == (greeted, ["stock-2"])


def test_one_that_came_again_is_met_again() -> None:
    mesh, host, peer = meeting()
    mesh.advance(6)  # a relay replaces who has been there for five seconds
    peer.restart()
    assert host.names() == ["stock-2"] and host.counts["sessions.opened"] == 2
    peer.say("after the restart", node_id(1))
    assert len(host.told(nw.Delivered)) == 1


def test_after_a_lost_connection_its_kept_handshake_meets_it_again() -> None:
    mesh, host, peer = meeting()
    host.feed(fx.Relayed(0, rc.Undelivered(node_id(2), "slow"), mesh.entropy(32)))
    mesh.settle()
    assert host.names() == []
    mesh.advance(10)
    assert host.names() == ["stock-2"]  # it never says its handshake again
    host.emit("once it stands again")
    said = [r.categories["focus"] for event in peer.told(_core.LegacyRecords) for r in event.records]
    assert said == ["once it stands again"]


def test_one_that_left_is_forgotten() -> None:
    mesh, host, peer = meeting()
    peer.leave()
    assert host.names() == []
    mesh.advance(60)
    assert host.names() == [] and host.counts["sessions.opened"] == 1


def test_garbage_of_a_stock_peer_is_counted_and_the_rest_is_heard() -> None:
    mesh, host, peer = meeting()
    for frame in (b'{"type":"cmb"}', b'{"type":"mood","mood":1}', b'{"type":"cmb","cmb":null}'):
        peer.send(node_id(1), frame)
    peer.send(node_id(1), b'{"type":"node-stats","stats":{}}')
    mesh.settle()
    assert sum(n for name, n in host.counts.items() if name.startswith("frames.refused.")) == 3
    assert host.counts["frames.ignored.unsupported_type"] == 1
    peer.say("and goes on", node_id(1))
    assert len(host.told(nw.Delivered)) == 1


def test_a_mood_is_heard_and_none_is_ever_sent() -> None:
    mesh, host, peer = meeting()
    peer.send(node_id(1), b'{"type":"mood","from":"x","fromName":"stock","mood":"tired"}')
    mesh.settle()
    assert [news.mood for news in host.told(nw.MoodHeard)] == ["tired"]
    assert not any(b'"type":"mood"' in frame for frame in peer.raw)
