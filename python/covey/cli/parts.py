"""Everything beside records that a peer takes part in, assembled: the one place that knows all of its parts.

A part has plugins for the node and verbs for the control socket, and is told the node before it starts. What
a part is made of stands in its own file: `rooms`, `sharing`, `fleet`, `offers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from covey.cli.fleet import Fleet
from covey.cli.offers import Offers
from covey.cli.rooms import Rooms, rooms_of
from covey.cli.sharing import Sharing
from covey.runtime.first_use import Verb
from covey.runtime.gatekeeper import Gatekeeper
from covey.runtime.paths import told_paths
from covey.store import StoreMemory
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core
    from covey.cli.peer import PeerPlan
    from covey.ports import ChannelKeys, Clock, Discovery, Entropy
    from covey.proto.options import NodeOptions
    from covey.runtime.node import Node
    from covey.runtime.plugin import Plugin
    from covey.store import NodeStore
    from covey.system.log import Log


@dataclass(frozen=True, slots=True)
class Ground:
    """What every part of a peer stands on.

    `options` are the plan's with what its operator said of trust; `writer` and `store` are one store, written
    and read. `stays` is False for the peer of one short command, which keeps out of what it would only fetch.
    """

    plan: PeerPlan
    options: NodeOptions
    identity: _core.Identity
    writer: NodeStore
    store: _core.Store
    keys: ChannelKeys
    clock: Clock
    entropy: Entropy
    log: Log
    stays: bool


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one peer; `sources` are what its plugins find others by."""

    offers: Offers
    sharing: Sharing
    rooms: Rooms
    fleet: Fleet
    plugins: tuple[Plugin, ...]
    sources: tuple[Discovery, ...]
    gatekeeper: Gatekeeper

    @property
    def verbs(self) -> dict[str, Verb]:
        """Return what they answer on the control socket."""
        parts = (self.offers, self.sharing, self.rooms, self.fleet)
        return {word: verb for part in parts for word, verb in part.verbs.items()}

    def attach(self, node: Node, publish: Callable[[Mapping[str, Any]], None]) -> None:
        """Name the node that carries what they say, and what tells listeners; called before it starts."""
        self.offers.attach(node)
        self.sharing.continuity.attach(self.fleet.members.state_of, publish)
        self.fleet.attach(node)
        self.rooms.attach(node)


def assembled(ground: Ground) -> Parts:
    """Make the parts of a peer.

    Raises:
        IdentityError: agent.toml names another anchor than the pinned one, or a key that is none.
        StoreError: The pinned anchor cannot be read.
    """
    offers, rooms, sharing = Offers(ground), rooms_of(ground), Sharing(ground)
    fleet = Fleet(ground, sharing.state)
    told, sources = told_paths(ground.identity.node_id, ground.plan.options.room)
    plugins = (*offers.plugins, *sharing.plugins, *told, *rooms.plugins, *fleet.plugins)
    memory = StoreMemory(ground.store, ground.identity.node_id)
    gatekeeper = Gatekeeper(
        ground.identity,
        ground.options,
        memory,
        clock=ground.clock,
        log=ground.log.write,
        spoke=rooms.memory.look,
    )
    return Parts(offers, sharing, rooms, fleet, plugins, sources, gatekeeper)
