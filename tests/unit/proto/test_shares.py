"""Who floods makes itself wait and nobody else, be it trusted or on this machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.model import Proposal
from covey.proto import delivery
from covey.proto import effects as fx
from covey.proto.link import Peer
from covey.proto.options import AdmissionOptions
from covey.proto.shares import Turns
from tests.unit.proto.virtual import Host, Mesh, identity, node_id

EVERYTHING = AdmissionOptions(stable=2.0, guarded=2.0, redundancy=0.0)


def peer(number: int) -> Peer:
    who = identity(number)
    return Peer(who.node_id, who.name, who.public_key, who.fingerprint, delivery.Outlet())


def flood(host: Host, count: int, name: str) -> None:
    """Let a host say many blocks in one breath: its connection was full, and is free again."""
    link = next(iter(host.ends))
    host.feed(fx.LinkFull(link, True))
    for number in range(count):
        host.mesh._tokens += 1
        host.feed(fx.Emit(host.mesh._tokens, Proposal({"focus": f"{name} {number}"})))
    while host.step():
        pass
    host.feed(fx.LinkFull(link, False))


# --- the round -----------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 256), min_size=1, max_size=60), st.integers(2, 6))
def test_who_always_wants_more_gets_what_every_other_such_peer_gets(sizes: list[int], count: int) -> None:
    """Floods of any batch sizes: between two peers that never stop, the difference is two batches at most."""
    turns, peers = Turns(), [peer(number) for number in range(1, count + 1)]
    judged = dict.fromkeys(peers, 0)

    def take(one: Peer, at: int) -> None:
        while turns.may(one, 1.0):
            size = sizes[(at + judged[one]) % len(sizes)]
            one.share.credit -= size
            judged[one] += size
        turns.wait(one)

    for place, one in enumerate(peers):
        take(one, place)
    for place in range(20 * count):
        one = turns.next()
        assert one is not None
        take(one, place)
        assert max(judged.values()) - min(judged.values()) <= 2 * (limits.ROUND_RECORDS + max(sizes))
    assert sum(judged.values()) >= 20 * count * limits.ROUND_RECORDS, "no turn is lost"


@given(st.integers(1, 40), st.integers(0, 200))
def test_who_sends_little_waits_for_nobodys_flood(floods: int, before: int) -> None:
    turns, quiet = Turns(), peer(99)
    peers = [peer(number) for number in range(1, floods + 1)]
    for one in peers:
        while turns.may(one, 1.0):
            one.share.credit -= 256
        turns.wait(one)
    for _ in range(before):
        one = turns.next()
        assert one is not None
        one.share.credit -= 256
        turns.wait(one)
    assert turns.may(quiet, 1.0)


def test_who_is_alone_is_never_kept_from_the_machine() -> None:
    turns, one = Turns(), peer(1)
    for _ in range(100):
        while turns.may(one, 1.0):
            one.share.credit -= 100
        turns.wait(one)
        assert turns.next() is one
    assert not turns


# --- in a node -----------------------------------------------------------------------------------


def three(**options: object) -> tuple[Host, Host, Host]:
    """Return a node and two peers that it trusts, all on one machine: nobody has a stranger's lane."""
    mesh = Mesh()
    mesh.chunk = 1 << 22
    trusted = frozenset({node_id(2), node_id(3)})
    middle = mesh.host(1, trusted=trusted, admission=EVERYTHING, **options)
    loud, quiet = mesh.host(2), mesh.host(3)
    mesh.introduce(middle, loud)
    mesh.introduce(middle, quiet)
    return middle, loud, quiet


def test_a_trusted_peers_flood_does_not_hold_up_another_peer_and_nothing_of_it_is_lost() -> None:
    middle, loud, quiet = three()
    flood(loud, 1_500, "flood")
    flood(quiet, 1, "excuse me")
    middle.mesh.settle()
    judged = [news.author for news in middle.told_judged()]
    assert judged.count("peer-2") == 1_500
    assert judged.index("peer-3") <= 2 * limits.ROUND_RECORDS
    assert middle.counts["turns.waited"] >= 2
    assert middle.counts["reading.paused"] == middle.counts["reading.resumed"] >= 1


def test_two_floods_are_verified_in_turn() -> None:
    middle, loud, also = three()
    flood(loud, 1_200, "flood")
    flood(also, 1_200, "deluge")
    middle.mesh.settle()
    judged = [news.author for news in middle.told_judged()]
    assert judged.count("peer-2") == judged.count("peer-3") == 1_200
    for at in range(0, 2_000, 100):
        two, three_ = judged[:at].count("peer-2"), judged[:at].count("peer-3")
        assert abs(two - three_) <= 2 * limits.ROUND_RECORDS + limits.BATCH_RECORDS


def test_a_flood_leaves_room_at_the_store_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PENDING_RECORDS", 1_024)
    middle, loud, quiet = three()
    middle.store = "hold"
    flood(loud, 1_500, "flood")
    middle.mesh.settle()
    held = sum(len(each.batch) for each in middle.asked if isinstance(each, fx.Store))
    assert 512 <= held <= 512 + limits.BATCH_RECORDS, "half of the room, and the batch that filled it"
    flood(quiet, 1, "excuse me")
    middle.mesh.settle()
    assert isinstance(middle.asked[-1], fx.Store) and len(middle.asked[-1].batch) == 1
    middle.store = "ok"
    middle.answer()
    assert len(middle.told_judged()) == 1_501


@pytest.mark.parametrize("compact", [True, False])
def test_who_goes_on_sending_more_than_its_share_is_shown_until_it_is_calm(
    monkeypatch: pytest.MonkeyPatch, compact: bool
) -> None:
    monkeypatch.setattr(limits, "ROUND_RECORDS", 4)
    middle, loud, _ = three(compact=compact)
    middle.mesh.chunk = 1 << 12  # some reads for each flood

    def shown() -> list[str]:
        return [view.state for view in middle.engine.peers()]

    for number in range(12):
        flood(loud, 10, f"again {number}")
        middle.mesh.advance(0.5)
        assert shown() == ["pressing" if number >= 10 else "open", "open"]
    assert middle.counts["peers.pressing"] == 1
    (line,) = [log for log in middle.logs if log.event == "peer-presses"]
    assert line.facts["peer"] == node_id(2)
    middle.mesh.advance(limits.CALM_SECONDS)
    assert shown() == ["open", "open"]
    assert middle.counts["peers.calmed"] == 1
