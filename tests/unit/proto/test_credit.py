"""Credit: nobody sends more than was granted, nobody waits for ever, and who is slow is seen."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from covey import limits
from covey.model import Proposal
from covey.proto import credit
from covey.proto import effects as fx
from covey.proto import news as nw
from covey.proto.credit import Amount
from covey.proto.options import AdmissionOptions
from tests.unit.proto.test_node_hostile import Raw
from tests.unit.proto.virtual import End, Host, Mesh, identity
from tests.unit.proto.virtual_relay import RelayedMesh

VECTORS = Path(__file__).parents[3] / "rust" / "core" / "tests" / "vectors" / "credit.json"
EVERYTHING = AdmissionOptions(stable=2.0, guarded=2.0, redundancy=0.0)
LARGEST = 900
"""The largest record of the pure world."""


@dataclass
class World:
    """A sender, a receiver and what is on its way between them; what the wire does is the test's."""

    window: Amount
    queue: deque[int] = field(default_factory=deque)
    done: int = 0

    def __post_init__(self) -> None:
        self.connect()

    def connect(self) -> None:
        """Begin a session: what had no word of its receiver waits again."""
        self.queue.extendleft(reversed(getattr(self, "under_way", [])))
        self.under_way: list[int] = []
        self.wire: deque[int | Amount | None] = deque()
        self.held: deque[int] = deque()
        self.grants: list[Amount] = []
        first = Amount(1, LARGEST)
        self.spending = credit.Spending(granted=first)
        self.granting = credit.Granting(self.window, given=first)
        self.tell()

    def tell(self, *, asked: bool = False) -> None:
        if asked or self.granting.due():
            self.grants.append(self.granting.grant())

    def send(self) -> None:
        count = self.spending.fitting(self.queue)
        for _ in range(count):
            size = self.queue.popleft()
            self.spending.spend(1, size)
            self.wire.append(size)
            self.under_way.append(size)
        assert self.spending.sent.within(self.spending.granted)
        assert self.spending.granted.within(self.granting.given)

    def spoil(self) -> None:
        """Send a record that the receiver cannot read, so that it counts nothing of it."""
        if self.queue and self.spending.fitting([self.queue[0]]):
            self.spending.spend(1, self.queue.popleft())
            self.wire.append(None)
            self.done += 1

    def ask(self) -> None:
        self.wire.append(self.spending.sent)

    def read(self) -> None:
        if not self.wire:
            return
        what = self.wire.popleft()
        if isinstance(what, Amount):
            assert self.granting.settle(what)
            self.tell(asked=True)
        elif what is not None:
            assert self.granting.take(1, what)
            self.held.append(what)
        held = Amount(self.granting.held_records, self.granting.held_bytes)
        assert held.within(self.window), "what is held is bounded"

    def store(self) -> None:
        if self.held:
            size = self.held.popleft()
            self.granting.done(1, size)
            self.under_way.remove(size)
            self.done += 1
            self.tell()

    def hear(self, at: int, *, lost: bool = False, twice: bool = False) -> None:
        if not self.grants:
            return
        at %= len(self.grants)
        grant = self.grants[at] if twice else self.grants.pop(at)
        if not lost:
            self.spending.take(grant)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "spoil", "ask", "read", "store", "hear", "lose", "again", "connect"]),
        st.integers(0, 9),
    ),
    max_size=120,
)


