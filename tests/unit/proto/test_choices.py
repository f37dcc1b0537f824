"""The fifteen places where the published text contradicts itself, by number (docs/protocol.md, Choices).

Each test would fail if a peer did otherwise than the page says. None needs the published vectors.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from covey import _core
from covey.proto import effects as fx
from covey.proto import news as nw
from covey.proto.node import NodeEngine
from covey.proto.options import NodeOptions
from tests.unit.proto.puppet_peer import PuppetPeer
from tests.unit.proto.virtual import Host, Mesh, identity, node_id
from tests.unit.proto.virtual_relay import RelayedMesh


def met(number: int = 2, **hello: Any) -> tuple[Mesh, Host, PuppetPeer]:
    mesh = Mesh()
    host = mesh.host(1)
    return mesh, host, PuppetPeer(mesh, host, number, **hello)


def refusals(host: Host) -> dict[str, int]:
    kinds = ("frames.refused.", "frames.ignored.", "records.refused.")
    return {name: count for name, count in host.counts.items() if name.startswith(kinds)}


def test_choice_01_an_unknown_category_is_dropped_and_64_are_enough() -> None:
    _, host, puppet = met()
    for count, key in ((1, "a word"), (64, "more words"), (65, "too many words")):
        record = puppet.record(key)
        for number in range(count):
            record["categories"][f"weather{number}"] = {"text": "rain", "meta": {"key": "x", "parents": []}}
        puppet.give(puppet.puppet.record(record))
    assert host.heard() == ["a word", "more words"]
    assert sum(refusals(host).values()) == 1
    stored = next(iter(host.records.values()))
    assert "weather0" not in json.loads(stored.to_json())["categories"]


def test_choice_02_a_vector_beside_a_text_is_refused() -> None:
    _, host, puppet = met()
    record = puppet.record("with a vector")
    record["categories"]["focus"]["vector"] = [0.5, 0.5]
    puppet.give(puppet.puppet.record(record))
    assert host.heard() == [] and sum(refusals(host).values()) == 1
    assert host.names() == ["peer-2"]


def test_choice_03_a_peers_name_has_64_bytes_and_a_reported_one_255_characters() -> None:
    assert met(name="é" * 32)[1].names() == ["é" * 32]
    assert met(name="é" * 33)[1].names() == []
    _, host, puppet = met()
    for size in (255, 256):
        puppet.say(
            {"type": "peer-info", "peers": [{"nodeId": node_id(9), "name": "é" * size, "lastSeen": 1}]}
        )
    assert host.counts["frames.control.peer-info"] == 1
    assert sum(refusals(host).values()) == 1


def test_choice_04_a_node_id_has_one_spelling() -> None:
    assert met(nodeId=node_id(0xABC).upper())[1].names() == []
    _, host, puppet = met(0xABC)
    record = puppet.record("spelled otherwise")
    record["metadata"]["createdByNodeId"] = record["metadata"]["createdByNodeId"].upper()
    puppet.give(puppet.puppet.record(record))
    assert host.heard() == [] and sum(refusals(host).values()) == 1


def test_choice_05_another_key_is_a_conflict_and_another_path_is_added() -> None:
    mesh, host, _ = met()
    thief = PuppetPeer(mesh, host, 2, link=1002, seed=b"\x55" * 32)
    assert thief.errors() == [1009] and host.names() == ["peer-2"]
    relayed = RelayedMesh()
    one, two = relayed.host(1), relayed.host(2)
    relayed.introduce(one, two)
    (view,) = one.engine.peers()
    assert view.path == "test+relay" and len(one.told(nw.PeerJoined)) == 1


def test_choice_06_directed_is_who_the_signature_names_not_who_an_envelope_names() -> None:
    relayed = RelayedMesh()
    one, two = relayed.host(1), relayed.host(2)
    one.emit("to everybody")  # a relay's envelope names its addressee all the same
    one.emit("to one", to=two.identity.node_id)
    directed = {
        news.delivery.block.categories["focus"]: news.delivery.directed for news in two.told(nw.Delivered)
    }
    assert directed == {"to everybody": False, "to one": True}


def test_choice_07_a_signed_record_is_a_record_like_any_other() -> None:
    _, host, puppet = met()
    puppet.give(puppet.puppet.record(puppet.record("signed like the example")))
    assert host.heard() == ["signed like the example"] and refusals(host) == {}


def test_choice_08_a_mood_is_sealed_heard_and_never_stored() -> None:
    _, host, puppet = met()
    mood = {"type": "mood", "mood": "calm", "context": None, "timestamp": 1}
    puppet.give(mood)
    assert host.told(nw.MoodHeard) == []
    puppet.say(mood)
    assert [news.mood for news in host.told(nw.MoodHeard)] == ["calm"]
    assert host.keys == set() and host.counts["frames.ignored.clear_control"] == 1


def test_choice_09_a_record_in_the_clear_is_refused_on_every_transport() -> None:
    _, host, puppet = met()  # on loopback
    puppet.give({"type": "cmb", "cmb": puppet.record("in the clear")})
    assert host.heard() == [] and host.counts["frames.refused.clear_record"] == 1
    assert host.names() == ["peer-2"]


def test_choice_10_the_schema_of_application_data_may_be_empty() -> None:
    _, host, puppet = met()
    given = _core.Application("text/plain", "", b"bytes")
    puppet.give(puppet.puppet.record(puppet.record("with bytes", application=given)))
    assert host.heard() == ["with bytes"] and refusals(host) == {}


def test_choice_11_records_enter_admission_as_sealed_records() -> None:
    _, host, puppet = met()
    puppet.give(puppet.puppet.record(puppet.record("sealed")))
    (judged,) = host.told(nw.Judged)
    assert judged.outcome == "admitted"


@pytest.mark.parametrize("sequence", [str(2**96), "00", "1" * 30, "-1", "1e3", " 1", 1])
def test_choice_12_a_sequence_is_a_number_below_two_to_the_96th_in_one_spelling(sequence: object) -> None:
    _, host, puppet = met()
    good = puppet.puppet.control({"type": "ping"})
    puppet.give({**good, "sequence": sequence})
    assert host.counts["frames.control.ping"] == 0
    puppet.give(good)
    assert host.counts["frames.control.ping"] == 1, "what did not open moved nothing"


def test_choice_13_a_signature_is_required() -> None:
    for bend in ({"sig": None}, {"sigAlg": "none"}, {}):
        _, host, puppet = met()
        record = puppet.record("unsigned")
        record["metadata"] |= bend
        if not bend:
            del record["metadata"]["sig"], record["metadata"]["sigAlg"]
        puppet.give(puppet.puppet.record(record))
        assert host.heard() == [] and sum(refusals(host).values()) == 1


def test_choice_14_a_replay_is_discarded_and_the_session_goes_on() -> None:
    _, host, puppet = met()
    frame = puppet.puppet.record(puppet.record("once"))
    puppet.give(frame, frame, frame)
    assert host.heard() == ["once"] and host.counts["frames.refused.replay"] == 2
    puppet.say({"type": "ping"})
    assert host.counts["frames.control.ping"] == 1


def test_choice_15_no_token_of_a_mesh_room_is_offered() -> None:
    engine = NodeEngine(identity(1), NodeOptions(addresses=(("127.0.0.1", 4000),)))
    now = fx.Now(1_700_000_000_000, 1.0)
    (dial,) = [e for e in engine.handle(fx.Started(), now) if isinstance(e, fx.Dial)]
    opened = engine.handle(fx.LinkOpened(dial.link, False, "127.0.0.1:4000", True, bytes(64)), now)
    (said,) = [e.data for e in opened if isinstance(e, fx.Write)]
    offered = json.loads(said[4:])["extensions"]
    assert offered and not [token for token in offered if "mesh" in token or "room" in token]
