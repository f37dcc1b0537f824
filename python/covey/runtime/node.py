"""The node's shell: feeds the pure engine with what happens, and does what the engine wants.

Everything here runs on one event loop. The store writes on its own thread and answers through the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from covey import limits
from covey.model import EmissionRefused, EmissionResult, PeerView, Proposal
from covey.ports import BlockStore, ClaimMemory, Clock, Discovery, Entropy, NetworkView, Transport
from covey.ports.relay import RelayDialler
from covey.proto import effects as fx
from covey.proto import mail
from covey.proto.node import NodeEngine
from covey.proto.options import NodeOptions
from covey.proto.receipts import clean
from covey.runtime.many import ManyBlocks
from covey.runtime.members import Members
from covey.runtime.paths import GossipPlugin
from covey.runtime.plugin import Plugin
from covey.runtime.subscribers import Listener, Subscribers
from covey.runtime.surroundings import Surroundings
from covey.runtime.together import Together

if TYPE_CHECKING:
    from covey import _core
    from covey._core import Identity
    from covey.proto.gossip import Heard
    from covey.proto.membership.views import MemberView
    from covey.runtime.gatekeeper import Gatekeeper
    from covey.runtime.relays import Relays

Logger = Callable[[str, str, Mapping[str, Any]], None]


class Node:
    """One peer on the mesh: listens, finds others, admits and emits blocks.

    Use it as an async context manager, or call `start` and `stop`. It is ready as soon as it listens;
    discovery goes on in the background.

    Args:
        identity: This peer's nodeId, name and signing key.
        options: Room, addresses, admission policy, trust.
        store: Where blocks become durable; never blocks the loop.
        transport: Byte streams to other peers.
        discovery: Sources of hints about peers, all used at once.
        relays: A WebSocket for each of the options' relays.
        plugins: Conversations beside records (`proto/extension`), each with what performs its wishes.
        members: Watches who is in the room, beside those with a session; None does not.
        claims: Remembers what stock peers say of themselves; None forgets it with the process.
        networks: The machine's interfaces, looked at while `lan` is on; None takes them as they are.
        clock: Wall and monotonic time.
        entropy: The system's secure randomness.
        log: Called with level, event word and facts; None keeps silent.
        collided: Called when another process turns out to have this identity, and to have had it first.
        gatekeeper: Judges what is about to be said of others' blocks; None lets everything out.
    """

    def __init__(
        self,
        identity: Identity,
        options: NodeOptions,
        *,
        store: BlockStore,
        transport: Transport,
        discovery: Sequence[Discovery] = (),
        relays: Sequence[RelayDialler] = (),
        plugins: Sequence[Plugin] = (),
        claims: ClaimMemory | None = None,
        members: Members | None = None,
        networks: NetworkView | None = None,
        clock: Clock,
        entropy: Entropy,
        log: Logger | None = None,
        collided: Callable[[str], None] = lambda _: None,
        gatekeeper: Gatekeeper | None = None,
    ) -> None:
        self.identity = identity
        self.options = options
        plugins = plugins if members is None else (members, *plugins)
        self._members = members
        self._engine = NodeEngine(identity, options, [plugin.extension for plugin in plugins])
        self._plugins = {plugin.extension.name: plugin for plugin in plugins}
        self._store = store
        self._claims = claims
        self._transport = transport
        self._discovery = tuple(discovery)
        self._surroundings = Surroundings(
            identity,
            options,
            transport=transport,
            discovery=discovery,
            view=networks,
            feed=self._feed,
            count=self._count,
            log=self._say,
        )
        self._clock = clock
        self._entropy = entropy
        self._log = log
        self._collided = collided
        self._gatekeeper = gatekeeper
        self._counters: Counter[str] = Counter()
        self._subscribers = Subscribers(lambda on: self._feed(fx.Watch(on)), self._subscriber_failed)
        self._queue: deque[fx.Event] = deque()
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: float | None = None
        self._together = Together(self._feed)
        observed = (lambda: None) if gatekeeper is None else gatekeeper.observed
        ready = self._room_to_send
        self.many = ManyBlocks(identity, options.room, clock, self._together, ready, observed)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = asyncio.Event()
        self._relief = asyncio.Event()
        self._pressed = False
        """Somebody waits for relief."""
        self._roomy = False
        """Nobody presses, as of the last turn: only a turn can change that."""
        self._started_at: float | None = None
        self._store_trouble: str | None = None
        self._relays = self._relays_of(relays) if options.relays else None
        self._perform = self._table()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # --- what an application does ---------------------------------------------------------------

    @property
    def node_id(self) -> str:
        """Return this peer's nodeId."""
        return self.identity.node_id

    @property
    def intake(self) -> _core.Intake:
        """Return the native judge, whose calls are safe from any thread."""
        return self._engine.intake

    def prime(self, prior: _core.Prior | None) -> bool:
        """Judge from now on with what others learned; False where the prior is of another encoder."""
        return self._engine.intake.prime(prior)

    async def start(self) -> None:
        """Restore what the store remembers, listen, dial the static addresses, begin discovery.

        Raises:
            NetworkError: The address cannot be bound; it says which and why.
            StoreError: The store cannot be read.
        """
        self._loop = asyncio.get_running_loop()
        recent, bindings = await self._loop.run_in_executor(None, self._store.restore, self._engine.intake)
        self._store.start(self._on_stored, self._on_store_failed)
        if not self.options.outbound_only:
            await self._surroundings.listen(self)
        self._started_at = self._clock.monotonic()
        claims = () if self._claims is None else tuple(self._claims.known())
        self._feed(fx.Started(tuple(recent), tuple(bindings), claims))
        for name, plugin in self._plugins.items():
            await plugin.start(partial(self.tell, name))
        self._surroundings.start()
        if self._relays is not None:
            self._relays.start()

    async def stop(self) -> None:
        """Finish what is pending, say goodbye to every peer, end discovery, wait for the store.

        Safe to call twice. No acknowledged block is lost; a send without an end is settled as unknown.
        """
        if self._loop is None:
            return
        for name, plugin in self._plugins.items():  # first: some say goodbye on sessions that still stand
            await self._quietly(plugin.stop(), f"extension.{name}")
        self._feed(fx.Shutdown())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), limits.SHUTDOWN_SECONDS)
        await self._surroundings.stop()
        if self._relays is not None:
            await self._relays.stop()
        await self._transport.stop()
        await self._store.drain()
        if self._timer is not None:
            self._timer.cancel()
        self._loop, self._roomy = None, False

    async def emit(self, proposal: Proposal) -> EmissionResult:
        """Mint, sign, store and send a block.

        Args:
            proposal: Categories that say something, direct parents, and a nodeId where it is directed.

        It waits while a peer that is taking records has a long queue, so that a fast author does not outrun
        it; a peer that has stalled is not waited for, its sends are refused when its queue is full.

        Returns:
            `Minted` once the block is durable and handed to every open session (each with its state);
            `Duplicate` when the same cognition is already held; `EmissionRefused` with the reason otherwise.
        """
        keeper = self._gatekeeper
        cleared = None if keeper is None else keeper.judge(proposal)
        if isinstance(cleared, EmissionRefused):
            self._counters[f"emissions.refused.{cleared.reason}"] += 1
            return cleared
        if not self._roomy:  # looked at once for all that is emitted in one turn of the loop
            await self._room_to_send()
        if keeper is None or cleared is None:
            return await self._together.emit(proposal)
        return keeper.ended(cleared, await self._together.emit(cleared.proposal))

    def ended(self, assertion_id: str, how: str, why: str | None = None) -> None:
        """Say that the application has finished with a block addressed to this peer; its sender hears it.

        Args:
            assertion_id: Which block.
            how: `executed` (it acted, or decided not to), `unexecuted` (it could not), `expired` (too late).
            why: One short line for the sender.
        """
        self._feed(mail.Ended(assertion_id, how, None if why is None else clean(why)))

    @property
    def port(self) -> int | None:
        """Return the port it listens on, on all of its hosts; None while it does not."""
        return self._surroundings.port

    @property
    def hosts(self) -> Sequence[str]:
        """Return the addresses it can be dialled at now."""
        return self._surroundings.hosts

    def dial(self, host: str, port: int) -> None:
        """Dial a static address from now on, whoever has the smaller nodeId."""
        self._feed(fx.Dialled(host, port))

    def tell(self, extension: str, what: object) -> None:
        """Say something to the extension of that name, in a turn of its own."""
        self._feed(fx.Told(extension, what, self._entropy.bytes(32)))

    def peers(self) -> Sequence[PeerView]:
        """Return the peers with an open session, by name."""
        return self._engine.peers()

    def heeds(self, node_id: str) -> bool:
        """Tell whether a node may wake agents here: a trusted one, or one of this machine."""
        return self._engine.heeds(node_id)

    def key_of(self, node_id: str) -> bytes | None:
        """Return the key that a session of now proved for a node, or None."""
        return self._engine.key_of(node_id)

    def heard_of(self) -> Sequence[Heard]:
        """Return who peers say is elsewhere, and who said so: hints, nothing more."""
        told = (plugin for plugin in self._plugins.values() if isinstance(plugin, GossipPlugin))
        return [each for plugin in told for each in plugin.heard_of()]

    def members(self) -> Sequence[MemberView]:
        """Return who is in the room, with a session or not, and who has gone; empty if nobody watches."""
        return [] if self._members is None else self._members.view(self._clock.monotonic())

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every piece of news, on the loop's thread; return the way to end it.

        A listener that raises is counted and logged, and stays subscribed.
        """
        return self._subscribers.add(listener)

    async def wait_for_peers(self, count: int, timeout_seconds: float) -> bool:
        """Wait until `count` peers have an open session; False when the time runs out first."""
        enough = asyncio.Event()
        unsubscribe = self.subscribe(lambda _: enough.set() if len(self.peers()) >= count else None)
        try:
            if len(self.peers()) >= count:
                return True
            await asyncio.wait_for(enough.wait(), timeout_seconds)
        except TimeoutError:
            return False
        else:
            return True
        finally:
            unsubscribe()

    def counters(self) -> dict[str, int]:
        """Return every counter by its dotted name: only what happened is counted."""
        return dict(sorted(self._counters.items()))

    def status(self) -> dict[str, object]:
        """Return one flat picture of the node for `status`: who, where, with whom, and how it goes."""
        uptime = 0.0 if self._started_at is None else self._clock.monotonic() - self._started_at
        return {
            "node_id": self.identity.node_id,
            "name": self.identity.name,
            "fingerprint": self.identity.fingerprint,
            "room": self.options.room,
            "listening": None if self.port is None else f"{self.options.host}:{self.port}",
            "profile": "legacy" if self.options.legacy else "core-secure",
            "lan": self.options.lan,
            "hosts": list(self.hosts),
            "heard_of": [asdict(each) for each in self.heard_of()],
            "trust": self.options.trust,
            "gated": self.options.gate is not None,
            "strangers_wake": self.options.strangers_wake or self.options.trust == "open",
            "discovery": [source.label for source in self._discovery],
            "relays": [] if self._relays is None else self._relays.status(),
            "uptime_seconds": round(uptime, 3),
            "peers": len(self.peers()),
            "members": Counter(each.state for each in self.members()),
            "slow_peers": sum(view.state == "slow" for view in self.peers()),
            "anchors": len(self._engine.intake.anchors()),
            "store": self._store_trouble or "ok",
            "counters": self.counters(),
        }

    # --- what the transport says (LinkSink) -----------------------------------------------------

    def link_opened(self, link: int, *, inbound: bool, address: str, local: str, loopback: bool) -> None:
        """Take a new connection."""
        self._feed(fx.LinkOpened(link, inbound, address, loopback, self._entropy.bytes(64), local))

    def link_failed(self, link: int, reason: str) -> None:
        """Take note of a failed dial."""
        self._feed(fx.LinkFailed(link, reason, self._entropy.bytes(32)))

    def link_data(self, link: int, data: bytes) -> None:
        """Take bytes that were read."""
        self._feed(fx.LinkData(link, data, self._entropy.bytes(32)))

    def link_full(self, link: int, full: bool) -> None:
        """Take note of a full or relieved write buffer."""
        self._feed(fx.LinkFull(link, full))

    def link_lost(self, link: int, reason: str) -> None:
        """Take note of the end of a connection."""
        self._feed(fx.LinkLost(link, reason, self._entropy.bytes(32)))

    # --- the loop of events and effects ---------------------------------------------------------

    def _feed(self, event: fx.Event) -> None:
        """Give the engine an event, and do what it wants.

        Doing it may cause further events (a write fills a buffer); they queue behind this one.
        """
        if self._busy:
            self._queue.append(event)
            return
        if self._queue:  # a fault broke off the turn before: what it left came first
            self._queue.append(event)
            event = self._queue.popleft()
        self._busy = True
        perform, counters = self._perform, self._counters
        try:
            while True:
                now = fx.Now(self._clock.now_ms(), self._clock.monotonic())
                for effect in self._engine.handle(event, now):
                    if type(effect) is fx.Count:  # half of all there are
                        counters[effect.name] += effect.by
                    else:
                        perform[type(effect)](effect)
                if not self._queue:
                    break
                event = self._queue.popleft()
        finally:
            self._busy = self._roomy = False
        if self._pressed and not self._engine.pressed(self._clock.monotonic()):
            self._pressed = False
            self._relief.set()
        deadline = self._engine.next_timer()
        if deadline is not None and (self._timer_at is None or deadline < self._timer_at):
            self._arm(deadline)  # else the armed timer comes no later; an early Timer event changes nothing

    async def _room_to_send(self) -> None:
        if self._loop is None:
            raise RuntimeError("the node is not running: call start() first")
        while self._engine.pressed(self._clock.monotonic()):
            self._pressed = True
            self._relief.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._relief.wait(), limits.PRESSURE_LOOK_SECONDS)
        self._roomy = True

    def _arm(self, deadline: float) -> None:
        if self._loop is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_later(max(0.0, deadline - self._clock.monotonic()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = self._timer_at = None
        self._feed(fx.Timer(self._entropy.bytes(32)))

    def _table(self) -> dict[type, Callable[[Any], None]]:
        store, transport = self._store, self._transport
        return {
            fx.Dial: lambda e: transport.connect(e.link, e.host, e.port, e.timeout_seconds, self),
            fx.Write: lambda e: transport.write(e.link, e.data),
            fx.Close: self._close,
            fx.RelaySend: self._send_by_relay,
            fx.Reading: lambda e: transport.reading(e.link, e.on),
            fx.Store: lambda e: store.commit(e.token, e.batch, e.now_ms, e.attention),
            fx.StoreOwn: lambda e: store.put_own(e.token, e.record, e.now_ms, e.recipients, e.deadline_ms),
            fx.StoreBatch: lambda e: store.put_batch(e.token, e.batch, e.now_ms),
            **dict.fromkeys(mail.EFFECTS, lambda e: store.mail(e, self._feed)),
            fx.Lookup: self._look_up,
            fx.LoadRecord: self._load_record,
            fx.Bind: lambda e: store.bind(e.node_id, e.public_key, e.name, self._clock.now_ms()),
            fx.Claimed: self._claimed,
            fx.Want: lambda e: self._plugins[e.name].perform(e.what),
            fx.Notify: self._subscribers.tell,
            fx.Reply: self._together.reply,
            fx.Log: lambda e: self._say(e.level, e.event, e.facts),
            fx.Collided: lambda e: self._collided(e.how),
            fx.Stopped: lambda _: self._stopped.set(),
        }

    def _relays_of(self, diallers: Sequence[RelayDialler]) -> Relays:
        from covey.runtime.relays import Relays  # only a peer with a relay loads it

        return Relays(
            self.identity,
            self.options.relays,
            diallers,
            clock=self._clock,
            entropy=self._entropy,
            deliver=lambda relay, said: self._feed(fx.Relayed(relay, said, self._entropy.bytes(32))),
            log=self._say,
        )

    def _send_by_relay(self, effect: fx.RelaySend) -> None:
        if self._relays is not None:  # else nothing was ever present there
            self._relays.send(effect.relay, effect.node_id, effect.frame)

    def _close(self, effect: fx.Close) -> None:
        if effect.relayed:
            self.link_lost(effect.link, "closed")
        else:
            self._transport.close(effect.link)

    def _claimed(self, effect: fx.Claimed) -> None:
        if self._claims is not None:
            self._claims.keep(effect.node_id, effect.fingerprint, effect.name, self._clock.now_ms())

    def _look_up(self, effect: fx.Lookup) -> None:
        node_id, keys = effect.node_id, effect.keys
        self._store.missing(keys, lambda m: self._feed(fx.Looked(node_id, keys, frozenset(m))))

    def _load_record(self, effect: fx.LoadRecord) -> None:
        node_id, request, key = effect.node_id, effect.request, effect.key
        self._store.record(key, lambda held: self._feed(fx.RecordLoaded(node_id, request, key, held)))

    def _count(self, name: str) -> None:
        self._counters[name] += 1

    def _subscriber_failed(self, error: Exception) -> None:
        self._counters["subscribers.failed"] += 1
        self._say("error", "subscriber-failed", {"error": repr(error)})

    def _say(self, level: str, event: str, facts: Mapping[str, Any]) -> None:
        if self._log is not None:
            self._log(level, event, facts)

    # --- the store's answers, discovery ---------------------------------------------------------

    def _on_stored(self, done: Sequence[fx.Done]) -> None:
        self._store_trouble = None
        self._feed(fx.Stored(tuple(done)))

    def _on_store_failed(self, token: int, reason: str) -> None:
        self._store_trouble = reason
        self._feed(fx.StoreFailed(token, reason))

    async def _quietly(self, work: Any, what: str) -> None:
        try:
            await work
        except Exception as error:  # stopping goes on to the end; what failed is said
            self._say("warn", "stop-failed", {"what": what, "error": str(error)})
