"""The conversations beside records that a peer's settings call for, put together for its node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Final

from covey.proto import deferred
from covey.runtime.deferred import DeferredPlugin
from covey.runtime.encoding import Encoding
from covey.runtime.first_use import FirstUse, Verb
from covey.runtime.forward import ForwardPlugin
from covey.runtime.memory import MemoryPlugin
from covey.runtime.mood import MoodPlugin
from covey.runtime.reading import Reader
from covey.runtime.unanchored import Unanchored
from covey.store.memory import StoreMemory, feedback_as
from covey.system import anchor as anchors
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core
    from covey.cli.parts import Ground
    from covey.cli.peer import PeerPlan
    from covey.ports import LifecycleAuthority
    from covey.runtime.node import Node
    from covey.runtime.plugin import Plugin
    from covey.runtime.substrate_mesh import SubstratePlugin
    from covey.system.log import Log

_SUBSTRATE: Final = ("covey.cli.substrate_room", "covey.runtime.substrate_mesh")


@dataclass(frozen=True, slots=True)
class Rooms:
    """Plugins for the node, verbs for the control socket, and who may move blocks."""

    mood: MoodPlugin
    memory: MemoryPlugin
    substrate: _Substrate
    encoding: Encoding
    plugins: tuple[Plugin, ...] = ()
    verbs: Mapping[str, Verb] = field(default_factory=dict)
    authority: LifecycleAuthority = field(default_factory=Unanchored)
    anchor: str = "none pinned: nobody has authority here"
    """For people."""

    def attach(self, node: Node) -> None:
        """Name the node whose judge they serve; called before it starts."""
        self.encoding.attach(node.intake)
        self.memory.attach(node.intake)
        self.substrate.attach(node)


def rooms_of(ground: Ground) -> Rooms:
    """Put them together.

    Raises:
        IdentityError: agent.toml names another anchor than the pinned one, or a key that is none.
        StoreError: The pinned anchor cannot be read.
    """
    plan, identity, log = ground.plan, ground.identity, ground.log
    store, native, clock = ground.writer, ground.store, ground.clock
    mood = MoodPlugin()
    plugins: list[Plugin] = [mood]
    verbs: dict[str, Verb] = {**Reader(native).verbs, "mood": mood.handle}
    pin = _pin(plan, log)
    authority = None
    if pin is not None:
        from covey.runtime.authority import AuthorityPlugin  # only a peer with an anchor loads it

        authority = AuthorityPlugin(identity, pin, store)
        plugins.append(authority)
        verbs["authority"] = authority.handle
    if plan.attest:
        from covey.runtime.attest import AttestPlugin  # only a peer that attests loads it

        role = _participant if authority is None else authority.role
        attest = AttestPlugin(identity, plan.options.room, store, native, role=role)
        plugins.append(attest)
        verbs["attest"] = attest.handle
    held = StoreMemory(native, identity.node_id).block
    hands_on = plan.options.forward
    plugins.append(ForwardPlugin(identity.node_id, store, held, hands_on=hands_on, log=log.write))
    may: LifecycleAuthority = authority or Unanchored()
    encoding = Encoding(native, clock=clock, log=log.write)
    memory = MemoryPlugin(
        identity,
        store,
        native,
        may,
        plan.keeping,
        clock=clock,
        log=log.write,
        as_feedback=feedback_as,
        encoding=encoding,
    )
    if authority is not None:
        authority.changed = memory.look
    plugins.append(memory)
    verbs.update(memory.verbs)
    substrate = _Substrate(ground)
    plugins.append(substrate.plugin)
    verbs["substrate"] = substrate.plugin.verb(lambda plugin: plugin.handle)
    if pin is None or authority is None:
        return Rooms(mood, memory, substrate, encoding, tuple(plugins), verbs)
    signers = f"{len(pin.members)} keys, {pin.threshold} sign"
    return Rooms(mood, memory, substrate, encoding, tuple(plugins), verbs, authority, signers)


class _Substrate:
    """Bundles, loaded where there are any on the shelf, or a peer or the operator speaks of them."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._node: Node | None = None
        shelf = ground.plan.home.substrate_folder(ground.plan.name)
        self.plugin = DeferredPlugin(
            deferred.SUBSTRATE, FirstUse(_SUBSTRATE, self._made), ground.log.write, wanted=shelf.exists
        )

    def attach(self, node: Node) -> None:
        """Take the node whose admission is handed what is merged."""
        self._node = node

    def _made(self) -> SubstratePlugin:
        from covey.cli.substrate_room import desk_of
        from covey.runtime.substrate_mesh import SubstratePlugin

        plan, who = self._ground.plan, self._ground.identity
        own = (who.node_id, plan.name, who.public_key)
        desk = desk_of(plan.home, own, self._ground.store, sign=who.sign_statement, options=plan.options)
        if self._node is not None:
            desk.attach(self._node.prime)
        return SubstratePlugin(desk, self._ground.log.write, self._ground.clock.now_ms)


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
