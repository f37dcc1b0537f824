"""What the engine of calls and its shell say to each other.

A call from here has a `token` of the shell's; one from elsewhere is named by its peer and that peer's number.
"""

from __future__ import annotations

from typing import NamedTuple

from covey.proto.door.frames import Ask
from covey.values import dataclass


class From(NamedTuple):
    """A call from elsewhere."""

    node_id: str
    call: int


# --- the shell tells the engine ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Open:
    """Let this peer call: doors that are closed refuse at once."""

    open: bool


@dataclass(frozen=True, slots=True)
class Begin:
    """Call a peer; `Room`, `Begun`, `Came` and `Over` follow."""

    token: int
    node_id: str
    ask: Ask


@dataclass(frozen=True, slots=True)
class Body:
    """Send a piece of a body; only as many as `Room` gave."""

    token: int
    data: bytes


@dataclass(frozen=True, slots=True)
class More:
    """An answer's piece was used: one more may come."""

    token: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Nobody here wants the answer any more."""

    token: int


@dataclass(frozen=True, slots=True)
class Let:
    """Let a call from elsewhere in: its body may come."""

    at: From


@dataclass(frozen=True, slots=True)
class Start:
    """Begin the answer of a call from elsewhere."""

    at: From
    status: int
    kind: str
    retry_s: int | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Send a piece of that answer; only as many as there is credit for."""

    at: From
    data: bytes


@dataclass(frozen=True, slots=True)
class Finish:
    """End that answer; with a reason it is not whole."""

    at: From
    reason: str = ""


# --- the engine wants of the shell ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Room:
    """That many pieces of our body may be sent more."""

    token: int
    pieces: int


@dataclass(frozen=True, slots=True)
class Begun:
    """The answer to our call begins."""

    token: int
    status: int
    kind: str
    retry_s: int | None


@dataclass(frozen=True, slots=True)
class Came:
    """Some bytes of the answer to our call."""

    token: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Over:
    """Our call is over; with a reason its answer is not whole, or never came."""

    token: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Knock:
    """A peer asks to be let in: `Let`, or `Start` and `Finish`, answers it."""

    at: From
    fingerprint: str
    name: str
    ask: Ask


@dataclass(frozen=True, slots=True)
class Whole:
    """The body of a call that was let in is complete."""

    at: From
    body: bytes


@dataclass(frozen=True, slots=True)
class Credited:
    """That many pieces of our answer may be sent more."""

    at: From
    pieces: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A call from elsewhere is over before its answer was: cancelled, or its session is lost."""

    at: From
    reason: str
