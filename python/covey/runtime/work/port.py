"""What tasks need of the world beside a bus: who can do what, and a place that survives `kill -9`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from covey.fleet.message import Message
from covey.fleet.work.choice import Candidate


class Room(Protocol):
    """Who is there. Called on the loop's thread."""

    @property
    def node_id(self) -> str:
        """Return who this desk is in the room."""
        ...

    @property
    def nickname(self) -> str:
        """Return what this desk answers to on the bus."""
        ...

    def candidates(self) -> Sequence[Candidate]:
        """Return everybody who may be asked now."""
        ...

    def gone(self, node_id: str) -> bool:
        """Tell whether a peer has left or failed."""
        ...

    def route(self, node_id: str, nickname: str) -> str:
        """Return the recipient that reaches one peer's desk, whose nickname was heard or is ""."""
        ...

    def origin(self, message: Message) -> str:
        """Return the peer that a message came from: proven over the mesh, said by itself in one process."""
        ...

    def proof(self, message: Message) -> str:
        """Return the signed record that a message came as, as JSON; "" for one without."""
        ...

    def must_prove(self, node_id: str) -> bool:
        """Tell whether a result from there counts only as a signed record."""
        ...

    def announce(self, agent: str, capabilities: Sequence[str], capacity: int) -> None:
        """Tell the room what an agent of this desk can do.

        Raises:
            UsageError: It cannot be said.
        """

    def withdraw(self, agent: str) -> None:
        """Offer nothing of an agent any more."""

    def busy(self, agent: str, running: int) -> None:
        """Tell the room how many tasks an agent has."""


class Keeper(Protocol):
    """Where tasks survive."""

    async def load(self) -> Sequence[bytes]:
        """Return every row, in the order they were first kept.

        Raises:
            StoreError: They cannot be read.
        """
        ...

    async def keep(self, rows: Sequence[tuple[str, bytes]], dropped: Sequence[str]) -> None:
        """Make rows durable under their ids, and delete others, all or nothing.

        Raises:
            StoreError: Nothing was changed.
        """
