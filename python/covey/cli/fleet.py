"""What a peer's agents have of each other, put together for one peer: members, bus, tasks, questions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from covey.cli.deciding import Deciding
from covey.runtime.ask.plugin import AskPlugin
from covey.runtime.bus.mesh import MeshBus
from covey.runtime.converge import Converge
from covey.runtime.members import Members
from covey.runtime.registry import Registry
from covey.runtime.share.mesh import DoorPlugin
from covey.runtime.work.answer import TaskAnswers
from covey.runtime.work.desk import Desk
from covey.runtime.work.rooms import MeshRoom, StoreKeeper
from covey.store.messages import StoreMessages
from covey.store.shelf import StoreShelf

if TYPE_CHECKING:
    from covey import _core
    from covey.cli.peer import PeerPlan
    from covey.ports import Clock, Entropy
    from covey.runtime.node import Node
    from covey.runtime.plugin import Plugin
    from covey.runtime.state import SharedState
    from covey.store import NodeStore
    from covey.system.log import Log

Verb = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


class Fleet:
    """A peer's part in its fleet. The peer of one short command watches members, and carries no messages.

    Args:
        identity: Who it is.
        writer: Its store's writer; `store` is the same store.
        store: See `writer`.
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
        writer: NodeStore,
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
        self.door = DoorPlugin(log.write)
        self.plugins: tuple[Plugin, ...] = (self.bus, self.ask, self.door) if stays else (self.ask,)
        self._unread = StoreMessages(store)
        self.registry = Registry(identity, self.members, clock)
        self.converge = Converge(state, clock, log.write)
        self._room = MeshRoom(identity.node_id, identity.name, self.bus, self.registry, self.members)
        self.desk = Desk(
            self.bus, self._room, StoreKeeper(writer), clock=clock, entropy=entropy, log=log.write
        )
        decisions = plan.home.decisions_path(plan.name)
        self.deciding = Deciding(identity, store, self.bus, clock, entropy, log, decisions)
        self.verbs: Mapping[str, Verb] = {
            "capabilities": self.registry.answer,
            "converge": self.converge.answer,
            "task": TaskAnswers(self.desk, store.bindings).answer,
            **self.deciding.verbs,
            **self.ask.verbs,
            "door": self.door.view,
        }

    def attach(self, node: Node) -> None:
        """Take the node that carries what this says; called before it starts."""
        self.bus.attach(node, self._unread)
        self.ask.attach(node)
        self.door.attach(node)
        self.registry.attach(node)
        self.deciding.attach(node)
        self._room.attach(node.peers)

    async def __aenter__(self) -> Self:
        """Go on with tasks that survived.

        Raises:
            StoreError: They cannot be read.
        """
        await self.desk.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell whoever waits for agents here that they stop."""
        await self.desk.stop()
