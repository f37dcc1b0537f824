"""One bus, in one process or over the mesh: what its users may rely on, and what carries messages further."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from covey import limits
from covey.fleet.message import Message
from covey.runtime.bus.inbox import AsyncHandler, Policy
from covey.runtime.bus.values import DeadLetter, Fate, History, Receipt

Handler = Callable[[Message], None]
Cancel = Callable[[], None]


class Bus(Protocol):
    """Messages between agents, wherever they are. Every method may be called from any thread."""

    def register(
        self,
        nickname: str,
        handler: Handler | AsyncHandler,
        *,
        capacity: int = limits.BUS_INBOX,
        policy: Policy = "drop-oldest",
    ) -> Cancel:
        """Call `handler` for every message to a nickname, and for those to everybody; return what ends it."""
        ...

    def unregister(self, nickname: str) -> int:
        """End every registration of a nickname here; return how many there were."""
        ...

    def subscribe(
        self,
        pattern: str,
        handler: Handler | AsyncHandler,
        *,
        nickname: str = "subscriber",
        capacity: int = limits.BUS_INBOX,
        policy: Policy = "drop-oldest",
    ) -> Cancel:
        """Call `handler` for what is published on topics that match a pattern; return what ends it."""
        ...

    def make(
        self,
        sender: str,
        recipient: str,
        kind: str,
        payload: Mapping[str, Any] | None = None,
        *,
        answers: Message | None = None,
        ttl_seconds: float | None = None,
    ) -> Message:
        """Make a message, with an id and the time of now."""
        ...

    def send(self, message: Message, *, proof: bool | None = None) -> Receipt:
        """Deliver a message to its recipient, or to everybody but its sender.

        With `proof` it goes to other peers as a signed record, without it as a frame; None leaves it to the
        message's type (`fleet.message.PROVABLE`). In one process both are the same.
        """
        ...

    def forward(self, message: Message, sender: str, recipient: str, *, proof: bool | None = None) -> Receipt:
        """Hand a message on to somebody else: one hop and one step of depth more."""
        ...

    def publish(self, topic: str, message: Message, *, proof: bool | None = None) -> Receipt:
        """Deliver a message to whoever subscribed to a pattern that its topic matches."""
        ...

    def watch(self, listener: Callable[[Fate], None]) -> Cancel:
        """Call `listener` with what becomes of messages at other peers, on the loop's thread."""
        ...

    def history(
        self,
        *,
        sender: str | None = None,
        recipient: str | None = None,
        kind: str | None = None,
        limit: int | None = None,
    ) -> History:
        """Return the newest messages sent or heard here that meet every condition given."""
        ...

    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the newest messages that reached nobody, and why."""
        ...

    def nicknames(self) -> list[str]:
        """Return whom a message can be sent to now."""
        ...

    def patterns(self) -> list[str]:
        """Return every pattern of topics that somebody subscribed to, as far as is known now."""
        ...

    def counters(self) -> dict[str, int]:
        """Return what was sent, delivered, carried, failed, dropped and refused so far."""
        ...


class Beyond(Protocol):
    """What a local bus asks of whatever carries messages further. Called with the bus's lock held."""

    def where(self, message: Message, topic: tuple[str, ...] | None, *, proof: bool) -> Sequence[str]:
        """Return the peers a message should go to, besides the agents here."""
        ...

    def carry(
        self, message: Message, topic: tuple[str, ...] | None, where: Sequence[str], *, proof: bool
    ) -> None:
        """Send a message to these peers, soon: never at once, the lock is held."""

    def settled(self, receipt: Receipt, *, came: bool) -> None:
        """Take note of what became of a message here; `came` from elsewhere. Called without the lock."""

    def handled(self, message: Message, ended: bool) -> None:
        """Take note that a coroutine handler is over with a message; called without the lock."""

    def changed(self, names: Sequence[str], patterns: Sequence[str]) -> None:
        """Take note of what the agents here answer to now."""
