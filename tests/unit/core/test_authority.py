"""Authority and room grants as Python holds them: no mesh, no clock."""

import json

import pytest

from covey import _core

ANCHOR = _core.Identity("018f47a0-7b21-7abc-8def-0000000000a1", "anchor", b"\xa1" * 32)
ADMIN = _core.Identity("018f47a0-7b21-7abc-8def-00000000000a", "admin", b"\xad" * 32)
GUEST = _core.Identity("018f47a0-7b21-7abc-8def-0000000000ee", "guest", b"\xee" * 32)
PIN = _core.AnchorPin(1, [(ANCHOR.public_key, ANCHOR.node_id)])
NOW = 1_800_000_000_000


def grant(source: str, subject: _core.Identity, role: str, signer: _core.Identity) -> _core.Statement:
    draft = _core.Statement.grant(
        source, node_id=subject.node_id, public_key=subject.public_key, role=role, nonce=role.encode()[:4] * 4
    )
    return draft.sign(signer)


def test_roles_follow_what_the_anchor_signed_and_end_with_its_revoke() -> None:
    authority = _core.Authority(PIN)
    empty = authority.root
    admin = grant("anchor", ADMIN, "admin", ANCHOR)
    guest = grant(admin.id, GUEST, "validator", ADMIN)
    assert authority.offer(guest) == ("missing", admin.id)
    assert authority.price(guest) == 0
    assert authority.price(admin) > 1
    assert authority.offer(admin) == ("new", None)
    assert authority.offer(admin) == ("known", None)
    assert authority.offer(guest) == ("new", None)
    assert authority.roles(GUEST.node_id, GUEST.public_key) == [("validator", None)]
    assert authority.roles(GUEST.node_id, ADMIN.public_key) == []
    assert authority.reach(ADMIN.node_id, ADMIN.public_key) == "canonical"
    assert authority.reach(ANCHOR.node_id, ANCHOR.public_key) == "canonical"
    assert (authority.count, len(authority)) == (2, 2)
    revoke = _core.Statement.revoke("anchor", [admin.id], nonce=b"r" * 16).sign(ANCHOR)
    authority.offer(_core.Statement.parse(revoke.to_json()))
    assert [authority.standing(s.id) for s in (admin, guest, revoke)] == ["removed", "dead", "in-force"]
    assert authority.reach(GUEST.node_id, GUEST.public_key) == "none"
    endorse = _core.Statement.endorse("anchor", [guest.id], nonce=b"e" * 16).sign(ANCHOR)
    authority.offer(endorse)
    assert authority.standing(guest.id) == "in-force"
    assert authority.root != empty
    assert {holder[0] for holder in authority.holders()} == {ANCHOR.node_id, GUEST.node_id}


def test_pages_lead_a_second_node_to_the_same_root() -> None:
    first, second = _core.Authority(PIN), _core.Authority(PIN)
    admin = grant("anchor", ADMIN, "admin", ANCHOR)
    for statement in (admin, grant(admin.id, GUEST, "issuer", ADMIN)):
        first.offer(statement)
    cursor: str | None = ""
    while cursor is not None:
        page, cursor = first.page(cursor, 1)
        assert [second.offer(statement)[0] for statement in page] == ["new"]
    assert second.root == first.root
    assert [s.id for s in second.statements()] == sorted(s.id for s in first.statements())


def test_what_nobody_may_say_is_refused_with_its_reason() -> None:
    authority = _core.Authority(PIN)
    with pytest.raises(_core.CoreError) as forged:
        authority.offer(grant("anchor", GUEST, "admin", GUEST))
    assert forged.value.reason == "bad_signature"
    admin = grant("anchor", ADMIN, "participant", ANCHOR)
    authority.offer(admin)
    with pytest.raises(_core.CoreError) as beyond:
        authority.offer(grant(admin.id, GUEST, "participant", ADMIN))
    assert beyond.value.reason == "not_authorised"
    with pytest.raises(_core.CoreError):
        _core.Statement.parse(b"{}")
    with pytest.raises(_core.CoreError):
        _core.AnchorPin(2, [(ANCHOR.public_key, None)])
    with pytest.raises(_core.CoreError):
        _core.AnchorPin(1, [(b"\x01" + bytes(31), None)])


def test_a_statement_says_what_it_is() -> None:
    statement = grant("anchor", ADMIN, "admin", ANCHOR)
    assert (statement.kind, statement.source, statement.issued_ms) == ("grant", "anchor", None)
    assert statement.subject == (ADMIN.node_id, ADMIN.public_key, "admin", None)
    revoke = _core.Statement.revoke(statement.id, [statement.id], nonce=bytes(16), issued_ms=5)
    assert (revoke.kind, revoke.source, revoke.targets) == ("revoke", statement.id, (statement.id,))
    assert (revoke.subject, revoke.issued_ms) == (None, 5)
    assert len(PIN.digest) == 64 and PIN.threshold == 1
    assert PIN.members == [(ANCHOR.public_key, ANCHOR.node_id)]


def test_a_room_grant_opens_one_room_to_one_node_for_a_while() -> None:
    signed = _core.RoomGrant.sign(
        ANCHOR,
        room="team",
        node_id=GUEST.node_id,
        public_key=GUEST.public_key,
        granted_ms=NOW,
        expires_ms=NOW + 1000,
    )
    assert json.loads(signed.to_frame())["type"] == "room-join"
    for read in (_core.RoomGrant.parse(signed.to_json()), _core.RoomGrant.parse_frame(signed.to_frame())):
        read.verify(
            ANCHOR.public_key, room="team", node_id=GUEST.node_id, public_key=GUEST.public_key, now_ms=NOW
        )
    assert (signed.room, signed.grantee) == ("team", GUEST.node_id)
    with pytest.raises(_core.CoreError) as copied:
        signed.verify(
            ANCHOR.public_key, room="team", node_id=ADMIN.node_id, public_key=ADMIN.public_key, now_ms=NOW
        )
    assert copied.value.reason == "not_authorised"
    with pytest.raises(_core.CoreError) as late:
        signed.verify(
            ANCHOR.public_key,
            room="team",
            node_id=GUEST.node_id,
            public_key=GUEST.public_key,
            now_ms=signed.closes_ms,
        )
    assert late.value.reason == "expired"
