"""Where a node stands among networks: what it binds, what it advertises, and both again when they change.

Rules: without `lan` it is this machine and nothing is looked at. What cannot be bound or advertised now is
said, counted, and tried again at the next look; links that stand stay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.errors import NetworkError
from covey.proto import effects as fx
from covey.proto.peers import is_loopback

if TYPE_CHECKING:
    from covey._core import Identity
    from covey.model import Place
    from covey.ports import Discovery, LinkSink, NetworkView, Transport
    from covey.proto.options import NodeOptions

Count = Callable[[str], None]
Logger = Callable[[str, str, Mapping[str, Any]], None]
_EVERYWHERE = "0.0.0.0"


class Surroundings:
    """One node's listeners and its discovery sources.

    Args:
        identity: Whom it advertises.
        options: Where it listens.
        transport: Binds what is chosen.
        discovery: Every source of hints, all used at once.
        view: The networks; None where they are of no interest.
        feed: Takes what is found and what has gone.
        count: Counts by a dotted name.
        log: Takes log lines.
    """

    def __init__(
        self,
        identity: Identity,
        options: NodeOptions,
        *,
        transport: Transport,
        discovery: Sequence[Discovery],
        view: NetworkView | None,
        feed: Callable[[fx.Event], None],
        count: Count,
        log: Logger,
    ) -> None:
        self._identity = identity
        self._options = options
        self._transport = transport
        self._discovery = tuple((source, asyncio.Lock()) for source in discovery)
        """Each with its lock: a source that is still starting is not started again meanwhile."""
        self._view = view if options.lan else None
        self._feed = feed
        self._count = count
        self._log = log
        self._places: tuple[Place, ...] = ()
        self._unbound: tuple[str, ...] = ()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sink: LinkSink | None = None
        self.port: int | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the addresses at which this node can be dialled now."""
        if not self._options.lan:
            return (self._options.host,)
        return tuple(place.host for place in self._places)

    async def listen(self, sink: LinkSink) -> None:
        """Bind what the options choose.

        Raises:
            NetworkError: An address cannot be bound, or is beyond this machine without `lan`.
        """
        if not self._options.lan and not is_loopback(self._options.host):
            raise NetworkError(
                f"will not listen on {self._options.host}: it is not this machine's loopback",
                hint="set [mesh] lan = true to listen on the local network",
            )
        self._sink = sink
        self._look()
        if not self._options.interfaces:
            self.port = await self._transport.listen(self._wanted(), self._options.port, sink)
            return
        # a chosen interface may be down, or not ready yet: it is bound when it comes
        self.port = await self._transport.listen(["127.0.0.1"], self._options.port, sink)
        await self._rebind()

    def start(self) -> None:
        """Begin discovery, and look at the networks from now on."""
        self._look()
        for source, lock in self._discovery:
            self._spawn(self._discover(source, lock))
        if self._view is not None:
            self._spawn(self._watch())

    async def stop(self) -> None:
        """End discovery and looking."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for source, _ in self._discovery:
            await self._quietly(source)

    # --- below ----------------------------------------------------------------------------------

    def _look(self) -> bool:
        """Read the interfaces; tell whether anything has changed."""
        if self._view is None:
            return False
        try:
            found = tuple(self._view.places(self._options.interfaces))
        except OSError as error:
            self._count("networks.failed")
            self._log("warn", "networks-unreadable", {"error": str(error)})
            return False
        changed, self._places = found != self._places, found
        return changed

    def _cut(self) -> int:
        """Cut the links whose own address is gone; outward ones need not be on a chosen interface."""
        if self._view is None:
            return 0
        try:
            return self._transport.forsake([place.host for place in self._view.places(())])
        except OSError:
            return 0  # said and counted where the same table is looked at

    def _wanted(self) -> tuple[str, ...]:
        """Return what to bind: everything, or the chosen interfaces and this machine itself."""
        options = self._options
        if self._view is not None and options.interfaces:
            return ("127.0.0.1", *self.hosts)
        if self._view is not None and options.host == _EVERYWHERE:
            return (_EVERYWHERE, "::")
        return (options.host,)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(limits.NETWORKS_LOOK_SECONDS)
            # a network that comes and goes between two looks leaves dead links behind, and no other trace
            if self._look() or self._cut():
                self._cut()
                self._count("networks.changed")
                self._log("info", "networks-changed", {"hosts": list(self.hosts)})
                await self._rebind()
                for source, lock in self._discovery:
                    if source.renews:
                        await self._discover(source, lock, again=True)
            elif self._unbound:
                await self._rebind()

    async def _rebind(self) -> None:
        if self.port is None or self._sink is None or not self._options.interfaces:
            return
        failed = tuple(await self._transport.rebind(self._wanted(), self._sink))
        if failed and failed != self._unbound:
            self._count("networks.unbound")
            self._log("warn", "networks-unbound", {"hosts": list(failed)})
        self._unbound = failed

    async def _discover(self, source: Discovery, lock: asyncio.Lock, *, again: bool = False) -> None:
        try:
            async with lock:
                if again:
                    await self._quietly(source)
                await source.start(
                    self._advert(),
                    lambda hint: self._feed(fx.PeerDiscovered(hint)),
                    lambda node_id: self._feed(fx.PeerVanished(source.label, node_id)),
                )
        except Exception as error:  # a machine without multicast is no reason to stop; status and log show it
            self._count(f"discovery.{source.label}.failed")
            self._log("warn", "discovery-failed", {"source": source.label, "error": str(error)})

    def _advert(self) -> fx.Advert:
        return fx.Advert(
            node_id=self._identity.node_id,
            name=self._identity.name,
            public_key=self._identity.public_key,
            room=self._options.room,
            host=self._options.host,
            port=self.port or 0,
            lan=self._options.lan,
            hosts=self.hosts,
            networks=tuple(dict.fromkeys(place.network for place in self._places)),
        )

    async def _quietly(self, source: Discovery) -> None:
        try:
            await source.stop()
        except Exception as error:  # stopping goes on to the end; what failed is said
            self._log("warn", "stop-failed", {"what": f"discovery.{source.label}", "error": str(error)})

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
