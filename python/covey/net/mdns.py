"""Multicast discovery: `_sym._tcp.local.`, instance name = nodeId (MMP 2.0 §5.1), by the zeroconf library.

Loopback interface only, unless the advert says `lan`. In a legacy room stock Node peers are looked for too,
under the service types that they use; nothing is ever advertised there. The library is imported on a thread
when discovery starts, and registration, which probes for over a second, is awaited by nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import re
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING

from covey import limits
from covey.net import stock, txt
from covey.proto.effects import Hint

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf

    from covey.proto.effects import Advert

SERVICE = "_sym._tcp.local."
_NODE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


class MdnsDiscovery:
    """Advertise and browse by multicast DNS until `stop`.

    Args:
        stock_room: The room whose stock Node peers are looked for too; None looks for none.
    """

    label = "mdns"
    renews = True

    def __init__(self, stock_room: str | None = None) -> None:
        self._stock_rooms = {} if stock_room is None else stock.service_types(stock_room)
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._lookups: set[asyncio.Task[None]] = set()
        self._names: dict[str, str] = {}
        """nodeId by instance name, of what was found."""
        self._own_id = ""

    async def start(self, advert: Advert, found: Callable[[Hint], None], gone: Callable[[str], None]) -> None:
        """Browse at once, and advertise where this peer listens.

        Raises:
            OSError: No interface takes multicast.
            zeroconf.Error: The name is taken: another live peer has this nodeId.
        """
        await asyncio.get_running_loop().run_in_executor(None, importlib.import_module, "zeroconf.asyncio")
        from zeroconf import IPVersion  # imported on the thread above, not before discovery
        from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf

        self._own_id = advert.node_id
        self._names.clear()
        speaks = _interfaces(advert)
        both = any(isinstance(each, int) for each in speaks)
        ip_version = IPVersion.All if both else IPVersion.V4Only
        self._zeroconf = AsyncZeroconf(interfaces=speaks, ip_version=ip_version)

        def changed(
            zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
        ) -> None:
            self._changed((service_type, name), state_change.name, found, gone)

        types = list({SERVICE: None, **self._stock_rooms})
        self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, types, handlers=[changed])
        if advert.port:
            await self._register(advert)

    async def stop(self) -> None:
        """Withdraw the advertisement and end."""
        for lookup in tuple(self._lookups):
            lookup.cancel()
        await asyncio.gather(*self._lookups, return_exceptions=True)
        if self._browser is not None:
            await self._browser.async_cancel()
            self._browser = None
        if self._zeroconf is not None:
            await self._zeroconf.async_unregister_all_services()
            await self._zeroconf.async_close()
            self._zeroconf = None

    async def _register(self, advert: Advert) -> None:
        from zeroconf.asyncio import AsyncServiceInfo  # loaded by `start`, on a thread

        if self._zeroconf is None:
            return
        hostname = socket.gethostname() if advert.lan else "localhost"
        members = txt.record(advert.node_id, advert.name, advert.public_key, hostname, advert.room)
        info = AsyncServiceInfo(
            SERVICE,
            f"{advert.node_id}.{SERVICE}",
            addresses=[ip_address(host.partition("%")[0]).packed for host in _hosts(advert)],
            port=advert.port,
            properties=dict(members),
            server=f"{advert.node_id}.local.",
        )
        await (await self._zeroconf.async_register_service(info))

    def _changed(
        self,
        service: tuple[str, str],
        change: str,
        found: Callable[[Hint], None],
        gone: Callable[[str], None],
    ) -> None:
        if change == "Removed":
            node_id = self._names.pop(service[1], None)
            if node_id is not None:
                gone(node_id)
            return
        if len(self._names) + len(self._lookups) >= limits.CANDIDATES:
            return  # as many as the roster keeps; anybody on the network can advertise
        lookup = asyncio.get_running_loop().create_task(self._look_up(*service, found))
        self._lookups.add(lookup)
        lookup.add_done_callback(self._lookups.discard)

    async def _look_up(self, service_type: str, name: str, found: Callable[[Hint], None]) -> None:
        from zeroconf import IPVersion  # loaded by `start`, on a thread
        from zeroconf.asyncio import AsyncServiceInfo

        if self._zeroconf is None:
            return
        info = AsyncServiceInfo(service_type, name)
        if not await info.async_request(self._zeroconf.zeroconf, limits.MDNS_LOOKUP_MS):
            return
        members = txt.pairs(info.text)
        addresses = info.parsed_scoped_addresses(IPVersion.All)
        room = self._stock_rooms.get(service_type)
        hint = hint_of(members, [(address, info.port or 0) for address in addresses], room)
        if hint is not None and hint.node_id != self._own_id:
            self._names[name] = hint.node_id
            found(hint)


def hint_of(
    members: dict[str, str], addresses: list[tuple[str, int]], stock_room: str | None = None
) -> Hint | None:
    """Return what a TXT record and its addresses hint at; None without a nodeId or a port.

    A record without `room` or `mmp` gives empty ones, which no roster dials (update 1). Where stock peers are
    looked for, one without `mmp` is theirs: `stock_room` is what its service type stands for.
    """
    node_id = members.get("node-id", "")
    usable = tuple((host, port) for host, port in addresses if 1 <= port <= 65_535)
    if not _NODE_ID.match(node_id) or not usable:
        return None
    name = members.get("node-name", "")[: limits.PEER_NAME_BYTES]
    if stock_room is not None and "mmp" not in members:
        return Hint("mdns", node_id, stock_room, "", usable, name, stock=True)
    return Hint("mdns", node_id, members.get("room", ""), members.get("mmp", ""), usable, name)


def _hosts(advert: Advert) -> tuple[str, ...]:
    """Return the addresses to advertise: loopback's alone, or the machine's on its networks."""
    return advert.hosts if advert.lan and advert.hosts else ("127.0.0.1",)


def _interfaces(advert: Advert) -> list[str | int]:
    """Return where to speak: IPv4 by address, IPv6 by its interface's index; loopback where there is none."""
    speaks: list[str | int] = []
    for host in _hosts(advert):
        if ":" not in host:
            speaks.append(host)
        elif "%" in host:
            # multicast between neighbours goes by link-local addresses; every interface with IPv6 has one
            with contextlib.suppress(OSError):  # it went away since it was listed: the next look renews
                speaks.append(socket.if_nametoindex(host.partition("%")[2]))
    return speaks or ["127.0.0.1"]
