"""A connection to a stock Node peer as Python holds it: two of them in memory, no socket."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from covey import _core

ALICE = _core.Identity("018f47a0-7b21-7abc-8def-111111111111", "alice", b"\x11" * 32)
BOB = _core.Identity("018f47a0-7b21-7abc-8def-222222222222", "bob", b"\x22" * 32)


def pair() -> tuple[_core.LegacySession, _core.LegacySession]:
    client = _core.LegacySession.client(
        ALICE, room="default", secret=b"a" * 32, entropy=os.urandom(32), expect_node_id=BOB.node_id
    )
    server = _core.LegacySession.server(BOB, room="default", secret=b"b" * 32, entropy=os.urandom(32))
    assert (client.state, client.peer, server.take_output()) == ("handshake", None, b"")
    (accepted,) = server.receive(client.take_output())
    (greeted,) = client.receive(server.take_output())
    assert isinstance(accepted, _core.LegacyClaimed) and isinstance(greeted, _core.LegacyClaimed)
    assert (accepted.role, greeted.role, accepted.peer.name) == ("server", "client", "alice")
    return client, server


def record(focus: str, *, by: _core.Identity = ALICE, to: str | None = None) -> _core.Record:
    draft = _core.Draft(
        {"focus": focus},
        node_id=by.node_id,
        author=by.name,
        created_ms=1_700_000_000_000,
        room="default",
        to=to,
    )
    return _core.sign(draft, by)


def frame(body: dict[str, Any]) -> bytes:
    said = json.dumps(body).encode()
    return len(said).to_bytes(4, "big") + said


def test_a_claim_says_who_and_proves_nothing() -> None:
    client, server = pair()
    assert client.peer is not None and server.peer is not None
    peer = client.peer
    assert (peer.node_id, peer.name, peer.public_key, peer.seals) == (
        BOB.node_id,
        "bob",
        BOB.public_key,
        True,
    )
    assert client.state == server.state == "open"


def test_a_record_arrives_with_its_standing() -> None:
    client, server = pair()
    own = record("a canary", to=BOB.node_id)
    client.send_record(own, anchor=True)
    sealed = client.take_output()
    assert b"canary" not in sealed
    (said,) = server.receive(sealed)
    assert isinstance(said, _core.LegacyRecords)
    (heard,) = said.records
    assert isinstance(heard, _core.LegacyRecord)
    assert (heard.key, heard.content_key, heard.author, heard.created_ms) == (
        own.key,
        own.key,
        "alice",
        own.created_ms,
    )
    assert (heard.room, heard.to, heard.parents) == ("default", BOB.node_id, ())
    assert (heard.standing, heard.scheme, heard.directed, heard.anchor) == ("signed", "block-v2", True, True)
    assert heard.categories == own.categories


def test_a_heard_record_is_no_record_of_the_core() -> None:
    client, server = pair()
    client.send_record(record("hearsay"))
    (said,) = server.receive(client.take_output())
    assert isinstance(said, _core.LegacyRecords)
    (heard,) = said.records
    with pytest.raises(TypeError):
        _core.verify(heard, ALICE.public_key)  # type: ignore[arg-type]  # the refusal is what is tested
    with pytest.raises(TypeError):
        _core.RecordBatch([heard])  # type: ignore[list-item]  # the refusal is what is tested


def test_what_is_signed_can_be_judged_and_leaves_marked(tmp_path: Path) -> None:
    client, server = pair()
    client.send_record(record("hearsay", to=BOB.node_id))
    (said,) = server.receive(client.take_output())
    assert isinstance(said, _core.LegacyRecords) and len(said.batch) == 1
    intake = _core.Intake(BOB.node_id, "default", [1.0] * 7)
    outcomes = intake.evaluate(said.batch, session_node_id=ALICE.node_id, now_ms=1_700_000_000_001)
    outcome = outcomes[0]
    assert (outcome.kind, outcome.deliver, outcome.directed, outcome.record) == ("admitted", True, True, None)
    heard = outcome.hearsay
    assert heard is not None
    assert (heard.key, heard.node_id, heard.author, heard.to) == (
        said.records[0].key,
        ALICE.node_id,
        "alice",
        BOB.node_id,
    )
    assert (heard.room, heard.parents, heard.created_ms) == ("default", (), 1_700_000_000_000)
    assert heard.assertion_id == outcome.assertion_id and heard.categories["focus"] == "hearsay"

    store = _core.Store.open(tmp_path / "store.db", node_id=BOB.node_id)
    store.commit([outcomes], 1_700_000_000_002)
    stored = store.record(heard.key)
    assert stored is not None
    assert (stored.proof, stored.own, stored.author) == ("legacy", False, "alice")
    assert store.record_json(heard.key) is None, "hearsay is shown to nobody as its author's word"
    assert [row.record.proof for row in store.inbox(0, 10)] == ["legacy"]
    own = record("signed", by=BOB)
    store.put_own(own, 1_700_000_000_003)
    held = store.record(own.key)
    assert held is not None and held.proof == "signature"
    assert store.record_json(own.key) == own.to_json()


def test_a_fetch_and_its_answer_cross() -> None:
    client, server = pair()
    own = record("kept", by=BOB)
    client.send_fetch("cf-1", own.key, now_ms=1)
    (asked,) = server.receive(client.take_output())
    assert isinstance(asked, _core.LegacyFetch)
    assert (asked.request_id, asked.key) == ("cf-1", own.key)
    server.send_fetched("cf-1", own.key, own, now_ms=2)
    server.send_fetched("cf-2", own.key, now_ms=2)
    found, missing = client.receive(server.take_output())
    assert isinstance(found, _core.LegacyFetched) and isinstance(missing, _core.LegacyFetched)
    assert found.record is not None and found.record.categories["focus"] == "kept"
    assert (missing.request_id, missing.record) == ("cf-2", None)


def test_beats_moods_and_noise_are_told_apart() -> None:
    client, server = pair()
    client.send_control("ping")
    (beat,) = server.receive(client.take_output())
    assert isinstance(beat, _core.Control) and beat.type == "ping"
    (mood,) = server.receive(frame({"type": "mood", "mood": "tired"}))
    assert isinstance(mood, _core.Control) and json.loads(mood.frame)["mood"] == "tired"
    (noise,) = server.receive(frame({"type": "node-stats", "stats": {}}))
    assert isinstance(noise, _core.Ignored) and noise.reason == "unsupported_type"
    (bad,) = server.receive(frame({"type": "cmb", "cmb": {}}))
    assert isinstance(bad, _core.Refused) and bad.reason == "schema"
    (end,) = server.receive(b"\x00\x00\x00\x00")
    assert isinstance(end, _core.Closed) and end.reason == "frame_empty"
    assert server.state == "closed"


@pytest.mark.parametrize(
    ("reason", "send"),
    [
        ("forbidden_inner", lambda session: session.send_control("mood")),
        ("author_unknown", lambda session: session.send_record(record("x", by=BOB))),
        ("wrong_audience", lambda session: session.send_record(record("x", to=ALICE.node_id))),
        ("malformed_control", lambda session: session.send_fetch("", "cmb-", now_ms=0)),
    ],
)
def test_what_is_not_sent_names_its_reason(reason: str, send: Callable[[_core.LegacySession], None]) -> None:
    client, _server = pair()
    with pytest.raises(_core.CoreError) as caught:
        send(client)
    assert caught.value.reason == reason
    assert client.take_output() == b""


def test_a_closed_connection_says_and_hears_nothing() -> None:
    client, server = pair()
    client.close()
    server.send_control("ping")
    assert (client.state, client.receive(server.take_output()), client.take_output()) == ("closed", [], b"")
    with pytest.raises(_core.CoreError, match="session_not_open"):
        client.send_control("ping")
