"""Putting a peer together for a command: lock, identity, store, node, control socket, in that order.

What was opened is closed in the reverse order, whatever happened in between; the lock goes last.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from covey.cli.metering import Metering
from covey.cli.parts import Ground, Parts, assembled
from covey.cli.passphrase import needed
from covey.cli.tracing import Tracing
from covey.errors import CollisionError, IdentityError, StoreError
from covey.net.interfaces import Interfaces
from covey.net.ipc.server import IpcServer, figures
from covey.net.mdns import MdnsDiscovery
from covey.net.registry import RegistryDiscovery
from covey.net.stock import StockRegistry
from covey.net.tcp import TcpTransport
from covey.proto.news import News, as_dict
from covey.runtime.first_use import FirstUse, Verb
from covey.runtime.ipc import AgentView, Control
from covey.runtime.memory_book import Keeping
from covey.runtime.node import Node
from covey.store import NodeStore, StoreMemory, StoreWakes, open_store
from covey.system import identity as ids
from covey.system import trust as books
from covey.system.channel_seal import ChannelSeal
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from covey.system.home import Home
from covey.system.lock import PeerLock
from covey.system.log import Log, LogFile, Rotation, Scrubber, tee
from covey.values import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from covey import _core
    from covey.fleet.packs import Pack
    from covey.net.ipc.codec import Request
    from covey.ports import Discovery, Memory
    from covey.ports.relay import RelayDialler
    from covey.proto.effects import Advert, Hint
    from covey.proto.options import NodeOptions, RelayOptions
    from covey.runtime.words import Words
    from covey.system.anchor import Anchor
    from covey.system.claims import ClaimKeeper
    from covey.system.trust import TrustBook

_WORDS: Final = ("ground", "judge", "about", "session")
"""What a peer can be asked to say of blocks: the verbs of `runtime.words`, loaded when one is said."""
_LOCK_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class PeerPlan:
    """What a peer is made of.

    `wait_for_lock_seconds` lets short commands of one name follow each other instead of failing;
    `multicast_after_seconds` spares those that end sooner the loading of zeroconf.
    `stock_folder` is where stock Node peers of this machine say that they run; None looks for none.
    `opened_by` says which command runs it: what `covey mcp` opened, another `covey mcp` may open again.
    `metrics` is where its metrics are served; None serves them on the control socket only.
    `spans` is the model whose wakes are told to OpenTelemetry; None tells nothing.
    `opened` is its identity where the kept one is sealed: a person is asked before the loop runs, not on it.
    """

    home: Home
    name: str
    options: NodeOptions
    log_level: str = "info"
    rotation: Rotation | None = None
    wait_for_lock_seconds: float = 0.0
    multicast_after_seconds: float = 0.1  # loading it would compete with the rest of a start
    scrubber: Scrubber | None = None
    sinks: tuple[Callable[[str], None], ...] = ()
    opened: ids.PeerIdentity | None = None
    anchor: Anchor | None = None
    attest: bool = False
    stock_folder: Path | None = None
    opened_by: str = "covey"
    packs: tuple[Pack, ...] = ()
    metrics: tuple[str, int] | None = None
    spans: str | None = None
    keeping: Keeping = field(default_factory=Keeping)


class Later:
    """A discovery source that begins a little later, and not at all when the peer has ended by then."""

    def __init__(self, source: Discovery, after_seconds: float) -> None:
        self._source = source
        self._after_seconds = after_seconds
        self._begun = False

    @property
    def label(self) -> str:
        """Return the source's own name."""
        return self._source.label

    @property
    def renews(self) -> bool:
        """Say what the source says."""
        return self._source.renews

    async def start(self, advert: Advert, found: Callable[[Hint], None], gone: Callable[[str], None]) -> None:
        """Wait, then begin."""
        await asyncio.sleep(self._after_seconds)
        self._begun = True
        await self._source.start(advert, found, gone)

    async def stop(self) -> None:
        """End what has begun."""
        if self._begun:
            await self._source.stop()