@settings(max_examples=200)
@given(
    st.lists(st.integers(1, LARGEST), min_size=1, max_size=60),
    st.integers(1, 12),
    st.integers(LARGEST * 4 // 3 + 1, 6 * LARGEST),
    STEPS,
)
def test_whatever_becomes_of_grants_nobody_waits_for_ever(
    sizes: list[int], records: int, size_bytes: int, steps: list[tuple[str, int]]
) -> None:
    """Grants lost, late and twice, records nobody could count, sessions anew; then a wire that works."""
    world = World(Amount(records, size_bytes), deque(sizes))
    for what, at in steps:
        match what:
            case "hear" | "lose" | "again":
                world.hear(at, lost=what == "lose", twice=what == "again")
            case _:
                getattr(world, what)()
    for _ in range(2 * len(sizes) + 2):  # each round, begun by a timer, brings one record at least
        world.ask()
        while world.wire or world.held or world.grants:
            world.read()
            world.store()
            world.hear(0)
            world.send()
    assert not world.queue and world.done >= len(sizes)


def test_the_committed_vectors() -> None:
    vectors = json.loads(VECTORS.read_text())
    for case in vectors["frames"]:
        amount = Amount(case["records"], case["bytes"])
        assert credit.write(case["kind"], amount).decode() == case["frame"]
        assert credit.parse(case["frame"].encode()) == amount
    for frame in vectors["refused"]:
        with pytest.raises(credit.BadCreditError):
            credit.parse(frame.encode())
    assert Amount(*vectors["first"]) == credit.FIRST


# --- between engines -------------------------------------------------------------------------------


class Weighed(Mesh):
    """A mesh that knows how many bytes wait to be read, at most."""

    most = 0

    def write(self, end: End, data: bytes) -> None:
        super().write(end, data)
        other = end.other
        self.most = max(self.most, sum(map(len, other.waiting)) if other else 0)


def two(mesh: Mesh, monkeypatch: pytest.MonkeyPatch, **options: object) -> tuple[Host, Host]:
    monkeypatch.setattr(limits, "CREDIT_RECORDS", 128)
    mesh.chunk = 1 << 22
    speaker = mesh.host(1, admission=EVERYTHING, **options)
    hearer = mesh.host(2, admission=EVERYTHING)
    mesh.introduce(speaker, hearer)
    return speaker, hearer


def say(speaker: Host, count: int, name: str = "block") -> None:
    for number in range(count):
        speaker.feed(fx.Emit(speaker.mesh.token(), Proposal({"focus": f"{name} {number}"})))
    speaker.mesh.settle()


def told(hearer: Host) -> int:
    return len(hearer.told_judged())


def waits(speaker: Host) -> int:
    return sum(peer.outlet.queue.waiting for peer in speaker.engine._sessions.peers.values())


@pytest.mark.parametrize("compact", [True, False])
def test_a_store_that_hangs_makes_a_slow_peer_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, compact: bool
) -> None:
    mesh = Weighed()
    speaker, hearer = two(mesh, monkeypatch, compact=compact)
    hearer.store = "hold"
    say(speaker, 1_000)
    assert waits(speaker) == 1_000 - 128, "no more is under way than was granted"
    held = sum(len(each.batch) for each in hearer.asked if isinstance(each, fx.Store))
    assert held == 128
    assert speaker.engine.peers()[0].state == "open", "a moment without credit is no news"
    mesh.advance(limits.CREDIT_SLOW_SECONDS)
    assert [view.state for view in speaker.engine.peers()] == ["slow"]
    assert [path.state for path in speaker.engine.peers()[0].paths] == ["slow"]
    assert speaker.counts["peers.slow"] == 1
    mesh.advance(40.0)
    assert 3 <= speaker.counts["credit.wanted"] <= 8, "it is asked, ever more seldom"
    assert mesh.most < 300_000 and told(hearer) == 0
    hearer.store = "ok"
    hearer.answer()
    assert told(hearer) == 1_000 and waits(speaker) == 0
    assert speaker.engine.peers()[0].state == "open"
    assert [news.slow for news in speaker.told(nw.PeerSlow)] == [True, False]


