"""The legacy profile: stock peers at named addresses, taken at their word and no further."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import pytest

from covey import _core, limits
from covey.model import Minted, Proposal, SendState
from covey.proto import effects as fx
from covey.proto import news as nw
from covey.proto.extension import Extension
from covey.proto.gate import GateOptions
from covey.proto.legacy import NOTICE
from covey.proto.node import NodeEngine
from covey.proto.options import NodeOptions
from covey.proto.peers import fingerprint
from tests.unit.proto.virtual import START_MS, identity, node_id

US, STOCK = identity(1, "covey"), identity(2, "stock")
T = TypeVar("T")
ADDRESS = ("127.0.0.1", 7000)


def entropy(count: int, label: str = "") -> bytes:
    return hashlib.shake_256(f"entropy {count} {label}".encode()).digest(count)


class Room:
    """An engine in a legacy room, and a stock peer's end of the connection it dials."""

    def __init__(
        self,
        stock: _core.Identity = STOCK,
        *,
        loopback: bool = True,
        claims: tuple[tuple[str, str], ...] = (),
        extensions: Sequence[Extension] = (),
        **options: object,
    ) -> None:
        made = NodeOptions(legacy=True, stock_peers=(ADDRESS,), **options)  # type: ignore[arg-type]  # a test's own options
        self.engine = NodeEngine(US, made, extensions)
        self.wanted: list[fx.Want] = []
        self.seconds = 1000.0
        self.news: list[nw.News] = []
        self.logs: list[fx.Log] = []
        self.counts: Counter[str] = Counter()
        self.replies: list[object] = []
        self.closed = False
        self.heard: list[_core.LegacyEvent] = []
        self.dialled: list[fx.Dial] = []
        self.stock = self.fresh(stock)
        self.feed(fx.Watch(True))
        self.claims: list[fx.Claimed] = []
        self.binds: list[fx.Bind] = []
        self.feed(fx.Started(claims=claims))
        self.link = self.dialled[0].link
        self.feed(fx.LinkOpened(self.link, False, "127.0.0.1:7000", loopback, entropy(64)))

    @staticmethod
    def fresh(who: _core.Identity) -> _core.LegacySession:
        secret = hashlib.sha256(who.public_key).digest()
        return _core.LegacySession.server(who, room="default", secret=secret, entropy=entropy(32, who.name))

    def feed(self, event: fx.Event) -> None:
        for effect in self.engine.handle(event, fx.Now(START_MS + int(self.seconds * 1000), self.seconds)):
            self._do(effect)

    def _do(self, effect: fx.Effect) -> None:
        match effect:
            case fx.Dial():
                self.dialled.append(effect)
            case fx.Write(_, data):
                self.heard += self.stock.receive(data)
                self.say(self.stock.take_output())
            case fx.Close():
                self.closed = True
            case fx.Want():
                self.wanted.append(effect)
            case fx.Store(token) | fx.StoreOwn(token):
                self.feed(fx.Stored((fx.Done(token),)))
            case fx.Notify(news):
                self.news.append(news)
            case fx.Reply(_, result):
                self.replies.append(result)
            case fx.Claimed():
                self.claims.append(effect)
            case fx.Bind():
                self.binds.append(effect)
            case fx.Count(name, by):
                self.counts[name] += by
            case fx.Log():
                self.logs.append(effect)

    def say(self, data: bytes) -> None:
        if data:
            self.feed(fx.LinkData(self.link, data, entropy(32)))

    def told(self, kind: type[T]) -> list[T]:
        return [news for news in self.news if isinstance(news, kind)]

    def block(self, focus: str, *, to: str | None = None, anchor: bool = False) -> _core.Record:
        draft = _core.Draft(
            {"focus": focus},
            node_id=STOCK.node_id,
            author="stock",
            created_ms=START_MS,
            room="default",
            to=to,
        )
        record = _core.sign(draft, STOCK)
        self.stock.send_record(record, anchor=anchor)
        self.say(self.stock.take_output())
        return record


def frame(body: dict[str, object]) -> bytes:
    said = json.dumps(body).encode()
    return len(said).to_bytes(4, "big") + said


def test_a_named_stock_peer_is_met_and_the_notice_is_logged_once() -> None:
    room = Room()
    (joined,) = room.told(nw.PeerJoined)
    assert (joined.peer.node_id, joined.peer.name) == (STOCK.node_id, "stock")
    assert (joined.peer.implementation, joined.peer.trusted) == ("legacy", False)
    assert [log.facts["notice"] for log in room.logs if log.event == "legacy-profile"] == [NOTICE]


