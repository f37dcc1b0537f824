"""A peer's part in deciding together, put together for one peer: its address, its books, its verbs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from covey.errors import UsageError
from covey.runtime.decide.address import address_of
from covey.runtime.first_use import FirstUse, Verb
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core
    from covey.cli.parts import Ground
    from covey.fleet.message import Message
    from covey.runtime.bus.mesh import MeshBus
    from covey.runtime.decide.auction_desk import AuctionDesk
    from covey.runtime.decide.auctions import Auctions
    from covey.runtime.decide.post import Post
    from covey.runtime.decide.solving import Solving
    from covey.runtime.decide.vote_desk import VoteDesk
    from covey.runtime.decide.votes import Votes
    from covey.runtime.node import Node

_MODULES: Final = (
    "covey.runtime.decide.auction_desk",
    "covey.runtime.decide.solving",
    "covey.runtime.decide.vote_desk",
    "covey.system.decisions",
)


class StoredKeys:
    """Keys that sessions proved, now or as the store has them, and whom the node heeds.

    Args:
        store: The peer's store.
        identity: Who this peer is.
    """

    def __init__(self, store: _core.Store, identity: _core.Identity) -> None:
        self._store = store
        self._identity = identity
        self.node: Node | None = None

    async def key_of(self, node_id: str) -> bytes | None:
        """Return the key that is known of a node, or None. A session of now is ahead of the store."""
        found = None if self.node is None else self.node.key_of(node_id)
        return found or (await asyncio.to_thread(self.all)).get(node_id)

    def all(self) -> dict[str, bytes]:
        """Return every key that is known, by nodeId. Blocks."""
        known = {node_id: bytes(key) for node_id, key, _, _ in self._store.bindings()}
        return {**known, self._identity.node_id: bytes(self._identity.public_key)}

    async def names(self) -> dict[str, str]:
        """Return every name that is known, by nodeId."""
        return await asyncio.to_thread(self._names)

    def heeds(self, node_id: str) -> bool:
        """Tell whether a node may wake agents here."""
        return self.node is not None and self.node.heeds(node_id)

    def node_of(self, word: str) -> str:
        """Return the nodeId that a name or nodeId means, also of one that is away.

        Raises:
            UsageError: It means none, or several.
        """
        names = self._names()
        if word in names:
            return word
        found = [node_id for node_id, name in names.items() if name == word]
        if len(found) != 1:
            if found:
                raise UsageError(
                    f'"{word}" names {len(found)} peers that are known here', hint="name it by its nodeId"
                )
            raise UsageError(
                f'no peer named "{word[:64]}" is known here',
                hint="it must have been connected to this peer once; covey peers shows who is",
            )
        return found[0]

    def _names(self) -> dict[str, str]:
        known = {node_id: name for node_id, _, name, _ in self._store.bindings()}
        here = {each.node_id: each.name for each in (self.node.peers() if self.node is not None else ())}
        return {**known, **here, self._identity.node_id: self._identity.name}


@dataclass(frozen=True, slots=True)
class _Parts:
    """What decides, once something is decided."""

    post: Post
    votes: Votes
    auctions: Auctions
    solving: Solving
    vote_desk: VoteDesk
    auction_desk: AuctionDesk


class Deciding:
    """How one peer decides with others; it listens while it runs, and loads the rest at the first word.

    Args:
        ground: What the peer stands on.
        bus: Carries the words.
    """

    def __init__(self, ground: Ground, bus: MeshBus) -> None:
        self._ground = ground
        self._bus = bus
        self._keys = StoredKeys(ground.store, ground.identity)
        self._open = False
        self._parts = FirstUse(_MODULES, self._made)
        self.verbs: Mapping[str, Verb] = {"vote": self._vote, "auction": self._auction}

    def attach(self, node: Node) -> None:
        """Take who knows whom to heed; called before anything is heard."""
        self._keys.node = node

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen, and answer, for as long as the context lasts."""
        end = self._bus.subscribe(address_of(self._ground.identity.node_id), self._heard, nickname="decide")
        self._open = True
        try:
            yield
        finally:
            self._open = False
            end()
            if self._parts.made is not None:
                self._parts.made.post.close()

    @property
    def votes(self) -> Votes:
        """Return its votes; raises UsageError where the peer does not run."""
        return self._listens().now().votes

    @property
    def auctions(self) -> Auctions:
        """Return its auctions; raises UsageError where the peer does not run."""
        return self._listens().now().auctions

    @property
    def solving(self) -> Solving:
        """Return its part in solving; raises UsageError where the peer does not run."""
        return self._listens().now().solving

    def _listens(self) -> FirstUse[_Parts]:
        if not self._open:
            raise UsageError("this peer does not listen: it decides nothing with others")
        return self._parts

    def _made(self) -> _Parts:
        from covey.runtime.decide.auction_desk import AuctionDesk
        from covey.runtime.decide.auctions import Auctions
        from covey.runtime.decide.post import Post, World
        from covey.runtime.decide.solving import Solving
        from covey.runtime.decide.vote_desk import VoteDesk
        from covey.runtime.decide.votes import Votes
        from covey.system.decisions import DecisionFiles

        ground, names = self._ground, self._keys.names
        world = World(ground.clock, ground.entropy, ground.log.write)
        book = DecisionFiles(ground.plan.home.decisions_path(ground.plan.name))
        post = Post(self._bus, ground.identity, self._keys, world, listens=False)
        votes, auctions = Votes(post, book), Auctions(post, book)
        solving = Solving(post, votes, book)
        return _Parts(post, votes, auctions, solving, VoteDesk(votes, names), AuctionDesk(auctions, names))

    async def _heard(self, message: Message) -> None:
        await (await self._parts.soon()).post.hear(message)

    async def _vote(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return await (await self._listens().soon()).vote_desk.answer(arguments)

    async def _auction(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return await (await self._listens().soon()).auction_desk.answer(arguments)
