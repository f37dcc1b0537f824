"""What a shell says to membership, and how a member is shown."""

from __future__ import annotations

from covey.proto.membership.members import Member, State
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Say:
    """Tell every member this line of JSON about us from now on."""

    meta: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Say goodbye: this process stops."""


@dataclass(frozen=True, slots=True)
class MemberView:
    """One member as `peers` and `status` show it. `suspicion` is how much of its time is over, 0 to 1."""

    node_id: str
    name: str
    state: State
    incarnation: int
    meta: str
    seconds: float
    suspicion: float
    accusers: int


def view_of(member: Member, now: float) -> MemberView:
    """Return a member as it is shown at that monotonic instant."""
    suspicion = member.suspicion
    return MemberView(
        node_id=member.node_id,
        name=member.said.name,
        state=member.state,
        incarnation=member.said.incarnation,
        meta=member.said.meta,
        seconds=max(0.0, now - member.since),
        suspicion=suspicion.level(now) if suspicion is not None else 0.0,
        accusers=len(suspicion.accusers) if suspicion is not None else 0,
    )