def test_without_the_profile_no_stock_peer_is_dialled() -> None:
    engine = NodeEngine(US, NodeOptions(stock_peers=(ADDRESS,)))
    effects = engine.handle(fx.Started(), fx.Now(START_MS, 1.0))
    assert not any(isinstance(effect, fx.Dial) for effect in effects)


def test_in_an_owned_room_no_stock_peer_is_dialled() -> None:
    gate = GateOptions(identity(9).public_key)
    engine = NodeEngine(US, NodeOptions(legacy=True, stock_peers=(ADDRESS,), gate=gate))
    effects = engine.handle(fx.Started(), fx.Now(START_MS, 1.0))
    assert not any(isinstance(effect, fx.Dial) for effect in effects)


def accepted(engine: NodeEngine, data: bytes, chunk: int = 1 << 16) -> list[fx.Effect]:
    """Let somebody connect and say something first."""
    now = fx.Now(START_MS, 1.0)
    effects = engine.handle(fx.LinkOpened(1000, True, "127.0.0.1:7", True, entropy(64)), now)
    for at in range(0, len(data), chunk):
        effects += engine.handle(fx.LinkData(1000, data[at : at + chunk], entropy(32)), now)
    return effects


def hello_of_stock() -> bytes:
    who = identity(3, "dialler")
    session = _core.LegacySession.client(who, room="default", secret=entropy(32), entropy=entropy(32))
    return session.take_output()


@pytest.mark.parametrize("chunk", [1, 1 << 16])
def test_a_stock_peer_that_dials_is_met_in_a_legacy_room(chunk: int) -> None:
    engine = NodeEngine(US, NodeOptions(legacy=True))
    accepted(engine, hello_of_stock(), chunk)
    assert [(view.name, view.implementation) for view in engine.peers()] == [("dialler", "legacy")]


def test_a_stock_handshake_ends_the_connection_in_every_other_room() -> None:
    for options in (NodeOptions(), NodeOptions(legacy=True, gate=GateOptions(identity(9).public_key))):
        engine = NodeEngine(US, options)
        effects = accepted(engine, hello_of_stock())
        assert any(isinstance(effect, fx.Close) for effect in effects) and engine.peers() == []


