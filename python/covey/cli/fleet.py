"""What a peer's agents have of each other, put together for one peer: who is there, the bus, questions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from covey.cli.deciding import Deciding
from covey.runtime.ask.plugin import AskPlugin
from covey.runtime.bus.mesh import MeshBus
from covey.runtime.converge import Converge
from covey.runtime.members import Members
from covey.runtime.registry import Registry
from covey.store.messages import StoreMessages
from covey.store.shelf import StoreShelf

if TYPE_CHECKING:
    from covey import _core
    from covey.cli.peer import PeerPlan
    from covey.ports import Clock, Entropy
    from covey.runtime.node import Node
    from covey.runtime.plugin import Plugin
    from covey.runtime.state import SharedState
    from covey.system.log import Log

Verb = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


class Fleet:
    """A peer's part in its fleet. The peer of one short command watches members, and carries no messages.

    Args:
        identity: Who it is.
        store: Its store.
        clock: Times.
        entropy: Ids.
        log: Its log.
        state: What it shares.
        plan: Where it keeps what was decided.
        stays: False for the peer of one short command.
    """

    def __init__(
        self,
        identity: _core.Identity,
        store: _core.Store,
        clock: Clock,
        entropy: Entropy,
        log: Log,
        state: SharedState,
        plan: PeerPlan,
        *,
        stays: bool,
    ) -> None:
        self.members = Members(identity)
        self.bus = MeshBus(clock=clock, entropy=entropy, log=log.write)
        self.ask = AskPlugin(StoreShelf(store, identity.node_id), clock, log.write)
        self.plugins: tuple[Plugin, ...] = (self.bus, self.ask) if stays else (self.ask,)
        self._unread = StoreMessages(store)
        self.registry = Registry(identity, self.members, clock)
        self.converge = Converge(state, clock, log.write)
        decisions = plan.home.decisions_path(plan.name)
        self.deciding = Deciding(identity, store, self.bus, clock, entropy, log, decisions)
        self.verbs: Mapping[str, Verb] = {
            "capabilities": self.registry.answer,
            "converge": self.converge.answer,
            **self.deciding.verbs,
            **self.ask.verbs,
        }

    def attach(self, node: Node) -> None:
        """Take the node that carries what this says; called before it starts."""
        self.bus.attach(node, self._unread)
        self.ask.attach(node)
        self.registry.attach(node)
        self.deciding.attach(node)
