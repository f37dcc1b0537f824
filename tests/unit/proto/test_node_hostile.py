"""What a peer may try: each attempt is counted under its reason, and hurts nobody else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import pytest

from covey import _core, limits
from covey.model import CAT7, Minted, SendState
from covey.proto import effects as fx
from covey.proto import news as nw
from tests.unit.proto.virtual import START_MS, Host, Mesh, identity, node_id


@pytest.fixture
def mesh() -> Mesh:
    return Mesh()


class Raw:
    """A peer made of a bare session: it says what it likes to one host."""

    def __init__(
        self,
        mesh: Mesh,
        host: Host,
        who: _core.Identity,
        *,
        link: int = 1000,
        extensions: Sequence[str] = ("x-covey-delivery-v1",),
    ) -> None:
        self.mesh, self.host, self.link, self.identity = mesh, host, link, who
        self.events: list[object] = []
        self.session = _core.Session.client(
            who, room="default", extensions=extensions, entropy=mesh.entropy(64)
        )
        host.ends[link] = self  # type: ignore[assignment]  # stands in for the connection's end
        self.other = self
        self.closed = self.paused = False
        self.waiting = Inbox(self)
        host.feed(fx.LinkOpened(link, True, "127.0.0.1:7", True, mesh.entropy(64)))
        mesh.settle()
        self.say()
        self.session.send_anchors([])

    def say(self) -> None:
        """Let the host read what the session sealed, until both are silent."""
        while data := self.session.take_output():
            self.host.feed(fx.LinkData(self.link, data, self.mesh.entropy(32)))
            self.mesh.settle()

    def record(
        self,
        text: str,
        *,
        author: str | None = None,
        signer: _core.SigningKey | None = None,
        ahead_ms: int = 0,
    ) -> _core.Record:
        draft = _core.Draft(
            dict.fromkeys(CAT7, text),
            node_id=author or self.identity.node_id,
            author="somebody",
            created_ms=START_MS + 1_000_000 + ahead_ms,
            room="default",
        )
        return _core.sign(draft, signer or self.identity)


class Inbox:
    """What the host writes goes straight into the raw session."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw

    def extend(self, chunks: list[bytes]) -> None:
        for chunk in chunks:
            self.raw.events += self.raw.session.receive(chunk)

    def append(self, _: bytes) -> None:
        self.raw.events.append("closed")

    def __bool__(self) -> bool:
        return False


def test_a_record_with_the_peers_own_bad_signature_ends_its_session_with_1006(mesh: Mesh) -> None:
    host = mesh.host(1)
    raw = Raw(mesh, host, identity(2))
    assert host.names() == ["peer-2"]
    raw.session.send_record(raw.record("forged", signer=_core.SigningKey(bytes(32))))
    raw.say()
    assert host.counts["records.refused.bad_signature"] == 1
    assert host.counts["sessions.closed.bad_signature"] == 1
    assert host.names() == []
    ends = [event for event in raw.events if isinstance(event, _core.Closed)]
    assert [event.code for event in ends] == [1006]
    assert host.keys == set()


def test_a_block_from_a_fast_clock_is_refused_by_the_receivers_own_measure_and_counted(mesh: Mesh) -> None:
    host = mesh.host(1, clock_ahead_ms=1_000)
    raw = Raw(mesh, host, identity(2))
    for number, ahead_ms in enumerate((1_000, 1_001, 86_400_000)):
        raw.session.send_record(raw.record(f"ahead {number}", ahead_ms=ahead_ms))
        raw.say()
    assert host.counts["records.refused.future_timestamp"] == 2
    assert host.counts["records.admitted"] == 1
    assert host.names() == ["peer-2"], "a wrong clock ends no session"


def test_a_record_of_an_unknown_author_is_refused_and_the_session_goes_on(mesh: Mesh) -> None:
    host = mesh.host(1)
    raw = Raw(mesh, host, identity(2))
    for number in range(3):
        signer = _core.SigningKey(bytes([number + 1] * 32))
        raw.session.send_record(raw.record(f"hearsay {number}", author=node_id(50 + number), signer=signer))
        raw.say()
    assert host.counts["records.refused.author_unknown"] == 3
    assert len([log for log in host.logs if log.event == "record-refused"]) == 1, (
        "logged once, counted always"
    )
    assert host.names() == ["peer-2"]
    judged = host.told(nw.Judged)
    assert {(j.outcome, j.reason) for j in judged} == {("refused", "author_unknown")}
    receipts = [event for event in raw.events if isinstance(event, _core.Control)]
    results = [json.loads(event.frame)["results"] for event in receipts if event.type == "x-covey-delivery"]
    assert [result[0][1:] for result in results] == [["refused", "author_unknown"]] * 3


def test_a_known_authors_record_may_come_by_another_peer_but_wakes_nobody(mesh: Mesh) -> None:
    host, author = mesh.host(1), mesh.host(3)
    mesh.introduce(host, author)
    raw = Raw(mesh, host, identity(2))
    raw.session.send_record(raw.record("passed on", author=author.identity.node_id, signer=signing_key(3)))
    raw.say()
    delivery = host.told(nw.Delivered)[0].delivery
    assert (delivery.block.node_id, delivery.from_node_id) == (node_id(3), node_id(2))
    assert not delivery.wakes


