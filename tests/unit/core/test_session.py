"""The session as Python holds it: two of them in memory, no socket."""

import json
import os
import threading

import pytest

from covey import _core

ALICE = _core.Identity("018f47a0-7b21-7abc-8def-111111111111", "alice", b"\x11" * 32)
BOB = _core.Identity("018f47a0-7b21-7abc-8def-222222222222", "bob", b"\x22" * 32)


def pair() -> tuple[_core.Session, _core.Session]:
    client = _core.Session.client(ALICE, room="default", entropy=os.urandom(64), expect_node_id=BOB.node_id)
    server = _core.Session.server(BOB, room="default", entropy=os.urandom(64))
    assert server.receive(client.take_output()) == []
    client.receive(server.take_output())
    server.receive(client.take_output())
    return client, server


def record(focus: str, *, room: str = "default", to: str | None = None) -> _core.Record:
    draft = _core.Draft(
        {"focus": focus},
        node_id=ALICE.node_id,
        author="alice",
        created_ms=1_700_000_000_000,
        room=room,
        to=to,
    )
    return _core.sign(draft, ALICE)


def test_both_sides_learn_who_the_other_is() -> None:
    client = _core.Session.client(ALICE, room="default", extensions=["a-v1", "b"], entropy=bytes(range(64)))
    server = _core.Session.server(
        BOB, room="default", extensions=["b"], implementation=("x", "9"), entropy=b"e" * 64
    )
    assert (client.state, client.peer, server.take_output()) == ("handshake", None, b"")
    server.receive(client.take_output())
    (greeted,) = client.receive(server.take_output())
    (accepted,) = server.receive(client.take_output())
    assert isinstance(greeted, _core.Authenticated) and isinstance(accepted, _core.Authenticated)
    assert (greeted.role, accepted.role) == ("client", "server")
    peer = greeted.peer
    assert (peer.node_id, peer.name, peer.public_key) == (BOB.node_id, "bob", BOB.public_key)
    assert (peer.implementation, peer.extensions) == (("x", "9"), ("b",))
    assert accepted.peer.implementation[0] == "covey"
    assert peer.session_id == accepted.peer.session_id and len(peer.session_id) == 32
    assert client.peer is not None and client.peer.node_id == BOB.node_id
    assert client.state == server.state == "open"


def test_records_and_control_frames_cross_in_order() -> None:
    client, server = pair()
    client.send_anchors()
    client.send_record(record("one"))
    client.send_control(json.dumps({"type": "mood", "mood": "calm"}).encode())
    assert client.send_records([record("two"), record("three", to=BOB.node_id)]) == 2
    anchors, first, mood, rest = server.receive(client.take_output())
    assert isinstance(anchors, _core.Control) and isinstance(mood, _core.Control)
    assert json.loads(anchors.frame) == {"type": "cmb-anchors", "keys": []}
    assert (mood.type, mood.frame) == ("mood", b'{"type":"mood","mood":"calm"}')
    assert isinstance(first, _core.Records) and isinstance(rest, _core.Records)
    assert (len(first.batch), len(rest.batch)) == (1, 2)


def test_anchors_name_own_records_and_go_first() -> None:
    client, server = pair()
    with pytest.raises(_core.CoreError) as early:
        client.send_record(record("early"))
    assert early.value.reason == "anchors_first"
    with pytest.raises(_core.CoreError) as malformed:
        client.send_anchors(["cmb-1"])
    assert malformed.value.reason == "invalid_id"
    key = record("one").key
    client.send_anchors([key])
    with pytest.raises(_core.CoreError) as twice:
        client.send_control(b'{"type":"cmb-anchors","keys":[]}')
    assert twice.value.reason == "anchors_twice"
    (anchors,) = server.receive(client.take_output())
    assert isinstance(anchors, _core.Control) and json.loads(anchors.frame)["keys"] == [key]


def test_what_must_not_be_sealed_raises_and_leaves_nothing_to_write() -> None:
    client, _ = pair()
    client.send_anchors()
    client.take_output()
    for bad, reason in [
        (record("x", room="elsewhere"), "wrong_room"),
        (record("x", to="018f47a0-7b21-7abc-8def-333333333333"), "wrong_audience"),
    ]:
        with pytest.raises(_core.CoreError) as refused:
            client.send_records([record("good"), bad])
        assert refused.value.reason == reason
    with pytest.raises(_core.CoreError) as unknown:
        client.send_control(b'{"type":"x-vendor-thing"}')
    assert unknown.value.reason == "invalid_argument"
    assert client.take_output() == b""


def test_a_close_is_told_to_the_peer() -> None:
    client, server = pair()
    server.close(1009, "identity conflict")
    assert server.state == "closed"
    (event,) = client.receive(server.take_output())
    assert isinstance(event, _core.Closed)
    assert (event.reason, event.code, event.detail) == ("peer_error", 1009, "identity conflict")
    with pytest.raises(_core.CoreError) as late:
        client.send_anchors()
    assert late.value.reason == "session_not_open"
    assert client.receive(b"\x00\x00\x00\x02{}") == []


def test_refused_ignored_and_fatal_are_different_events() -> None:
    _, server = pair()
    body = b'{"type":"new-thing"}'
    events = server.receive(b"\x00\x00\x00\x02[]" + len(body).to_bytes(4, "big") + body + b"\x00\x10\x00\x01")
    refused, ignored, closed = events
    assert isinstance(refused, _core.Refused) and refused.reason == "malformed_frame" and refused.detail
    assert isinstance(ignored, _core.Ignored) and ignored.reason == "unknown_type"
    assert ignored.type == "new-thing"
    assert isinstance(closed, _core.Closed) and (closed.reason, closed.code) == ("frame_too_large", 1003)


def test_a_failed_handshake_says_nothing() -> None:
    client = _core.Session.client(ALICE, room="default", entropy=os.urandom(64))
    hello = client.take_output()
    (closed,) = client.receive(hello)
    assert isinstance(closed, _core.Closed) and closed.code == 1006
    assert (client.take_output(), client.state, client.peer) == (b"", "closed", None)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"room": "Not A Room"}, "invalid_room"),
        ({"extensions": ["-bad"]}, "malformed_handshake"),
        ({"extensions": ["twice", "twice"]}, "malformed_handshake"),
        ({"implementation": ("", "1")}, "malformed_handshake"),
        ({"expect_node_id": "bob"}, "invalid_id"),
    ],
)
def test_a_hello_that_cannot_be_valid_is_never_started(options: dict[str, object], reason: str) -> None:
    arguments: dict[str, object] = {"room": "default", "entropy": bytes(64), **options}
    with pytest.raises(_core.CoreError) as refused:
        _core.Session.client(ALICE, **arguments)  # type: ignore[arg-type]  # the options vary by case
    assert refused.value.reason == reason


def test_entropy_is_exactly_64_bytes() -> None:
    with pytest.raises((TypeError, ValueError)):
        _core.Session.server(BOB, room="default", entropy=bytes(63))


def test_one_session_may_be_used_from_several_threads() -> None:
    client, server = pair()
    client.send_anchors()
    records = [record(f"record {index}") for index in range(16)]
    barrier = threading.Barrier(4)

    def send() -> None:
        barrier.wait()
        for _ in range(25):
            client.send_records(records)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = server.receive(client.take_output())
    batches = [len(event.batch) for event in events if isinstance(event, _core.Records)]
    assert sum(batches) == 4 * 25 * 16 and max(batches) == 256
    assert server.state == "open"
