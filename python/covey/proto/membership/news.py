"""What membership tells: each member joins once and leaves once in an incarnation, in this order."""

from __future__ import annotations

from typing import Literal

from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class MemberJoined:
    """A member is present: in an incarnation that was not before."""

    node_id: str
    name: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class MemberSuspected:
    """A member does not answer; it has some time to speak up."""

    node_id: str
    name: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """A member is present no more: it said goodbye (`left`), or did not answer (`failed`)."""

    node_id: str
    name: str
    incarnation: int
    reason: Literal["left", "failed"]
