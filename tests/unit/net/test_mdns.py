from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from covey.net.mdns import MdnsDiscovery
from covey.proto.effects import Advert, Hint

ONE = "01900000-0000-7000-8000-0000000000a1"
TWO = "01900000-0000-7000-8000-0000000000a2"


def loopback_takes_multicast() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.setsockopt(
                socket.IPPROTO_IP,
                socket.IP_ADD_MEMBERSHIP,
                socket.inet_aton("224.0.0.251") + socket.inet_aton("127.0.0.1"),
            )
        except OSError as error:
            assert error.errno in (errno.ENODEV, errno.EADDRNOTAVAIL, errno.EPERM, errno.ENOPROTOOPT)
            return False
    return True


pytestmark = pytest.mark.skipif(not loopback_takes_multicast(), reason="loopback takes no multicast here")


def advert(node_id: str, port: int) -> Advert:
    return Advert(node_id, "writer", bytes(32), "default", "127.0.0.1", port, lan=False)


def test_two_peers_find_each_other_on_loopback_and_notice_the_end() -> None:
    async def run() -> None:
        found: asyncio.Queue[Hint] = asyncio.Queue()
        gone: asyncio.Queue[str] = asyncio.Queue()
        first, second = MdnsDiscovery(), MdnsDiscovery()
        await first.start(advert(ONE, 4001), found.put_nowait, gone.put_nowait)
        await second.start(advert(TWO, 4002), lambda hint: None, lambda node_id: None)
        async with asyncio.timeout(20):
            while (hint := await found.get()).node_id != TWO:
                pass
            assert hint == Hint("mdns", TWO, "default", "2.0", (("127.0.0.1", 4002),), "writer")
            await second.stop()
            while await gone.get() != TWO:
                pass
        await first.stop()

    asyncio.run(run())


def test_a_stock_peer_of_a_named_room_is_found_under_its_own_type() -> None:
    from zeroconf import IPVersion, ServiceInfo
    from zeroconf.asyncio import AsyncZeroconf

    async def run() -> None:
        found: asyncio.Queue[Hint] = asyncio.Queue()
        source = MdnsDiscovery("backend-team")
        await source.start(advert(ONE, 4001), found.put_nowait, lambda node_id: None)
        theirs = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
        kind = "_backend-team._tcp.local."
        said = {"node-id": TWO, "node-name": "stock", "public-key": "x", "hostname": "h.local"}
        at = [socket.inet_aton("127.0.0.1")]
        info = ServiceInfo(kind, f"{TWO}.{kind}", 4002, properties=said, addresses=at, server="h.local.")
        await (await theirs.async_register_service(info))
        async with asyncio.timeout(20):
            while (hint := await found.get()).node_id != TWO:
                pass
        assert (hint.stock, hint.room, hint.addresses) == (True, "backend-team", (("127.0.0.1", 4002),))
        await theirs.async_unregister_all_services()
        await theirs.async_close()
        await source.stop()

    asyncio.run(run())
