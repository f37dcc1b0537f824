"""What a relay hears and what it wants done: the events and effects of `RelayServer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from covey.proto.effects import Level
from covey.values import dataclass

# --- events ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Opened:
    """A WebSocket stands."""

    conn: int
    address: str


@dataclass(frozen=True, slots=True)
class Heard:
    """A client sent one text message; None for a binary one."""

    conn: int
    message: bytes | None


@dataclass(frozen=True, slots=True)
class Written:
    """That many bytes said to a client have left for its socket."""

    conn: int
    size: int


@dataclass(frozen=True, slots=True)
class Gone:
    """The WebSocket is closed, by whomever."""

    conn: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline may have passed."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The backplane brought one message of another relay of the cluster."""

    message: bytes


@dataclass(frozen=True, slots=True)
class Published:
    """That many bytes for the backplane have left, or were given up."""

    size: int


@dataclass(frozen=True, slots=True)
class Linked:
    """The backplane can be reached, or no longer, and why."""

    up: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Leave:
    """This relay ends: the others are to know it at once."""


Event = Opened | Heard | Written | Gone | Tick | Carried | Published | Linked | Leave

# --- effects --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Say:
    """Send one text message, in order; answer with Written or Gone."""

    conn: int
    message: bytes


@dataclass(frozen=True, slots=True)
class Drop:
    """Send what is queued if that goes quickly, close with a code; answer with Gone."""

    conn: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Read nothing from this client for a while: backpressure instead of drops."""

    conn: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Note:
    """One log line. It names connections and codes, never a payload or a token."""

    level: Level
    event: str
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Publish:
    """Say something to one relay of the cluster, or to all (`to` None), in order; answer with Published."""

    to: str | None
    message: bytes


Effect = Say | Drop | Hold | Note | Publish
