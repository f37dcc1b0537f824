"""Parents that a block names and its receiver does not hold: asked for, answered, bounded on both sides."""

from __future__ import annotations

import json

import pytest

from covey import _core, limits
from covey.model import Minted, Proposal
from covey.proto import effects as fx
from covey.proto import news as nw
from covey.proto.options import AdmissionOptions
from tests.unit.proto.virtual import START_MS, Host, Mesh, identity, node_id

EVERYTHING = AdmissionOptions(stable=1.0, guarded=1.0, redundancy=0.0)
"""A receiver that admits whatever verifies."""


@pytest.fixture
def mesh() -> Mesh:
    return Mesh()


def minted(result: object) -> Minted:
    assert isinstance(result, Minted), result
    return result


def chain(host: Host, *texts: str) -> list[str]:
    """Let a host say one thing after another, each the parent of the next; return the keys."""
    keys: list[str] = []
    for text in texts:
        keys.append(minted(host.emit(text, parents=tuple(keys[-1:]))).block.key)
    return keys


def alone_and_late(mesh: Mesh, count: int) -> tuple[Host, Host, list[str]]:
    """A peer with a long thread, and one that comes after: replayed context does not reach the start."""
    one = mesh.host(1)
    mesh.settle()
    keys = chain(one, *(f"{'abcdefghijkl'[number] * 9}" for number in range(count)))
    two = mesh.host(2, admission=EVERYTHING)
    mesh.introduce(one, two)
    return one, two, keys


def frames(host: Host, name: str) -> int:
    return host.counts[f"frames.control.{name}"]


def ask(host: Host, frame: dict[str, object]) -> None:
    """Let a host send a control frame of our making to its only peer."""
    (peer,) = host.engine._sessions.peers.values()
    assert peer.active is not None and peer.active.session is not None
    peer.active.session.send_control(json.dumps(frame).encode())
    host.engine._sessions.touch(peer.active)
    host.feed(fx.Watch(True))
    host.mesh.settle()


def test_a_late_joiner_fetches_the_ancestors_of_what_it_hears(mesh: Mesh) -> None:
    _, two, keys = alone_and_late(mesh, 8)
    mesh.advance(30)
    held = [key for key in keys if key in two.keys]
    assert held == keys, "the whole thread is held, from the first block on"
    assert two.counts["fetches.asked"] == two.counts["fetches.returned"] == 8 - limits.ANCHOR_REPLAY_RECORDS
    assert all(not news.delivery.wakes for news in two.told(nw.Delivered)), "context wakes nobody"


def test_what_is_held_is_not_asked_for(mesh: Mesh) -> None:
    one, two = mesh.pair()
    first = minted(one.emit("alpha alpha")).block.key
    reply = minted(two.emit("bravo bravo", parents=(first,))).block.key
    minted(one.emit("charlie charlie", parents=(reply, first)))
    mesh.advance(5)
    assert one.counts["fetches.asked"] == two.counts["fetches.asked"] == 0


def test_a_parent_that_nobody_holds_is_asked_for_once(mesh: Mesh) -> None:
    one, two = mesh.pair(admission=EVERYTHING)
    ghost = f"cmb-{'0' * 64}"
    for text in ("alpha alpha", "bravo bravo"):
        minted(one.emit(text, parents=(ghost,)))
        mesh.advance(20)
    assert (two.counts["fetches.asked"], two.counts["fetches.missing"]) == (1, 1)
    assert one.counts["fetches.not_served"] == 1
    assert len(two.heard()) == 2, "an incomplete lineage stops no block"


def test_questions_keep_their_pace_and_their_bound(mesh: Mesh) -> None:
    one, two = mesh.pair()
    ghosts = tuple(f"cmb-{number:064x}" for number in range(limits.FETCH_WAITING))
    minted(one.emit("alpha alpha", parents=ghosts))
    mesh.settle()
    assert two.counts["fetches.asked"] == limits.FETCHES_BURST
    mesh.advance(10)
    assert two.counts["fetches.asked"] <= limits.FETCHES_BURST + 10 * limits.FETCHES_PER_SECOND
    assert one.counts["fetches.refused.rate"] == 0, "who keeps the pace gets every answer"
    mesh.advance(60)
    assert two.counts["fetches.missing"] == limits.FETCH_WAITING


