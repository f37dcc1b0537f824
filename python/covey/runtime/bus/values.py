"""What the bus answers: receipts, dead letters, pages of history, and the errors of a request."""

from __future__ import annotations

from covey.errors import CoveyError
from covey.fleet.message import Message
from covey.model import SendState
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one message.

    `delivered` handlers ran to their end, `failed` raised (`errors` says what), `queued` will run on their
    own loop, `refused` were full or gone, `carried` are peers it was sent on to (what becomes of it there
    comes as a `Fate`). `duplicate`: its id was sent before, nothing ran again. `dead` says
    why it reached nobody, or is "".
    """

    message: Message
    delivered: int = 0
    failed: int = 0
    queued: int = 0
    refused: int = 0
    carried: int = 0
    duplicate: bool = False
    dead: str = ""
    errors: tuple[str, ...] = ()

    @property
    def reached(self) -> int:
        """Return how many handlers took it, or will, and how many peers it was sent on to."""
        return self.delivered + self.failed + self.queued + self.carried


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a message at one peer: a state of a send, and a stable word for why.

    `accepted`: on its way. `delivered`: it waits for its handler there. `executed`: its handlers ran.
    `refused`: nobody took it, `reason` says why. `expired`: its deadline passed first. `unknown`: nobody
    can say.
    """

    message_id: str
    node_id: str
    state: SendState
    reason: str = ""

    @property
    def lost(self) -> bool:
        """Tell whether that peer will not act on it, as far as anybody knows."""
        return self.state in (SendState.REFUSED, SendState.EXPIRED, SendState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that reached nobody, and why: no-recipient, no-subscriber, expired, too-deep or full."""

    message: Message
    reason: str


@dataclass(frozen=True, slots=True)
class History:
    """Messages in the order they were sent; `dropped` older ones are no longer kept."""

    messages: tuple[Message, ...]
    dropped: int


class NoSuchAgentError(CoveyError):
    """A request names a nickname that nobody has registered."""


class RequestTimeoutError(CoveyError):
    """No reply came before the deadline; the other side was told to stop."""


class RequestFailedError(CoveyError):
    """The other side answered with an ERROR message; `message` is what it said."""
