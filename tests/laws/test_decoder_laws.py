"""Any bytes into any decoder of a peer's edge give a value or its documented error, nothing else.

The core's decoders have the same law in `rust/core/tests/fuzz`; configuration and control socket have it
beside their own tests. Here is the rest: what relays, other peers, other processes and adapters send.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from covey import core, limits
from covey.conform import published
from covey.conform.own import Own
from covey.conform.serve import answer_line
from covey.net import registry, txt
from covey.proto import receipts
from covey.proto.relay import frames
from covey.proto.state import frames as state_frames

NODE = "018f47a0-7b21-7abc-8def-222222222222"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def bent(*valid: object) -> st.SearchStrategy[bytes]:
    """Valid messages with a part cut out and bytes put in, any JSON, and any bytes."""
    texts = [json.dumps(value).encode() for value in valid]

    def cut(message: bytes, at: int, drop: int, put: bytes) -> bytes:
        at %= len(message) + 1
        return message[:at] + put + message[at + drop :]

    damaged = st.builds(cut, st.sampled_from(texts), st.integers(0), st.integers(0, 9), st.binary(max_size=9))
    return damaged | JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=400)


ID = "asrt-" + "ab" * 32
RECEIPT = {"type": receipts.FRAME_TYPE, "results": [[ID, "rejected", "drift 0.7 > 0.5"]]}
RELAY = (
    {"type": "relay-auth", "nodeId": NODE, "name": "a", "token": "t"},
    {"type": "relay-peers", "peers": [{"nodeId": NODE, "name": "b", "offline": True}], "features": ["x"]},
    {"type": "relay-peer-joined", "nodeId": NODE, "name": "b"},
    {"type": "relay-error", "message": "no", "kind": "absent", "code": 4003, "reason": "bad"},
)
QUESTIONS = (
    {"id": 1, "op": "category_key", "name": "focus", "text": "x"},
    {"id": 2, "op": "parse_record", "json": "{}"},
    {"id": 3, "op": "session_receive", "session": 1, "data": "AAAA"},
    {"id": 4, "op": "evaluate", "incoming": {}, "anchors": [], "profile": {}, "age_seconds": 0},
)
DEEP = b"[" * 100_000


@settings(max_examples=300)
@given(bent(RECEIPT))
@example(DEEP)
def test_a_receipt_frame_is_read_or_refused(frame: bytes) -> None:
    try:
        found = receipts.parse(frame)
    except receipts.BadReceiptError:
        return
    assert len(found) <= limits.RECEIPTS_PER_FRAME
    assert all(one.assertion_id.startswith("asrt-") and one.state is not None for one in found)


SENT = {
    "type": receipts.SENT,
    "stream": "ab" * 16,
    "base": 3,
    "sends": [[3, ID, 9], [5, ID, None]],
    "gaps": [[4, 4]],
}
CURSOR = {"type": receipts.CURSOR, "stream": "ab" * 16, "cursor": 6}
ASK = {"type": receipts.ASK, "assertions": [ID]}


@settings(max_examples=300)
@given(bent(SENT, CURSOR, ASK))
@example(DEEP)
def test_a_frame_about_delivery_is_read_or_refused(frame: bytes) -> None:
    for read in (receipts.parse_sent, receipts.parse_cursor, receipts.parse_ask):
        try:
            found = read(frame)
        except receipts.BadReceiptError:
            continue
        written = {
            receipts.Sent: receipts.write_sent,
            receipts.Cursor: receipts.write_cursor,
            tuple: receipts.write_ask,
        }[type(found)](found)
        assert read(written) == found, "what is read says the same when it is written"


@settings(max_examples=300)
@given(bent(*RELAY))
@example(DEEP)
@example(b"null")
def test_a_relay_frame_is_read_or_refused(message: bytes) -> None:
    for read in (
        frames.read_auth,
        *(lambda m, kind=kind["type"]: frames.read_from_relay(kind, m) for kind in RELAY),
    ):
        try:
            read(message)
        except frames.BadRelayFrameError:
            continue


STATE = (
    {"type": "x-covey-state", "kind": "digest", "scope": "room:a", "digest": "AAAA", "answer": True},
    {
        "type": "x-covey-state",
        "kind": "delta",
        "scope": "a",
        "delta": "",
        "keys": "",
        "push": True,
        "ack": False,
    },
    {"type": "x-covey-state", "kind": "ask", "scope": "a", "of": "", "part": 0},
    {
        "type": "x-covey-state",
        "kind": "part",
        "scope": "a",
        "of": "x",
        "part": 0,
        "parts": 1,
        "data": "",
        "keys": "",
    },
)


@settings(max_examples=300)
@given(bent(*STATE))
@example(DEEP)
def test_a_frame_of_shared_state_is_read_or_refused_and_has_one_spelling(message: bytes) -> None:
    try:
        found = state_frames.read(message)
    except state_frames.MalformedError:
        return
    assert state_frames.read(state_frames.write(found)) == found


@settings(max_examples=300)
@given(bent({"type": "cmb-fetch", "reqId": "1", "key": "cmb-" + "ab" * 32, "from": NODE}))
def test_a_published_frame_is_read_or_refused(message: bytes) -> None:
    try:
        text = message.decode()
    except UnicodeDecodeError:
        return
    try:
        published.read(text)
    except (published.PublishedFrameError, core.CoreError, json.JSONDecodeError):
        return


@settings(max_examples=300)
@given(bent(*QUESTIONS))
@example(DEEP)
def test_an_adapter_answers_any_line_with_one_line(line: bytes) -> None:
    answer = answer_line(Own(), line)
    assert answer.endswith(b"\n") and answer.count(b"\n") == 1
    assert json.loads(answer)["ok"] in (True, False)


@settings(max_examples=300)
@given(st.binary(max_size=2_000))
def test_a_txt_record_gives_hints(data: bytes) -> None:
    found = txt.pairs(data)
    assert all(key == key.lower() and key for key in found)
    assert sum(len(key) + len(value) for key, value in found.items()) <= limits.TXT_BYTES


ENTRY = {
    "node_id": NODE,
    "name": "b",
    "room": "default",
    "mmp": "2.0",
    "host": "127.0.0.1",
    "port": 4_000,
    "pid": 1,
}


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry") / f"{NODE}.json"


@settings(max_examples=200)
@given(data=bent(ENTRY))
@example(data=DEEP[: limits.REGISTRY_ENTRY_BYTES])
def test_a_registry_entry_is_a_hint_or_nothing(entry: Path, data: bytes) -> None:
    assert _entry(entry, json.dumps(ENTRY).encode()) is not None
    found = _entry(entry, data)
    assert found is None or isinstance(found, registry._Entry)


def _entry(place: Path, data: bytes) -> object:
    place.write_bytes(data)
    return registry._read(place, (1, len(data)))
