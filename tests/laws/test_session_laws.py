"""A session's events do not depend on how its stream was cut, and no bytes make it raise."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from covey import _core

ALICE = _core.Identity("018f47a0-7b21-7abc-8def-111111111111", "alice", b"\x11" * 32)
BOB = _core.Identity("018f47a0-7b21-7abc-8def-222222222222", "bob", b"\x22" * 32)
RECORD = _core.sign(
    _core.Draft({"focus": "one"}, node_id=ALICE.node_id, author="alice", created_ms=1, room="default"), ALICE
)


def server() -> _core.Session:
    return _core.Session.server(BOB, room="default", entropy=b"\x02" * 64)


def stream_of(count: int) -> bytes:
    """All bytes a client sends in a session with `count` records."""
    client, answering = _core.Session.client(ALICE, room="default", entropy=b"\x01" * 64), server()
    stream = client.take_output()
    answering.receive(stream)
    client.receive(answering.take_output())
    client.send_anchors()
    client.send_records([RECORD] * count)
    return stream + client.take_output()


def words(event: _core.Event) -> list[str]:
    match event:
        case _core.Records(batch=batch):
            return ["record"] * len(batch)
        case _core.Control(type=kind) | _core.Ignored(type=kind):
            return [f"{type(event).__name__} {kind}"]
        case _core.Refused(reason=reason) | _core.Closed(reason=reason):
            return [f"{type(event).__name__} {reason}"]
        case _:
            return [type(event).__name__]


def heard(chunks: list[bytes]) -> tuple[list[str], bytes, str]:
    session, lines, output = server(), [], b""
    for chunk in chunks:
        for event in session.receive(chunk):
            lines.extend(words(event))
        output += session.take_output()
    return lines, output, session.state


@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 5), tail=st.binary(max_size=12), cuts=st.lists(st.integers(0, 9000), max_size=30))
def test_any_cut_gives_the_same_session(count: int, tail: bytes, cuts: list[int]) -> None:
    stream = stream_of(count) + tail
    ends = [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    whole = heard([stream])
    assert heard(chunks) == whole
    assert whole[0][: 2 + count] == ["Authenticated", "Control cmb-anchors", *["record"] * count]


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=200))
def test_garbage_is_an_event_or_nothing(data: bytes) -> None:
    lines, output, state = heard([data])
    assert len(lines) <= 1 and output == b""
    assert state == ("closed" if lines else "handshake")
