"""Invites between engines: shown to who gave them, trusted once durable, used once where they say so."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from covey import limits
from covey.proto import effects as fx
from covey.proto import inviting
from covey.proto import news as nw
from covey.proto.inviting import Given, Inviting, Named, Offered, Restored, Taken, Welcome, Welcomed
from tests.unit.proto.virtual import START_MS, Host, Mesh, identity, node_id

ID = "ab" * 16
LATER = START_MS + 3_600_000_000


def given(*, once: bool = False, expires_ms: int = LATER) -> Given:
    return Given(inviting.digest_of(ID), expires_ms, once)


def taken(invite_id: str = ID, expires_ms: int = LATER, key: int = 1) -> Taken:
    return Taken(invite_id, node_id(1), identity(key).fingerprint, expires_ms)


def tell(host: Host, what: object) -> None:
    host.feed(fx.Told("invite", what, bytes(32)))
    host.mesh.settle()


def wanted(host: Host, kind: type) -> list[object]:
    return [want.what for want in host.wanted if isinstance(want.what, kind)]


def durable(host: Host) -> None:
    """Let the inviter's shell answer what it was asked last."""
    (*_, welcome) = wanted(host, Welcome)
    tell(host, Welcomed(welcome.given.digest, welcome.node_id, welcome.fingerprint, True))


class Invited:
    """An inviter, and guests that hold one invite of its."""

    def __init__(self, *kept: Given, guests: int = 1, shown: Taken | None = None) -> None:
        self.mesh = Mesh()
        self.host = self.mesh.host(1, extensions=[Inviting()])
        self.host.loopback = False
        self.guests = [self.mesh.host(2 + number, extensions=[Inviting()]) for number in range(guests)]
        tell(self.host, Restored(kept))
        for guest in self.guests:
            tell(guest, Restored((), (shown or taken(),)))

    def meet(self, number: int = 0) -> Host:
        guest = self.guests[number]
        self.mesh.introduce(self.host, guest)
        return guest

    def trusts(self, guest: Host) -> bool:
        (view,) = [view for view in self.host.engine.peers() if view.node_id == guest.identity.node_id]
        return view.trusted


def test_who_comes_with_an_invite_is_trusted_once_that_is_durable() -> None:
    room = Invited(given())
    guest = room.meet()
    assert not room.trusts(guest), "not before it is written"
    durable(room.host)
    assert room.trusts(guest)
    (answer,) = wanted(guest, inviting.Answered)
    assert (answer.answer, answer.taken) == ("welcome", taken())
    guest.emit("hello")
    assert room.host.heard() == ["hello"]


def test_a_single_use_invite_is_for_the_first_key_and_for_it_again() -> None:
    room = Invited(given(once=True), guests=2)
    first, second = room.meet(0), room.meet(1)
    durable(room.host)
    assert room.trusts(first) and not room.trusts(second)
    assert room.host.counts["invites.refused.used"] == 1
    assert [each.answer for each in wanted(second, inviting.Answered)] == ["used"]
    # it is in the room, where no owner keeps it: both sides are told that this brought no trust
    assert second.names() == ["peer-1"]
    shown = [(news.name, news.answer, news.ours) for news in room.host.told(nw.InviteAnswered)]
    assert sorted(shown) == [("peer-2", "welcome", True), ("peer-3", "used", True)]
    heard = [(news.name, news.answer, news.ours) for news in second.told(nw.InviteAnswered)]
    assert heard == [("peer-1", "used", False)]
    (welcome,) = wanted(room.host, Welcome)
    assert welcome.given.guests == (identity(2).fingerprint,)
    # the same key comes again, as after a crash before its answer
    tell(first, Restored((), (taken(),)))
    assert len(wanted(room.host, Welcome)) == 2


@pytest.mark.parametrize(
    ("kept", "word"),
    [
        ((), "unknown"),
        ((given(expires_ms=START_MS),), "expired"),
        ((replace(given(), digest="0" * 64),), "unknown"),
    ],
)
def test_what_was_not_given_or_has_ended_is_refused_with_its_reason(
    kept: tuple[Given, ...], word: str
) -> None:
    room = Invited(*kept)
    guest = room.meet()
    assert room.host.counts[f"invites.refused.{word}"] == 1
    assert wanted(room.host, Welcome) == []
    assert not room.trusts(guest)
    assert [log.facts["reason"] for log in room.host.logs if log.event == "invite-refused"] == [word]


def test_an_invite_is_shown_only_to_the_key_that_it_names() -> None:
    room = Invited(given(), shown=taken(key=9))
    room.meet()
    assert wanted(room.host, Welcome) == []
    assert room.host.counts["frames.control.x-covey-invite"] == 0


def test_an_invite_that_has_ended_is_not_shown() -> None:
    room = Invited(given(), shown=taken(expires_ms=START_MS))
    guest = room.meet()
    assert guest.counts["invites.expired"] == 1
    assert room.host.counts["frames.control.x-covey-invite"] == 0


def test_what_could_not_be_written_welcomes_nobody_and_is_free_for_the_next() -> None:
    room = Invited(given(once=True), guests=2)
    first = room.meet(0)
    (welcome,) = wanted(room.host, Welcome)
    tell(room.host, Welcomed(welcome.given.digest, welcome.node_id, welcome.fingerprint, False))
    assert not room.trusts(first)
    assert wanted(first, inviting.Answered) == [], "it is shown again when they meet next"
    second = room.meet(1)
    durable(room.host)
    assert room.trusts(second)


def test_a_named_guest_and_a_new_invite_hold_at_once() -> None:
    room = Invited()
    tell(room.host, Offered(given()))
    tell(room.host, Named(node_id(2), identity(2).fingerprint))
    guest = room.meet()
    assert room.trusts(guest)
    assert len(wanted(room.host, Welcome)) == 1


@pytest.mark.parametrize(
    "frame",
    [
        {"id": ID.upper()},
        {"id": ID, "answer": "welcome"},
        {"id": 7},
        {"answer": "maybe"},
        {"answer": ["used"]},
        {},
        {"id": ID, "pad": "x" * 200},
    ],
)
def test_bent_frames_are_refused_and_counted(frame: dict[str, object]) -> None:
    room = Invited(given())
    guest = room.meet()
    before = room.host.counts["frames.refused.x-covey-invite"]
    session = guest.engine._sessions.peers[node_id(1)].active.session  # type: ignore[union-attr]  # it is open
    session.send_control(json.dumps({"type": "x-covey-invite", **frame}).encode())
    guest.emit("so that it is written")
    assert room.host.counts["frames.refused.x-covey-invite"] == before + 1
    assert room.host.heard() == ["so that it is written"]


def test_who_tries_many_ids_is_not_answered_any_more() -> None:
    room = Invited(given())
    guest = room.meet()
    for number in range(20):
        tell(guest, Restored((), (taken(f"{number:032x}"),)))
    assert room.host.counts["invites.refused.unknown"] == limits.INVITE_TRIES_BURST - 1
    assert room.host.counts["invites.ignored.too_many"] > 10


def test_only_a_bounded_number_of_open_invites_is_kept() -> None:
    many = [replace(given(), digest=f"{number:064x}") for number in range(limits.INVITES)]
    kept = inviting.with_given(many, given(), START_MS)
    assert len(kept) == limits.INVITES and kept[-1] == given() and many[0] not in kept
    assert inviting.living([given(expires_ms=START_MS)], START_MS + limits.INVITE_SKEW_MS) == ()