def test_a_flood_of_questions_is_not_answered_beyond_its_pace(mesh: Mesh) -> None:
    one, two = mesh.pair()
    for number in range(50):
        ask(two, {"type": "cmb-fetch", "reqId": f"r{number}", "key": f"cmb-{number:064x}"})
    assert frames(one, "cmb-fetch") == 50
    assert one.counts["fetches.not_served"] == limits.FETCHES_BURST
    assert one.counts["fetches.refused.rate"] == 50 - limits.FETCHES_BURST


def test_one_record_is_served_once_a_minute(mesh: Mesh) -> None:
    one, two = mesh.pair()
    key = minted(one.emit("alpha alpha")).block.key
    for request in ("a", "b"):
        ask(two, {"type": "cmb-fetch", "reqId": request, "key": key})
    assert (one.counts["fetches.served"], one.counts["fetches.refused.repeated"]) == (1, 1)
    mesh.advance(limits.FETCH_REPEAT_SECONDS)
    ask(two, {"type": "cmb-fetch", "reqId": "c", "key": key})
    assert one.counts["fetches.served"] == 2


@pytest.mark.parametrize("case", ["to another", "of another room"])
def test_what_is_not_for_the_asker_is_not_served(mesh: Mesh, case: str) -> None:
    one, two = mesh.pair()
    to = node_id(3) if case == "to another" else None
    room = "elsewhere" if case == "of another room" else "default"
    draft = _core.Draft(
        {"focus": "a secret"}, node_id=node_id(1), author="peer-1", created_ms=START_MS, room=room, to=to
    )
    record = _core.sign(draft, identity(1))
    one.records[record.key] = record
    ask(two, {"type": "cmb-fetch", "reqId": "r", "key": record.key})
    assert (one.counts["fetches.served"], one.counts["fetches.not_served"]) == (0, 1)
    assert two.heard() == []


def test_a_fetched_record_of_a_third_peer_is_verified_under_its_own_key(mesh: Mesh) -> None:
    one, two = mesh.pair()
    draft = _core.Draft(
        {"focus": "third third"}, node_id=node_id(3), author="peer-3", created_ms=START_MS, room="default"
    )
    record = _core.sign(draft, identity(3))
    one.keys.add(record.key)
    one.records[record.key] = record
    minted(one.emit("alpha alpha", parents=(record.key,)))
    mesh.advance(5)
    assert two.counts["fetches.returned"] == 1
    assert two.counts["records.refused.author_unknown"] == 1
    assert record.key not in two.keys, "a key that nobody proved here vouches for nothing"


def test_an_answer_nobody_asked_for_changes_nothing(mesh: Mesh) -> None:
    one, two = mesh.pair()
    ask(one, {"type": "cmb-fetch-result", "reqId": "r", "returned": [f"cmb-{'1' * 64}"], "missing": []})
    assert two.counts["fetches.unasked"] == 1


def test_an_answer_that_never_comes_is_not_waited_for(mesh: Mesh) -> None:
    one, two = mesh.pair()
    ghost = f"cmb-{'0' * 64}"
    one.engine._fetching.asked = lambda *_: None  # type: ignore[method-assign]  # a peer that is mute
    minted(one.emit("alpha alpha", parents=(ghost,)))
    mesh.advance(limits.FETCH_SECONDS + 1)
    assert (two.counts["fetches.asked"], two.counts["fetches.unanswered"]) == (1, 1)


def test_asking_goes_on_when_the_peer_is_back(mesh: Mesh) -> None:
    one, two = mesh.pair()
    ghosts = tuple(f"cmb-{number:064x}" for number in range(12))
    minted(one.emit("alpha alpha", parents=ghosts))
    mesh.cut(next(iter(two.ends.values())))
    mesh.advance(30)
    assert two.counts["fetches.missing"] >= 12 - 1, "at most the one that was lost on its way"


def test_a_proposal_without_parents_looks_nothing_up(mesh: Mesh) -> None:
    one, two = mesh.pair()
    one.feed(fx.Emit(mesh.token(), Proposal({"focus": "alone"}, (), None)))
    mesh.settle()
    assert two.engine._fetching._exchanges == {}
