"""What this peer signs, and under which authority (MMP 2.0 §6.6.2, §6.6.3).

Rules: a statement names the one grant it is signed with. Of several that permit it the lowest id is taken, so
that two runs choose the same; where none does, nothing is signed.
"""

from __future__ import annotations

import json
from typing import Final, Literal

from covey import _core
from covey.values import dataclass

ANCHOR: Final = "anchor"
_DELEGATING: Final = ("admin", "validator", "issuer")
_Kind = Literal["grant", "revoke", "endorse"]


class NoAuthorityError(Exception):
    """This peer holds nothing in force that permits the statement; its text says what was wanted."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A statement somebody wants: of a grant the subject, role and scope; else the ids it names.

    `as_anchor` signs as one of the anchor's members, also where several must sign.
    """

    kind: _Kind
    node_id: str = ""
    public_key: bytes = b""
    role: str = ""
    scope: str | None = None
    targets: tuple[str, ...] = ()
    as_anchor: bool = False


def signed(
    wish: Wish,
    identity: _core.Identity,
    authority: _core.Authority,
    pin: _core.AnchorPin,
    *,
    nonce: bytes,
    now_ms: int,
) -> _core.Statement:
    """Sign what was wished.

    Args:
        nonce: 16 unpredictable bytes: two grants of one role to one node are two statements.
        now_ms: Written into the statement for people; no decision uses it.

    Raises:
        NoAuthorityError: Nothing that is in force permits it.
        CoreError: It cannot be written: an unknown role, scope or id, or too many targets.
    """
    source = _source(wish, identity, authority, pin)
    if wish.kind == "grant":
        draft = _core.Statement.grant(
            source,
            node_id=wish.node_id,
            public_key=wish.public_key,
            role=wish.role,
            scope=wish.scope,
            nonce=nonce,
            issued_ms=now_ms,
        )
    else:
        drafted = _core.Statement.revoke if wish.kind == "revoke" else _core.Statement.endorse
        draft = drafted(source, list(wish.targets), nonce=nonce, issued_ms=now_ms)
    return draft.sign(identity)


def missing_signatures(statement: _core.Statement, pin: _core.AnchorPin) -> int:
    """Return how many members of the anchor must still sign; 0 for what a single key signs."""
    if statement.source != ANCHOR:
        return 0
    have = len(json.loads(statement.to_json())["sigs"])
    return max(0, pin.threshold - have)


def hold(statement: _core.Statement, authority: _core.Authority) -> str:
    """Hold a statement of the operator's; return "new" or "known".

    Raises:
        NoAuthorityError: The grant it is signed with is not held.
        CoreError: It does not hold under the pin, or there is no room.
    """
    told, missing = authority.offer(statement)
    if told == "missing":
        raise NoAuthorityError(f"the grant it is signed with is not held: {missing}")
    return told


def why(error: NoAuthorityError | _core.CoreError) -> str:
    """Return what a person is told."""
    return error.detail if isinstance(error, _core.CoreError) else str(error)


def _source(wish: Wish, identity: _core.Identity, authority: _core.Authority, pin: _core.AnchorPin) -> str:
    pinned = any(key == identity.public_key for key, _ in pin.members)
    if pinned and (wish.as_anchor or pin.threshold == 1):
        return ANCHOR
    if wish.as_anchor:
        raise NoAuthorityError("this peer's key is not one of the pinned anchor's")
    for grant in _own_grants(identity, authority):
        if _permits(grant, wish, authority):
            return grant.id
    raise NoAuthorityError(f"this peer holds no authority in force that permits this {wish.kind}")


def _own_grants(identity: _core.Identity, authority: _core.Authority) -> list[_core.Statement]:
    def is_own(statement: _core.Statement) -> bool:
        subject = statement.subject
        ours = subject is not None and subject[:2] == (identity.node_id, identity.public_key)
        return ours and authority.standing(statement.id) == "in-force"

    return sorted((s for s in authority.statements() if is_own(s)), key=lambda s: s.id)


def _permits(grant: _core.Statement, wish: Wish, authority: _core.Authority) -> bool:
    assert grant.subject is not None, "a grant has a subject"
    _, _, role, scope = grant.subject
    if wish.kind == "grant":
        may = role == "admin" or (role in _DELEGATING and wish.role not in _DELEGATING)
        return may and _covers(scope, wish.scope)
    if wish.kind == "revoke":
        return role in _DELEGATING and all(grant.id in _above(each, authority) for each in wish.targets)
    # An endorse comes from strictly above the grant that the target hangs from.
    return role == "admin" and all(grant.id in _above(each, authority)[1:] for each in wish.targets)


def _covers(scope: str | None, inner: str | None) -> bool:
    """Tell whether a scope equals another or is wider by whole segments; None is the whole mesh."""
    return scope is None or (inner is not None and (inner == scope or inner.startswith(scope + "/")))


def _above(statement_id: str, authority: _core.Authority) -> list[str]:
    """Return the grants above a held statement, the nearest first; nothing for one that is not held."""
    chain: list[str] = []
    held = authority.get(statement_id)
    while held is not None and held.source != ANCHOR:
        chain.append(held.source)
        held = authority.get(held.source)
    return chain
