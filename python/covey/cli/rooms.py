"""The conversations beside records that a peer's settings call for, put together for its node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from covey.cli.substrate_room import desk_of
from covey.runtime.attest import AttestPlugin
from covey.runtime.authority import AuthorityPlugin, Unanchored
from covey.runtime.encoding import Encoding
from covey.runtime.forward import ForwardPlugin
from covey.runtime.gatekeeper import Gatekeeper
from covey.runtime.memory import MemoryPlugin
from covey.runtime.mood import MoodPlugin
from covey.runtime.reading import Reader
from covey.runtime.substrate_mesh import SubstratePlugin
from covey.store.memory import StoreMemory, feedback_as
from covey.system import anchor as anchors
from covey.system.clock import SystemClock
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core
    from covey.cli.peer import PeerPlan
    from covey.ports import LifecycleAuthority
    from covey.proto.options import NodeOptions
    from covey.runtime.node import Node
    from covey.runtime.plugin import Plugin
    from covey.runtime.substrate import SubstrateDesk
    from covey.store import NodeStore
    from covey.system.log import Log

Verb = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Rooms:
    """Plugins for the node, verbs for the control socket, and who may move blocks."""

    mood: MoodPlugin
    look: Callable[[], None]
    """Has memory act on words about blocks that were stored."""
    substrate: SubstrateDesk
    encoding: Encoding
    plugins: tuple[Plugin, ...] = ()
    verbs: Mapping[str, Verb] = field(default_factory=dict)
    authority: LifecycleAuthority = field(default_factory=Unanchored)
    anchor: str = "none pinned: nobody has authority here"
    """For people."""

    def attach(self, node: Node) -> None:
        """Name the node whose judge they serve; called before it starts."""
        self.encoding.attach(node.intake)
        self.substrate.attach(node.prime)


def rooms_of(
    plan: PeerPlan, identity: _core.Identity, store: NodeStore, native: _core.Store, log: Log
) -> Rooms:
    """Put them together.

    Args:
        plan: What the peer is made of.
        identity: Who it is.
        store: Its writer; `native` is the same store, for reading.
        native: See `store`.
        log: Its log.

    Raises:
        IdentityError: agent.toml names another anchor than the pinned one, or a key that is none.
        StoreError: The pinned anchor cannot be read.
    """
    mood = MoodPlugin()
    plugins: list[Plugin] = [mood]
    verbs: dict[str, Verb] = {**Reader(native).verbs, "mood": mood.handle}
    pin = _pin(plan, log)
    authority = None if pin is None else AuthorityPlugin(identity, pin, store)
    if authority is not None:
        plugins.append(authority)
        verbs["authority"] = authority.handle
    if plan.attest:
        role = _participant if authority is None else authority.role
        attest = AttestPlugin(identity, plan.options.room, store, native, role=role)
        plugins.append(attest)
        verbs["attest"] = attest.handle
    held = StoreMemory(native, identity.node_id).block
    hands_on = plan.options.forward
    plugins.append(ForwardPlugin(identity.node_id, store, held, hands_on=hands_on, log=log.write))
    may: LifecycleAuthority = authority or Unanchored()
    encoding = Encoding(native, clock=SystemClock(), log=log.write)
    memory = MemoryPlugin(
        identity,
        store,
        native,
        may,
        plan.keeping,
        clock=SystemClock(),
        log=log.write,
        as_feedback=feedback_as,
        encoding=encoding,
    )
    plugins.append(memory)
    verbs.update(memory.verbs)
    own = (identity.node_id, plan.name, identity.public_key)
    desk = desk_of(plan.home, own, native, sign=identity.sign_statement, options=plan.options)
    substrate = SubstratePlugin(desk, log.write, SystemClock().now_ms)
    plugins.append(substrate)
    verbs["substrate"] = substrate.handle
    if pin is None or authority is None:
        return Rooms(mood, memory.look, desk, encoding, tuple(plugins), verbs)
    signers = f"{len(pin.members)} keys, {pin.threshold} sign"
    return Rooms(mood, memory.look, desk, encoding, tuple(plugins), verbs, authority, signers)


def gatekeeper_of(
    signer: _core.Identity, options: NodeOptions, store: _core.Store, rooms: Rooms, log: Log
) -> Gatekeeper:
    """Return what judges what this peer is about to say of others' blocks."""
    memory = StoreMemory(store, signer.node_id)
    return Gatekeeper(signer, options, memory, clock=SystemClock(), log=log.write, spoke=rooms.look)


def _pin(plan: PeerPlan, log: Log) -> _core.AnchorPin | None:
    anchor, fresh = anchors.settle(plan.home.anchor_path(plan.name), plan.anchor, plan.name)
    if anchor is None:
        return None
    pin = anchor.native()
    if fresh:
        log.info("anchor-pinned", members=list(anchor.members), threshold=anchor.threshold, pin=pin.digest)
    return pin


def _participant() -> str:
    return "participant"