@pytest.mark.parametrize(("ours", "theirs"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_peer_without_credit_is_spoken_to_as_ever(
    monkeypatch: pytest.MonkeyPatch, ours: bool, theirs: bool
) -> None:
    monkeypatch.setattr(limits, "CREDIT_RECORDS", 128)
    mesh = Mesh()
    one, other = (
        mesh.host(1, credit=ours, admission=EVERYTHING),
        mesh.host(2, credit=theirs, admission=EVERYTHING),
    )
    mesh.introduce(one, other)
    say(one, 500)
    assert told(other) == 500
    assert bool(other.counts["credit.granted"]) == (ours and theirs)
    (link,) = one.engine._sessions.links.values()
    assert (link.credit is not None) == (ours and theirs)


def test_a_session_that_breaks_while_it_waits_for_credit_goes_on_with_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mesh = Mesh()
    speaker, hearer = two(mesh, monkeypatch)
    hearer.store = "hold"
    say(speaker, 300)
    mesh.advance(2.0)
    assert speaker.engine.peers()[0].state == "slow"
    mesh.cut(next(iter(speaker.ends.values())))
    hearer.store = "ok"
    hearer.answer()
    mesh.advance(5.0)
    assert waits(speaker) == 0 and told(hearer) == 300
    assert speaker.engine.peers()[0].state == "open"


def test_a_grant_that_a_full_connection_held_back_is_told_when_it_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mesh = Mesh()
    speaker, hearer = two(mesh, monkeypatch)
    link = next(iter(hearer.ends))
    hearer.feed(fx.LinkFull(link, True))
    granted = hearer.counts["credit.granted"]
    say(speaker, 300)
    assert hearer.counts["credit.granted"] == granted and told(hearer) == 128
    hearer.feed(fx.LinkFull(link, False))
    mesh.settle()
    assert told(hearer) == 300


def test_directed_blocks_and_answers_keep_within_credit_too(monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = Mesh()
    speaker, hearer = two(mesh, monkeypatch)
    hearer.store = "hold"
    for number in range(200):
        proposal = Proposal({"focus": f"errand {number}"}, to=hearer.identity.node_id)
        speaker.feed(fx.Emit(mesh.token(), proposal))
    mesh.settle()
    held = sum(len(each.batch) for each in hearer.asked if isinstance(each, fx.Store))
    assert held == 128
    mesh.advance(1.5)
    assert speaker.engine.peers()[0].state == "slow"
    hearer.store = "ok"
    hearer.answer()
    mesh.advance(1.0)
    assert told(hearer) == 200


def test_who_sends_more_than_was_granted_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CREDIT_RECORDS", 128)
    mesh = Mesh()
    host = mesh.host(1, admission=EVERYTHING)
    mesh.settle()
    raw = Raw(mesh, host, identity(2), extensions=[credit.TOKEN])
    host.store = "hold"
    raw.session.send_records([raw.record(f"block {number}") for number in range(128)])
    raw.say()
    assert len(host.engine.peers()) == 1 and not host.counts["credit.exceeded"]
    raw.session.send_record(raw.record("one more"))
    raw.say()
    assert host.counts["credit.exceeded"] == host.counts["sessions.closed.past_credit"] == 1
    assert host.engine.peers() == []


def test_who_claims_to_have_sent_more_than_was_granted_is_let_go() -> None:
    mesh = Mesh()
    host = mesh.host(1)
    mesh.settle()
    raw = Raw(mesh, host, identity(2), extensions=[credit.TOKEN])
    for bad in (b'{"type":"x-covey-credit-wanted","records":-1,"bytes":0}', b'{"type":"x-covey-credit"}'):
        raw.session.send_control(bad)
    raw.say()
    assert host.counts["credit.malformed"] == 2 and len(host.engine.peers()) == 1
    raw.session.send_control(credit.write(credit.WANTED, Amount(10**9, 0)))
    raw.say()
    assert host.counts["credit.exceeded"] == 1 and host.engine.peers() == []


@pytest.mark.parametrize("credited", [True, False])
def test_over_a_relay_credit_holds_back_who_would_have_been_let_go(
    monkeypatch: pytest.MonkeyPatch, credited: bool
) -> None:
    monkeypatch.setattr(limits, "PENDING_RECORDS", 32)
    monkeypatch.setattr(limits, "RELAY_PACE_PER_SECOND", 1_000.0)
    monkeypatch.setattr(limits, "RELAY_FRAMES_PER_SECOND", 1_000.0)
    mesh = RelayedMesh(1)
    speaker, hearer = (mesh.host(each, admission=EVERYTHING, credit=credited) for each in (1, 2))
    mesh.settle()
    hearer.store = "hold"
    say(speaker, 700)
    mesh.advance(10.0)
    assert bool(hearer.counts["sessions.closed.too_fast"]) != credited
    if not credited:
        return
    assert [view.state for view in speaker.engine.peers()] == ["slow"]
    assert waits(speaker) == 700 - limits.CREDIT_NARROW_RECORDS
    hearer.store = "ok"
    hearer.answer()
    mesh.advance(30.0)
    assert told(hearer) == 700