@pytest.mark.parametrize(
    "first", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x02{}", b"\0\0\0\x04null", b"\0\0\0\x01["]
)
def test_what_is_no_handshake_ends_the_connection_as_the_core_ends_it(first: bytes) -> None:
    engine = NodeEngine(US, NodeOptions(legacy=True))
    effects = accepted(engine, first, 1)
    assert any(isinstance(effect, fx.Close) for effect in effects) and engine.peers() == []


def test_a_failed_core_handshake_never_becomes_a_legacy_one() -> None:
    engine = NodeEngine(US, NodeOptions(legacy=True))
    core = _core.Session.client(identity(4), room="elsewhere", entropy=entropy(64))
    effects = accepted(engine, core.take_output() + hello_of_stock())
    assert any(isinstance(effect, fx.Close) for effect in effects) and engine.peers() == []


def hint(number: int, *, stock: bool = True, port: int = 7100) -> fx.PeerDiscovered:
    mmp = "" if stock else "2.0"
    found = fx.Hint("mdns", node_id(number), "default", mmp, (("127.0.0.1", port),), stock=stock)
    return fx.PeerDiscovered(found)


@pytest.mark.parametrize("number", [2, 0])
def test_who_is_advertised_as_a_stock_peer_is_dialled_on_its_wire_whoever_is_smaller(number: int) -> None:
    engine, now = NodeEngine(US, NodeOptions(legacy=True)), fx.Now(START_MS, 1.0)
    (dial,) = [e for e in engine.handle(hint(number), now) if isinstance(e, fx.Dial)]
    effects = engine.handle(fx.LinkOpened(dial.link, False, "127.0.0.1:7100", True, entropy(64)), now)
    (said,) = [e.data for e in effects if isinstance(e, fx.Write)]
    assert json.loads(said[4:])["type"] == "handshake"
    other = _core.LegacySession.server(identity(5), room="default", secret=entropy(32), entropy=entropy(32))
    other.receive(said)
    effects = engine.handle(fx.LinkData(dial.link, other.take_output(), entropy(32)), now)
    assert any(isinstance(e, fx.Close) for e in effects), "another one than was advertised answered"
    assert engine.peers() == []


def test_without_the_profile_what_is_advertised_as_stock_is_passed_over() -> None:
    for options in (NodeOptions(), NodeOptions(legacy=True, gate=GateOptions(identity(9).public_key))):
        effects = NodeEngine(US, options).handle(hint(2), fx.Now(START_MS, 1.0))
        assert [e.name for e in effects if isinstance(e, fx.Count)] == ["hints.ignored.stock"]


def test_a_stock_advert_of_a_core_peers_id_does_not_keep_us_from_dialling_it() -> None:
    engine, now = NodeEngine(US, NodeOptions(legacy=True)), fx.Now(START_MS, 1.0)
    effects = engine.handle(hint(2), now) + engine.handle(hint(2, stock=False, port=7200), now)
    assert [e.port for e in effects if isinstance(e, fx.Dial)] == [7100, 7200]


def test_its_block_is_judged_delivered_and_marked() -> None:
    room = Room()
    block = room.block("the cache is cold")
    (delivered,) = room.told(nw.Delivered)
    delivery = delivered.delivery
    assert (delivery.block.key, delivery.block.proof) == (block.key, "legacy")
    assert (delivery.block.node_id, delivery.block.author) == (STOCK.node_id, "stock")
    assert delivery.ingested and delivery.wakes and not delivery.directed
    assert room.engine.intake.anchors() == [block.key]


@pytest.mark.parametrize(
    ("options", "wakes"),
    [
        ({}, False),
        ({"trusted": frozenset({STOCK.node_id})}, False),
        ({"trusted": frozenset({fingerprint(STOCK.public_key)})}, True),
        ({"strangers_wake": True}, True),
    ],
)
def test_from_elsewhere_only_its_key_makes_it_wake(options: dict[str, object], wakes: bool) -> None:
    room = Room(loopback=False, **options)
    room.block("from another machine", to=US.node_id)
    (delivered,) = room.told(nw.Delivered)
    assert (delivered.delivery.wakes, delivered.delivery.directed) == (wakes, True)


def test_its_anchors_wake_nobody() -> None:
    room = Room()
    room.block("from before we met", anchor=True)
    (delivered,) = room.told(nw.Delivered)
    assert not delivered.delivery.wakes


def test_what_it_did_not_sign_is_counted_and_not_judged() -> None:
    room = Room()
    texts = {name: {"text": "x"} for name in _core.CATEGORIES}
    key = _core.content_key(dict.fromkeys(_core.CATEGORIES, "x"))
    unsigned = {"key": key, "createdBy": "stock", "createdTimestamp": 1, "room": "default"}
    room.say(frame({"type": "cmb", "cmb": {"categories": texts, "metadata": unsigned}}))
    assert room.counts["records.refused.unsigned"] == 1
    assert room.told(nw.Judged) == [] and room.engine.intake.anchors() == []


@pytest.mark.parametrize("loopback", [True, False])
def test_who_floods_with_what_does_not_hold_is_let_go(loopback: bool) -> None:
    room = Room(loopback=loopback)
    room.block("a good one first")
    texts = {name: {"text": "x"} for name in _core.CATEGORIES}
    bad = {"key": "cmb-" + "0" * 64, "createdBy": "stock", "createdTimestamp": 1, "room": "default"}
    said = frame({"type": "cmb", "cmb": {"categories": texts, "metadata": bad}})
    most = 2 * limits.STRANGER_RECORDS_BURST - 1  # the good one was charged too
    room.say(said * most)
    assert not room.closed
    room.say(said)
    assert room.closed is not loopback, "whoever is on this machine has no lane"
    assert room.counts["sessions.closed.too_many_refused"] == (0 if loopback else 1)
    assert room.counts["frames.refused.address_mismatch"] == most + 1


def test_an_own_block_reaches_it_in_its_form() -> None:
    room = Room()
    room.feed(fx.Emit(1, Proposal({"focus": "a canary"}, (), None)))
    (minted,) = room.replies
    assert isinstance(minted, Minted)
    assert [(send.node_id, send.state) for send in minted.sends] == [(STOCK.node_id, SendState.ACCEPTED)]
    (said,) = [event for event in room.heard if isinstance(event, _core.LegacyRecords)]
    (record,) = said.records
    assert (record.key, record.standing, record.author) == (minted.block.key, "signed", "covey")


def test_it_is_pinged_answered_and_shown_nothing_it_asks_for() -> None:
    room = Room()
    room.stock.send_control("ping")
    room.stock.send_fetch("cf-1", "cmb-" + "0" * 64, now_ms=1)
    room.say(room.stock.take_output())
    (pong,) = [event for event in room.heard if isinstance(event, _core.Control)]
    (answer,) = [event for event in room.heard if isinstance(event, _core.LegacyFetched)]
    assert (pong.type, answer.record, room.counts["fetches.declined"]) == ("pong", None, 1)
    room.seconds += limits.PING_SECONDS
    room.feed(fx.Timer(entropy(32)))
    assert [event.type for event in room.heard if isinstance(event, _core.Control)] == ["pong", "ping"]


def test_a_claim_of_a_proven_id_is_refused() -> None:
    engine_knows = fx.Started(bindings=((STOCK.node_id, identity(9).public_key),))
    room = Room(identity(7, "somebody"))
    room.feed(engine_knows)
    room.stock = room.fresh(STOCK)
    room.feed(fx.LinkLost(room.link, "closed", entropy(32)))
    room.seconds += 60.0
    room.feed(fx.Timer(entropy(32)))
    room.link = room.dialled[-1].link
    room.feed(fx.LinkOpened(room.link, False, "127.0.0.1:7000", True, entropy(64)))
    assert room.closed and room.counts["sessions.closed.claims_a_proven_id"] == 1


def test_a_second_key_for_a_claimed_id_is_refused() -> None:
    room = Room()
    room.feed(fx.LinkLost(room.link, "closed", entropy(32)))
    room.stock = room.fresh(identity(2, "impostor", seed=77))
    assert node_id(2) == STOCK.node_id
    room.seconds += 60.0
    room.feed(fx.Timer(entropy(32)))
    room.link = room.dialled[-1].link
    room.feed(fx.LinkOpened(room.link, False, "127.0.0.1:7000", True, entropy(64)))
    assert room.closed and room.counts["sessions.closed.claims_another_key"] == 1


def test_a_key_said_in_an_earlier_run_is_remembered_as_a_claim_and_no_binding() -> None:
    first = Room()
    (claim,) = first.claims
    assert (claim.node_id, claim.fingerprint, claim.name) == (
        STOCK.node_id,
        fingerprint(STOCK.public_key),
        "stock",
    )
    assert first.binds == []
    again = Room(claims=((claim.node_id, claim.fingerprint),))
    assert len(again.told(nw.PeerJoined)) == 1 and again.claims == []

    impostor = identity(2, "impostor", seed=77)
    changed = Room(impostor, claims=((claim.node_id, claim.fingerprint),))
    assert changed.closed and changed.told(nw.PeerJoined) == []
    assert changed.counts["sessions.closed.claims_another_key"] == 1
    (log,) = [log for log in changed.logs if log.event == "claim-refused"]
    assert (log.facts["said_first"], log.facts["says"]) == (
        claim.fingerprint,
        fingerprint(impostor.public_key),
    )


def test_who_proves_an_id_is_not_held_to_what_was_claimed_for_it() -> None:
    room = Room(identity(7, "elsewhere"), claims=((STOCK.node_id, "ab" * 32),))
    proof = Proof(room, _core.Session.client(STOCK, room="default", entropy=entropy(64, "core")))
    proof.run()
    assert STOCK.node_id in [view.node_id for view in room.engine.peers()]


def test_a_full_memory_of_claims_takes_no_more() -> None:
    full = tuple((node_id(100 + n), "ab" * 32) for n in range(limits.CLAIMS))
    assert Room(claims=full).counts["sessions.closed.claims_too_many"] == 1


def test_where_only_trusted_peers_are_met_its_key_must_be_named() -> None:
    assert Room(trust="strict").counts["sessions.closed.not_trusted"] == 1
    named = frozenset({fingerprint(STOCK.public_key)})
    assert len(Room(trust="strict", trusted=named).told(nw.PeerJoined)) == 1


def test_who_proves_an_id_ends_who_claimed_it() -> None:
    room = Room()
    core = _core.Session.client(STOCK, room="default", entropy=entropy(64, "core"))
    proof = Proof(room, core)
    proof.run()
    assert room.closed and room.counts["sessions.closed.claim_disproved"] == 1
    (view,) = room.engine.peers()
    assert (view.node_id, view.implementation.split("/")[0]) == (STOCK.node_id, "covey")


class Proof:
    """A core session that dials the engine."""

    LINK = 1000

    def __init__(self, room: Room, session: _core.Session) -> None:
        self.room, self.session = room, session

    def run(self) -> None:
        self._feed(fx.LinkOpened(self.LINK, True, "127.0.0.1:9", True, entropy(64, "server")))
        for _ in range(2):
            data = self.session.take_output()
            if data:
                self._feed(fx.LinkData(self.LINK, data, entropy(32)))

    def _feed(self, event: fx.Event) -> None:
        now = fx.Now(START_MS + int(self.room.seconds * 1000), self.room.seconds)
        for effect in self.room.engine.handle(event, now):
            if isinstance(effect, fx.Write) and effect.link == self.LINK:
                self.session.receive(effect.data)
            else:
                self.room._do(effect)