class OpenPeer:
    """A peer that runs: its node, its store, its log, and the place where an agent joins it."""

    def __init__(
        self,
        plan: PeerPlan,
        node: Node,
        store: _core.Store,
        log: Log,
        *,
        key: str,
        parts: Parts,
    ) -> None:
        self.plan = plan
        self.node = node
        self.store = store
        self.memory = StoreMemory(store, node.node_id)
        self.log = log
        self._parts, self._key = parts, key
        self.offers, self.sharing = parts.offers, parts.sharing
        self.rooms, self.fleet = parts.rooms, parts.fleet
        parts.attach(node, self.publish)
        self.agent: AgentView | None = None
        self.collision: CollisionError | None = None
        self.metering, self.tracing = Metering(node), Tracing()
        self.server: IpcServer | None = None
        self._unwatch: tuple[Callable[[], None], ...] = ()
        self._words = FirstUse(("covey.runtime.words",), self._spoken)

    async def serve(self, on_stop: Callable[[float | None], None]) -> IpcServer:
        """Open the control socket, and return it.

        Raises:
            IpcError: It cannot be opened.
        """
        words = {word: self._words.verb(partial(_verb, word)) for word in _WORDS}
        control = Control(
            self.node,
            self.memory,
            self.store,
            on_stop,
            agent=lambda: self.agent,
            facts=self._facts,
            more={**self._parts.verbs, **self.metering.verbs, **words},
        )
        self.metering.asks(lambda: control.handle("status", {}))

        async def handle(request: Request) -> Mapping[str, Any]:
            return await control.handle(request.cmd, request.arguments)

        self.server = IpcServer(handle, complain=self._complain, watched=self._watched, narrow=_narrowed)
        await self.server.start(self.plan.home.socket_path(self.plan.name))
        return self.server

    @asynccontextmanager
    async def serving(self, on_stop: Callable[[float | None], None]) -> AsyncIterator[None]:
        """Keep the control socket open, and the page of metrics where one is wanted.

        Raises:
            IpcError: The socket cannot be opened.
            NetworkError: The page's address cannot be bound.
        """
        async with self.fleet:
            server = await self.serve(on_stop)
            try:
                plan, told = self.plan, self.tracing
                async with (
                    self.metering.served(plan.metrics, self.log),
                    told.exported(plan.name, self.node.node_id, plan.spans, self.log),
                    self.fleet.converge.watched(self.publish),
                    self.fleet.deciding.listening(),
                ):
                    yield
            finally:
                await server.close()

    def collide(self, how: str, on_stop: Callable[[float | None], None] | None) -> None:
        """Stop because another process had this identity first; what is under way is finished and kept."""
        self.log.error("identity-collision", how=how)
        self.collision = CollisionError(
            f"this identity is in use: {how}",
            hint="stop the other process, or make this peer another identity",
        )
        if on_stop is not None:
            on_stop(None)

    def publish(self, event: Mapping[str, Any]) -> None:
        """Hand an event to everybody who listens on the control socket."""
        if self.server is not None:
            self.server.publish(event)

    @property
    def words(self) -> Words:
        """Return what it can be asked to say of blocks."""
        return self._words.now()

    def _spoken(self) -> Words:
        from covey.runtime.words import Words

        return Words(self.node, self.memory, StoreWakes(self.store), self._parts.rooms.authority)

    def _facts(self) -> Mapping[str, Any]:
        return {
            "pid": os.getpid(),
            "opened_by": self.plan.opened_by,
            "key": self._key,
            "anchor": self.rooms.anchor,
            "log": str(self.plan.home.log_path(self.plan.name)),
            "log_lines_lost": self.log.lost,
            **figures(self.server),
            "metrics": self.metering.url,
            "encoding": self.rooms.encoding.figures(),
            "messages": self.fleet.bus.counters(),
        }

    def _watched(self, on: bool) -> None:
        """Listen to the node only while somebody listens to us: building news costs time for each block."""
        if on and not self._unwatch:
            self._unwatch = (self.node.subscribe(self._on_news), *self.sharing.watch(self.publish))
        elif not on:
            for end in self._unwatch:
                end()
            self._unwatch = ()

    def _on_news(self, news: News) -> None:
        self.publish(as_dict(news))

    def _complain(self, cmd: str, error: BaseException) -> None:
        self.log.error("control-failed", cmd=cmd, traceback=traceback.format_exception(error))


