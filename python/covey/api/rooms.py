"""What `covey.Peer` has beside blocks: state, channels, packs, tasks, accounts, continuity, questions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from covey import limits
from covey.api.channels import Channels
from covey.api.continuity import Continuity
from covey.api.ledger import Ledger
from covey.api.packs import Packs
from covey.api.state import State
from covey.api.syndication import Syndication
from covey.api.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from covey.cli.peer import OpenPeer
    from covey.cognition.curation import Curated
    from covey.model import Block
    from covey.ports import Model
    from covey.runtime.ask.answer import Answer
    from covey.runtime.decide.auctions import Auctions
    from covey.runtime.decide.solving import Solving
    from covey.runtime.decide.votes import Votes


class Rooms(ABC):
    """The rooms of a peer that runs."""

    _packs: Packs | None = None

    @property
    def state(self) -> State:
        """Return the shared state of its room."""
        return State(self._running().sharing.state)

    @property
    def syndication(self) -> Syndication:
        """Return what its agent keeps of its own, and what of it others may have."""
        return Syndication(self._running().sharing.syndicator)

    @property
    def continuity(self) -> Continuity:
        """Return who goes on with its agent, and the agents it goes on with itself."""
        return Continuity(self._running().sharing.continuity)

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

    async def ask_mesh(
        self, question: str, *, within_seconds: float = limits.ASK_SECONDS, model: Model | None = None
    ) -> Answer:
        """Put a question to everybody in the room and return one answer, whose every sentence is cited.

        Each peer looks into its own store and contributes, or says why not; the answer is written back as a
        block with that lineage (MMP 2.0 §12.8). `ask` waits for what agents and programs say instead.

        Args:
            question: 2,000 characters at most.
            within_seconds: How long contributions are waited for, 120 at most; less, when all have answered.
            model: Composes the answer; None restates what was contributed, and says so.

        Raises:
            UsageError: The question is none, or the time. CoveyError: It could not be asked.
        """
        asker = await self._running().fleet.ask.soon()
        return await asker.desk.ask(question, within_seconds, model)

    async def curate(
        self,
        block: Block,
        *,
        task: str = "",
        token_budget: int = limits.CURATED_TOKENS,
        weights: Mapping[str, float] | None = None,
    ) -> Curated:
        """Choose what a model should read of a block and of what it came from (MMP 2.0 §12.4).

        Args:
            block: What is to be understood.
            task: What the agent is doing now, in words.
            token_budget: The most tokens of everything that is shown.
            weights: Category weights by name; None takes the peer's own.

        Raises:
            StoreError: The store cannot be read.
        """
        running = self._running()
        asker = await running.fleet.ask.soon()
        return await asker.curated(block, task, token_budget, weights)

    @property
    def auctions(self) -> Auctions:
        """Return its auctions: to hold one, to bid in those of others, to check what is kept."""
        return self._running().fleet.deciding.auctions

    @property
    def solving(self) -> Solving:
        """Return its part in solving together: to put a problem, to join with a mind, to check."""
        return self._running().fleet.deciding.solving

    @property
    def tasks(self) -> Tasks:
        """Return the tasks of this peer: to have them done by whoever can, and to do those of others."""
        running = self._running()
        return Tasks(running.fleet.desk, running.node.identity.name)

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
