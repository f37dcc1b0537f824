"""Rooms with an owner: who shows the owner's grant comes in, and nobody else, for as long as it holds."""

from __future__ import annotations

import pytest

from covey import _core
from covey.proto import news as nw
from covey.proto.gate import GateOptions
from tests.unit.proto.virtual import START_MS, Host, Mesh, identity

OWNER = identity(9)
NOW_MS = START_MS + 1_000_000
HOUR_MS = 3_600_000
SKEW_MS = 300_000


@pytest.fixture
def mesh() -> Mesh:
    return Mesh()


def grant(number: int, *, lasts_ms: int = HOUR_MS, at_ms: int = NOW_MS, **changed: object) -> _core.RoomGrant:
    """A grant for a peer of this number; `owner`, `room` and `key_of` may differ from what is right."""
    key_of = identity(changed.get("key_of", number))  # type: ignore[arg-type]  # a number, by the caller
    owner = changed.get("owner", OWNER)
    assert isinstance(owner, _core.Identity)
    return _core.RoomGrant.sign(
        owner,
        room=str(changed.get("room", "lab")),
        node_id=identity(number).node_id,
        public_key=key_of.public_key,
        granted_ms=at_ms,
        expires_ms=at_ms + lasts_ms,
    )


def host(mesh: Mesh, number: int, shown: _core.RoomGrant | None, **options: object) -> Host:
    return mesh.host(number, room="lab", gate=GateOptions(OWNER.public_key, shown), **options)


def test_two_guests_show_their_grants_and_hear_each_other(mesh: Mesh) -> None:
    one, two = host(mesh, 1, grant(1)), host(mesh, 2, grant(2))
    mesh.introduce(one, two)
    assert (one.names(), two.names()) == (["peer-2"], ["peer-1"])
    one.emit("alpha alpha")
    two.emit("bravo bravo")
    assert (one.heard(), two.heard()) == (["bravo bravo"], ["alpha alpha"])
    assert one.counts["gate.admitted"] == two.counts["gate.admitted"] == 1


def test_the_owner_shows_none_and_lets_in_only_whom_it_granted(mesh: Mesh) -> None:
    owner, guest, stranger = host(mesh, 9, None), host(mesh, 1, grant(1)), host(mesh, 2, None)
    mesh.introduce(owner, guest)
    mesh.introduce(owner, stranger)
    mesh.advance(60)
    assert owner.names() == ["peer-1"]
    assert guest.names() == ["peer-9"]


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (grant(1, owner=identity(8)), "bad_signature"),
        (grant(3, key_of=1), "not_authorised"),
        (grant(1, key_of=3), "not_authorised"),
        (grant(1, room="other"), "wrong_room"),
        (grant(1, at_ms=NOW_MS - 2 * HOUR_MS), "expired"),
        (grant(1, at_ms=NOW_MS + HOUR_MS), "future_timestamp"),
    ],
)
def test_a_grant_that_does_not_hold_ends_the_session(mesh: Mesh, shown: _core.RoomGrant, reason: str) -> None:
    inside, outside = host(mesh, 2, grant(2)), host(mesh, 1, shown)
    mesh.introduce(inside, outside)
    assert inside.counts[f"gate.refused.{reason}"] >= 1
    assert inside.names() == []
    assert inside.bound == {}, "a key shown beside a bad grant binds nothing"
    assert inside.told(nw.PeerJoined) == []


def test_who_shows_nothing_is_not_heard_and_not_waited_for(mesh: Mesh) -> None:
    inside = host(mesh, 2, grant(2))
    outside = mesh.host(1, room="lab")
    mesh.introduce(inside, outside)
    outside.emit("let me in")
    assert inside.counts["gate.waiting"] == 1
    assert inside.heard() == []
    assert inside.counts["records.dropped.no_grant"] == 1
    mesh.advance(15)
    assert inside.names() == []
    assert inside.counts["sessions.closed.handshake_timeout"] >= 1


def test_a_session_ends_when_its_grant_does(mesh: Mesh) -> None:
    one, two = host(mesh, 1, grant(1, lasts_ms=60_000)), host(mesh, 2, grant(2))
    mesh.introduce(one, two)
    left = (NOW_MS + 60_000 + SKEW_MS - mesh.now().wall_ms) / 1000
    mesh.advance(left - 1)
    assert two.names() == ["peer-1"]
    mesh.advance(2)
    assert two.counts["sessions.closed.room_grant_expired"] == 1
    mesh.advance(30)
    assert two.names() == []
    assert two.counts["gate.refused.expired"] >= 1


def test_a_grant_shown_in_an_open_room_changes_nothing(mesh: Mesh) -> None:
    opener = mesh.host(2, room="lab")
    guest = host(mesh, 1, grant(1))
    mesh.introduce(opener, guest)
    assert opener.names() == ["peer-1"]
    assert opener.counts["gate.ignored"] == 1