@asynccontextmanager
async def open_peer(
    plan: PeerPlan,
    *,
    on_stop: Callable[[float | None], None] | None = None,
    join: Callable[[OpenPeer], None] | None = None,
) -> AsyncIterator[OpenPeer]:
    """Run a peer for as long as the context lasts.

    Args:
        plan: What it is made of.
        on_stop: Called when somebody asks it to stop, with the seconds it may drain (None: the usual);
            without it no control socket is opened.
        join: Called with the peer before it listens: who subscribes then misses nothing.

    Raises:
        CollisionError: It runs already; or, at the end, another process had this identity first.
        StoreError: A folder, the lock, the log or the store cannot be used.
        IdentityError, UsageError: Its identity cannot be used; its key is sealed and was not opened.
        NetworkError, IpcError: Its address cannot be bound; its control socket cannot be opened.
    """
    home, name = plan.home, plan.name
    async with AsyncExitStack() as stack:
        home.prepare_peer(name)
        stack.callback((await _lock(plan)).release)
        clock, entropy = SystemClock(), SystemEntropy()
        log = _log(plan, clock, stack)
        kept = ids.load_or_create(home.identity_path(name), name, clock, entropy)
        identity = _able_to_sign(kept, plan.opened)
        signer, keys = ids.native(identity), ChannelSeal(identity, entropy)
        _claim(plan, identity.node_id, log, stack)
        book = books.load(home.trust_path(name))
        store = _store(plan, identity.node_id, book)
        writer = NodeStore(store, signer, clock, lambda reason, detail: _trouble(log, reason, detail))
        stack.callback(writer.close)
        options = _trusting(plan.options, book)
        stays = on_stop is not None
        ground = Ground(plan, options, signer, writer, store, keys, clock, entropy, log, stays)
        parts = assembled(ground)
        node = Node(
            signer,
            options,
            store=writer,
            transport=TcpTransport(),
            discovery=(*_discovery(plan, clock), *parts.sources),
            relays=tuple(map(_dialler, plan.options.relays)),
            plugins=parts.plugins,
            networks=Interfaces(),
            claims=_claims(plan, log, stack),
            members=parts.fleet.members,
            clock=clock,
            entropy=entropy,
            log=log.write,
            collided=lambda how: peer.collide(how, on_stop),
            gatekeeper=parts.gatekeeper,
        )
        seal = "clear" if identity is kept else "sealed"
        peer = OpenPeer(plan, node, store, log, key=seal, parts=parts)
        if join is not None:
            join(peer)
        stack.push_async_callback(node.stop)
        await node.start()
        await stack.enter_async_context(parts.sharing)
        if on_stop is not None:
            await stack.enter_async_context(peer.serving(on_stop))
        yield peer
        if peer.collision is not None:
            raise peer.collision


@contextmanager
def stored_memory(home: Home, name: str) -> Iterator[Memory]:
    """Read the store of a peer that does not run; nobody can start it meanwhile.

    Raises:
        CollisionError: It runs, or is just starting.
        IdentityError: Its identity cannot be read.
        StoreError: Its store cannot be opened.
    """
    with stored(home, name) as (store, node_id):
        yield StoreMemory(store, node_id)


@contextmanager
def stored(home: Home, name: str) -> Iterator[tuple[_core.Store, str]]:
    """Open the store of a peer that does not run, with its nodeId; nobody can start it meanwhile.

    Raises:
        CollisionError: It runs, or is just starting.
        IdentityError: Its identity cannot be read.
        StoreError: Its store cannot be opened.
    """
    lock = PeerLock.acquire(home.lock_path(name), name)
    try:
        node_id = ids.load(home.identity_path(name)).node_id
        store = open_store(home.store_path(name), node_id)
        try:
            yield store, node_id
        finally:
            store.close()
    finally:
        lock.release()


def _store(plan: PeerPlan, node_id: str, book: TrustBook) -> _core.Store:
    """Open the store, and hold it against the pins.

    Raises:
        StoreError: It cannot be opened.
        IdentityError: It knows another key than the one that is pinned.
    """
    store = open_store(plan.home.store_path(plan.name), node_id)
    try:
        _check_pins(book, store, plan.name)
    except IdentityError:
        store.close()
        raise
    return store


def _discovery(plan: PeerPlan, clock: SystemClock) -> tuple[Discovery, ...]:
    """Return where hints come from; stock peers are looked for in a room that holds them."""
    room = plan.options.room if plan.options.legacy else None
    sources: list[Discovery] = [
        RegistryDiscovery(plan.home.registry_folder, clock),
        Later(MdnsDiscovery(room), plan.multicast_after_seconds),
    ]
    if room is not None and plan.stock_folder is not None:
        sources.append(StockRegistry(plan.stock_folder, room, clock))
    return tuple(sources)


