"""What the bus's engine and its shell say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core

SCHEMA: Final = "urn:covey:message:1"
"""The application schema of a directed record that is a message; the core keeps these out of memory."""

# --- the shell tells the engine ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell every peer what the agents here answer to from now on."""

    names: tuple[str, ...]
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Carry:
    """Send one message (`body`, as JSON) to these peers; a `Fate` comes for each."""

    token: str
    node_ids: tuple[str, ...]
    topic: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """Tell a peer what became of its message `seq`: one of `frames.STATES`, and why."""

    node_id: str
    seq: int
    state: str
    reason: str = ""


# --- the engine wants of the shell ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """What a peer's agents answer to now: all of it."""

    node_id: str
    peer: str
    names: tuple[str, ...]
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gone:
    """A peer's last session is over."""

    node_id: str


@dataclass(frozen=True, slots=True)
class Heard:
    """A peer's message, within its budget, not read yet; `Answer` it with the same `seq`."""

    node_id: str
    peer: str
    seq: int
    topic: str
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Proven:
    """A message as a directed record: verified, durable, delivered once; past `expires_ms` it is too late."""

    record: _core.Record
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class Unheeded:
    """A message as a directed record, of somebody who may wake nobody here."""

    assertion_id: str


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a message at one peer: a `SendState`, and a stable word for why.

    `accepted` is sealed and on its way. `unknown` is no word within the time, or a session that broke.
    """

    token: str
    node_id: str
    state: str
    reason: str = ""
