"""The vocabulary of directed sends: what the store answers, the application says, and what is wanted.

Rules: as for `effects`, of which these are part: frozen values only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from covey.model import SendState
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core

# --- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutboxLoaded:
    """The durable outbox for one peer, behind the number `after`: signed own records that wait for it.

    `records` are (record, number, deadline in wall milliseconds) by number, `more` says that others wait
    behind them; `base` is the lowest number that may still be sent. `unfinished` are assertion ids of what
    the peer has and has not said to have finished, newest first; `given_up` are (first, last) numbers that
    expired; `unreadable` are (assertion id, number) of rows that do not verify.
    """

    node_id: str
    records: tuple[tuple[_core.Record, int, int], ...]
    after: int = 0
    stream: str = ""
    base: int = 1
    more: bool = False
    unfinished: tuple[str, ...] = ()
    given_up: tuple[tuple[int, int], ...] = ()
    unreadable: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class SendEnd:
    """What the outbox now says of one record at one peer; `closed`: nothing more is awaited."""

    node_id: str
    assertion_id: str
    key: str
    number: int
    state: SendState
    reason: str | None
    closed: bool


@dataclass(frozen=True, slots=True)
class SendsSettled:
    """What a `SettleSends` changed, durably."""

    node_id: str
    rows: tuple[SendEnd, ...]


@dataclass(frozen=True, slots=True)
class SendsExpired:
    """What waited past its deadline, and when the next deadline is (wall milliseconds), if there is one."""

    rows: tuple[SendEnd, ...]
    next_ms: int | None


@dataclass(frozen=True, slots=True)
class StreamLoaded:
    """How far a sender's numbers were taken; `stream` None where it never sent any."""

    node_id: str
    stream: str | None
    cursor: int
    beyond: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EndingsLoaded:
    """How the application ended what a peer asks about: (assertion id, how or None, why) for what is held."""

    node_id: str
    asked: tuple[str, ...]
    found: tuple[tuple[str, str | None, str | None], ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """The application has finished with a block for this peer: `how` is executed, unexecuted or expired."""

    assertion_id: str
    how: str
    why: str | None


@dataclass(frozen=True, slots=True)
class EndingKept:
    """How the application ended a block is durable; `node_id` sent it."""

    node_id: str
    assertion_id: str
    how: str
    why: str | None


@dataclass(frozen=True, slots=True)
class NotDone:
    """The store could not do what was wanted; it is wanted again a little later."""

    wish: Effect
    reason: str


# --- effects ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LoadOutbox:
    """Read what waits for this peer behind the number `after`; answer with OutboxLoaded."""

    node_id: str
    after: int = 0


@dataclass(frozen=True, slots=True)
class SettleSends:
    """Take into the outbox what a peer says of directed records; answer with SendsSettled.

    `said` are (assertion id, state, reason, nothing more is awaited).
    """

    node_id: str
    said: tuple[tuple[str, SendState, str | None, bool], ...]


@dataclass(frozen=True, slots=True)
class ExpireSends:
    """End what waited past its deadline; answer with SendsExpired."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class LoadStream:
    """Read how far this peer's numbers were taken; answer with StreamLoaded."""

    node_id: str


@dataclass(frozen=True, slots=True)
class StreamMoved:
    """Remember how far a sender's numbers were taken."""

    node_id: str
    stream: str
    cursor: int


@dataclass(frozen=True, slots=True)
class KeepGap:
    """Remember numbers that were not delivered in their place; `last` 0: nobody knows how many."""

    node_id: str
    stream: str
    first: int
    last: int
    late: bool
    reason: str


@dataclass(frozen=True, slots=True)
class LoadEndings:
    """Read how the application ended what a peer asks about; answer with EndingsLoaded."""

    node_id: str
    assertion_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeepEnding:
    """Write down how the application ended a block; answer with EndingKept where that is new."""

    assertion_id: str
    how: str
    why: str | None


Event = (
    OutboxLoaded | SendsSettled | SendsExpired | StreamLoaded | EndingsLoaded | Ended | EndingKept | NotDone
)
Effect = (
    LoadOutbox | SettleSends | ExpireSends | LoadStream | StreamMoved | KeepGap | LoadEndings | KeepEnding
)
EFFECTS = (LoadOutbox, SettleSends, ExpireSends, LoadStream, StreamMoved, KeepGap, LoadEndings, KeepEnding)
"""The same as a tuple, for tables."""
