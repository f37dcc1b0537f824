"""What a peer's agents share beside blocks, on `covey.Peer`: state, channels, packs, accounts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from covey.api.channels import Channels
from covey.api.ledger import Ledger
from covey.api.packs import Packs
from covey.api.state import State

if TYPE_CHECKING:
    from covey.cli.peer import OpenPeer
    from covey.runtime.decide.votes import Votes


class Rooms(ABC):
    """The rooms of a peer that runs."""

    _packs: Packs | None = None

    @property
    def state(self) -> State:
        """Return the shared state of its room."""
        return State(self._running().sharing.state)

    @property
    def channels(self) -> Channels:
        """Return the channels of its agent in the room."""
        return Channels(self._running().sharing.channels)

    @property
    def packs(self) -> Packs:
        """Return what agents of the room can do: to offer, to find, to use."""
        if self._packs is None:
            running = self._running()
            self._packs = Packs(
                running.sharing.packs, running.fleet.bus, running.fleet.registry, running.node.node_id
            )
        return self._packs

    @property
    def ledger(self) -> Ledger:
        """Return the accounts of its agent in the room."""
        return Ledger(self._running().sharing.ledger)

    @property
    def votes(self) -> Votes:
        """Return its votes: to call one, to answer those it is asked in, to check what is kept."""
        return self._running().fleet.deciding.votes

    def _close_rooms(self) -> None:
        """End what they do; called when the peer ends."""
        if self._packs is not None:
            self._packs.close()
        self._packs = None

    @abstractmethod
    def _running(self) -> OpenPeer:
        """Return the running peer.

        Raises:
            UsageError: It does not run.
        """
