"""What a peer's agents have of each other, put together for one peer: members, bus, tasks, questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from covey import limits
from covey.cli.deciding import Deciding
from covey.proto import deferred
from covey.runtime.bus.mesh import MeshBus
from covey.runtime.converge import Converge
from covey.runtime.deferred import DeferredPlugin
from covey.runtime.first_use import FirstUse, Verb
from covey.runtime.members import Members
from covey.runtime.registry import Registry
from covey.runtime.work.at_rest import StoreKeeper, desk_of
from covey.store.messages import StoreMessages

if TYPE_CHECKING:
    from covey.cli.parts import Ground
    from covey.fleet.message import Message
    from covey.model import PeerView
    from covey.runtime.ask.plugin import AskPlugin
    from covey.runtime.bus.port import Cancel
    from covey.runtime.node import Node
    from covey.runtime.plugin import Plugin
    from covey.runtime.share.mesh import DoorPlugin, Outgoing
    from covey.runtime.state import SharedState
    from covey.runtime.work.desk import Desk

_ASK: Final = ("covey.runtime.ask.plugin", "covey.store.shelf")
_DOOR: Final = ("covey.runtime.share.mesh",)
_WORK: Final = ("covey.runtime.work.answer", "covey.runtime.work.desk", "covey.runtime.work.rooms")


class Fleet:
    """A peer's part in its fleet. The peer of one short command watches members, and carries no messages.

    Args:
        ground: What it stands on.
        state: What it shares.
    """

    def __init__(self, ground: Ground, state: SharedState) -> None:
        identity, store, clock, entropy = ground.identity, ground.store, ground.clock, ground.entropy
        log = ground.log
        self.members = Members(identity)
        self.bus = MeshBus(clock=clock, entropy=entropy, log=log.write)
        self.ask = DeferredPlugin(deferred.ASK, FirstUse(_ASK, self._asker), log.write)
        self.door = DeferredPlugin(deferred.DOOR, FirstUse(_DOOR, self._caller), log.write)
        self._node: Node | None = None
        self.plugins: tuple[Plugin, ...] = (self.bus, self.ask, self.door) if ground.stays else (self.ask,)
        self._unread = StoreMessages(store)
        self.registry = Registry(identity, self.members, clock)
        self.converge = Converge(state, clock, log.write, self.members.state_of)
        self._identity, self._clock, self._entropy, self._log = identity, clock, entropy, log
        self._keeper = StoreKeeper(ground.writer)
        self._kept: list[bytes] | None = None
        """Tasks that survived, once they are read."""
        self._store = store
        self._tasks = FirstUse(_WORK, self._desk)
        self._peers: Callable[[], Sequence[PeerView]] = tuple
        self._end: Cancel | None = None
        self.deciding = Deciding(ground, self.bus)
        self.verbs: Mapping[str, Verb] = {
            "capabilities": self.registry.answer,
            "converge": self.converge.answer,
            "task": self._task,
            **self.deciding.verbs,
            "ask": self.ask.verb(lambda plugin: plugin.handle),
            "door": self.door.verb(lambda plugin: plugin.view),
        }

    def attach(self, node: Node) -> None:
        """Take the node that carries what this says; called before it starts."""
        self.bus.attach(node, self._unread)
        self._node = node
        self.registry.attach(node)
        self.deciding.attach(node)
        self._peers = node.peers

    @property
    def desk(self) -> Desk:
        """Return this peer's tasks."""
        return self._tasks.now()

    async def __aenter__(self) -> Self:
        """Go on with tasks that survived.

        Raises:
            StoreError: They cannot be read.
        """
        rows = self._kept = await self._keeper.load()
        nickname = desk_of(self._identity.name)
        self._end = self.bus.register(nickname, self._heard, capacity=limits.BUS_OUTGOING, policy="block")
        if self._tasks.made is not None:
            self._tasks.made.begin(rows)
        elif rows:
            await self._tasks.soon()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell whoever waits for agents here that they stop."""
        if self._tasks.made is not None:
            await self._tasks.made.stop()
        if self._end is not None:
            self._end()

    def _desk(self) -> Desk:
        from covey.runtime.work.desk import Desk
        from covey.runtime.work.rooms import MeshRoom

        who = self._identity
        room = MeshRoom(who.node_id, who.name, self.bus, self.registry, self.members)
        room.attach(self._peers)
        clock, entropy = self._clock, self._entropy
        desk = Desk(self.bus, room, self._keeper, clock=clock, entropy=entropy, log=self._log.write)
        if self._kept is not None:
            desk.begin(self._kept)
        return desk

    def _asker(self) -> AskPlugin:
        from covey.runtime.ask.plugin import AskPlugin
        from covey.store.shelf import StoreShelf

        shelf = StoreShelf(self._store, self._identity.node_id)
        plugin = AskPlugin(shelf, self._clock, self._log.write)
        if self._node is not None:
            plugin.attach(self._node)
        return plugin

    def _caller(self) -> DoorPlugin:
        from covey.runtime.share.mesh import DoorPlugin

        plugin = DoorPlugin(self._log.write)
        if self._node is not None:
            plugin.attach(self._node)
        return plugin

    async def _heard(self, message: Message) -> None:
        await (await self._tasks.soon()).hear(message)

    async def _task(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        desk = await self._tasks.soon()
        from covey.runtime.work.answer import TaskAnswers

        return await TaskAnswers(desk, self._store.bindings).answer(arguments)


class DoorCarrier:
    """Carries calls to peers' models; what it takes to is loaded with the first.

    Args:
        door: The plugin of a peer.
    """

    def __init__(self, door: DeferredPlugin[DoorPlugin]) -> None:
        self._door = door

    async def ask(self, peer: str, path: str, body: bytes, *, key: str, seconds: float) -> Outgoing:
        """Call; raises NetworkError where no answer begins."""
        plugin = await self._door.soon()
        return await plugin.ask(peer, path, body, key=key, seconds=seconds)
