"""What a relay's client tells the node: who is there, what came, what did not get there."""

from __future__ import annotations

from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Presence:
    """A peer is here (`online`), or here no more. `again`: it came although it had not left."""

    node_id: str
    name: str
    online: bool
    again: bool = False


@dataclass(frozen=True, slots=True)
class Arrived:
    """A frame of a peer's, as the relay says; `kind` and `session_id` are read from it."""

    node_id: str
    kind: str
    session_id: str | None
    frame: bytes


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A frame for this peer was not delivered."""

    node_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Pace:
    """So much waits for its turn that nothing more should be sealed for this relay; or no longer."""

    full: bool


@dataclass(frozen=True, slots=True)
class Reachable:
    """We have a place at the relay, or lost it, and with it everything through it."""

    here: bool


@dataclass(frozen=True, slots=True)
class Collision:
    """Another process was here under our nodeId before we ever had a place: we are the later one."""


ForNode = Presence | Arrived | Undelivered | Pace | Reachable | Collision