def signing_key(number: int) -> _core.SigningKey:
    return _core.SigningKey(hashlib.sha256(f"seed {number}".encode()).digest())


@pytest.mark.parametrize(
    "results",
    ["all", [["asrt-0", "admitted", None]], [["asrt-" + "0" * 64, "admitted", "\x1b[31m"]], [[]] * 300],
)
def test_a_spoilt_receipt_is_counted_and_changes_nothing(mesh: Mesh, results: object) -> None:
    host = mesh.host(1)
    raw = Raw(mesh, host, identity(2))
    raw.session.send_control(json.dumps({"type": "x-covey-delivery", "results": results}).encode())
    raw.say()
    assert host.counts["frames.refused.x-covey-delivery"] == 1
    assert host.names() == ["peer-2"]


def test_a_receipt_for_what_was_never_sent_is_ignored(mesh: Mesh) -> None:
    host = mesh.host(1)
    raw = Raw(mesh, host, identity(2))
    results = [["asrt-" + "0" * 64, "admitted", None]]
    raw.session.send_control(json.dumps({"type": "x-covey-delivery", "results": results}).encode())
    raw.say()
    assert host.counts["receipts.ignored"] == 1
    assert host.told(nw.SendSettled) == []


def test_a_mood_frame_is_heard_and_never_stored(mesh: Mesh) -> None:
    host = mesh.host(1)
    raw = Raw(mesh, host, identity(2))
    raw.session.send_control(b'{"type":"mood","mood":"worried about the deadline"}')
    raw.say()
    assert [news.mood for news in host.told(nw.MoodHeard)] == ["worried about the deadline"]
    assert host.keys == set()


def test_pings_of_a_peer_that_does_not_read_are_not_answered(mesh: Mesh) -> None:
    host = mesh.host(1)
    raw = Raw(mesh, host, identity(2))
    host.feed(fx.LinkFull(raw.link, True))
    for _ in range(5):
        raw.session.send_control(b'{"type":"ping"}')
    raw.say()
    assert host.counts["pings.unanswered"] == 5


def test_receipts_for_a_peer_that_does_not_read_wait_and_are_bounded(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RECEIPTS_OWED", 3)
    one, two = mesh.pair()
    link = next(iter(two.ends))
    two.feed(fx.LinkFull(link, True))
    texts = [f"thought {number} on something else" for number in range(5)]
    for text in texts:
        assert isinstance(one.emit(text), Minted)
    assert len(two.told(nw.Judged)) == 5
    assert [one.states_of(text) for text in texts] == [[]] * 5
    two.feed(fx.LinkFull(link, False))
    mesh.settle()
    assert two.counts["receipts.dropped"] == 2
    assert [len(one.states_of(text)) for text in texts] == [0, 0, 1, 1, 1]
    mesh.cut(next(iter(one.ends.values())))
    mesh.advance(2)
    assert [len(one.states_of(text)) for text in texts] == [1] * 5, "sent again, and held there"


def test_whoever_connects_and_fails_in_a_loop_does_not_fill_the_log(mesh: Mesh) -> None:
    host = mesh.host(1)
    rounds = limits.CLOSED_LOGS_BURST + 20
    for number in range(rounds):
        link = 2 * number + 2
        host.feed(fx.LinkOpened(link, True, "127.0.0.1:9", True, mesh.entropy(64)))
        host.feed(fx.LinkData(link, b"GET / HTTP/1.1\r\n\r\n", mesh.entropy(32)))
        host.feed(fx.LinkLost(link, "closed", mesh.entropy(32)))
        mesh.settle()
    assert len(host.logs) == limits.CLOSED_LOGS_BURST
    assert host.counts["logs.suppressed"] == 20
    failed = sum(n for name, n in host.counts.items() if name.startswith("handshakes.failed."))
    assert failed == rounds


def test_a_directed_block_whose_words_are_held_is_kept_for_an_absent_peer_too(mesh: Mesh) -> None:
    one = mesh.host(1)
    assert isinstance(one.emit("said to all"), Minted)
    result = one.emit("said to all", to=node_id(2))
    assert isinstance(result, Minted)
    assert result.sends[0].state is SendState.UNKNOWN
    assert list(one.outbox.values()) == [1]
    two = mesh.host(2)
    mesh.introduce(one, two)
    assert [news.delivery.number for news in two.told(nw.Delivered) if news.delivery.directed] == [1]
    assert one.outbox == {}


def test_a_directed_block_whose_words_are_held_reaches_a_peer_that_is_here(mesh: Mesh) -> None:
    one, two = mesh.pair()
    assert isinstance(one.emit("said to all"), Minted)
    assert isinstance(one.emit("said to all", to=two.identity.node_id), Minted)
    directed = [news.delivery for news in two.told(nw.Delivered) if news.delivery.directed]
    assert [delivery.ingested for delivery in directed] == [False]
    assert one.states_of("said to all") == [SendState.DELIVERED, SendState.DELIVERED]