def _claims(plan: PeerPlan, log: Log, stack: AsyncExitStack) -> ClaimKeeper | None:
    """Return what remembers the keys that stock peers said first; only a room that holds them has it.

    Raises:
        StoreError: What was remembered cannot be read.
    """
    if not plan.options.legacy:
        return None
    from covey.system.claims import ClaimKeeper  # only a room that holds stock peers loads it

    path = plan.home.claims_path(plan.name)
    keeper = ClaimKeeper(path, lambda detail: log.warn("claims-not-kept", detail=detail))
    stack.callback(keeper.close)
    return keeper


def _verb(word: str, words: Words) -> Verb:
    return words.verbs[word]


def _narrowed(wish: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bool] | None:
    if not wish:
        return None
    from covey.cognition.hearing import narrowed  # only a peer whose listeners weigh loads it

    return narrowed(wish)


def _dialler(relay: RelayOptions) -> RelayDialler:
    from covey.net.websocket import WebSocketClient  # only a peer with a relay loads it

    return WebSocketClient(relay.proxy)


def _trusting(options: NodeOptions, book: TrustBook) -> NodeOptions:
    """Add what the operator said on the command line to what the peer was configured with."""
    pins = {**options.pins, **book.pins}
    return replace(options, trusted=options.trusted | book.trusted, pins=pins)


def _check_pins(book: TrustBook, store: _core.Store, name: str) -> None:
    """Refuse to start where memory holds another key than the one that is pinned.

    Raises:
        IdentityError: It names both keys.
    """
    pins = book.pins
    for node_id, key, _, _ in store.bindings():
        known = hashlib.sha256(key).hexdigest()
        if pins.get(node_id, known) != known:
            raise IdentityError(
                f"{node_id} is pinned to {pins[node_id]} and known by {known}",
                code="identity_conflict",
                hint=f"decide: covey trust pin {name} {node_id} <fingerprint> --replace",
            )


def _log(plan: PeerPlan, clock: SystemClock, stack: AsyncExitStack) -> Log:
    file = LogFile(plan.home.log_path(plan.name), plan.rotation)
    stack.callback(file.close)
    sinks = tee(file, *plan.sinks)
    return Log(sinks, clock, peer=plan.name, level=plan.log_level, scrubber=plan.scrubber)


def _claim(plan: PeerPlan, node_id: str, log: Log, stack: AsyncExitStack) -> None:
    """Hold this identity among all homes of this user: a copied home is the same node and runs once.

    Raises:
        CollisionError: Another process of this user runs it.
    """
    try:
        lock = PeerLock.acquire(plan.home.identity_lock_path(node_id), plan.name)
    except CollisionError as error:
        raise CollisionError(
            f"another home runs this identity: {error.message}",
            hint="a copied home is the same node: give this one an identity of its own (covey keygen)",
        ) from error
    except StoreError as error:  # somebody else's folder in our place stops nobody from running
        log.warn("identity-lock-unavailable", reason=error.message)
        return
    stack.callback(lock.release)


def _able_to_sign(kept: ids.StoredIdentity, opened: ids.PeerIdentity | None) -> ids.PeerIdentity:
    """Return the kept identity, or the opened one where the kept one is the same under a seal.

    Raises:
        UsageError: It was sealed or replaced after it was opened, or nobody opened it.
    """
    if isinstance(kept, ids.PeerIdentity):
        return kept
    if opened is None or (opened.node_id, opened.public_key) != (kept.node_id, kept.public_key):
        raise needed(kept.name)
    return opened


def _trouble(log: Log, reason: str, detail: str) -> None:
    log.warn("store-trouble", reason=reason, detail=detail)


async def _lock(plan: PeerPlan) -> PeerLock:
    deadline = time.monotonic() + plan.wait_for_lock_seconds
    while True:
        try:
            return PeerLock.acquire(plan.home.lock_path(plan.name), plan.name)
        except CollisionError:
            if time.monotonic() >= deadline:
                raise
            await asyncio.sleep(_LOCK_LOOK_SECONDS)
