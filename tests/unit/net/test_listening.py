"""Listening on several addresses of one machine, and letting go of those that are gone."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from covey.errors import NetworkError
from covey.net import interfaces
from covey.net.tcp import TcpTransport
from tests.unit.net.test_tcp import Sink


def reachable(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_one_port_serves_ipv4_and_ipv6() -> None:
    async def run() -> None:
        server, sink = TcpTransport(), Sink()
        port = await server.listen(["127.0.0.1", "::1"], 0, sink)
        for number, host in ((2, "127.0.0.1"), (4, "::1")):
            client, heard = TcpTransport(), Sink()
            client.connect(1, host, port, 5.0, heard)
            await sink.until("opened", number, True, True)
            await client.stop()
        await server.stop()

    asyncio.run(run())


def test_hosts_come_and_go_on_the_same_port_and_links_that_stand_stay() -> None:
    async def run() -> None:
        server, sink = TcpTransport(), Sink()
        port = await server.listen(["127.0.0.1"], 0, sink)
        client, heard = TcpTransport(), Sink()
        client.connect(1, "127.0.0.1", port, 5.0, heard)
        await sink.until("opened", 2)
        assert await server.rebind(["127.0.0.2"], sink) == []
        assert await asyncio.to_thread(reachable, "127.0.0.2", port)
        assert not await asyncio.to_thread(reachable, "127.0.0.1", port)
        client.write(1, b"still here")
        assert await sink.until_bytes(2, 10) == b"still here"
        assert await server.rebind(["192.0.2.1"], sink) == ["192.0.2.1"], "it is not ours; it may come yet"
        await client.stop()
        await server.stop()

    asyncio.run(run())


def test_links_from_an_address_that_went_are_cut_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        server, sink = TcpTransport(), Sink()
        port = await server.listen(["127.0.0.1", "127.0.0.2"], 0, sink)
        client, heard = TcpTransport(), Sink()
        client.connect(1, "127.0.0.1", port, 5.0, heard)
        await sink.until("opened", 2)
        client.connect(3, "127.0.0.2", port, 5.0, heard)
        await sink.until("opened", 4)
        monkeypatch.setattr("covey.net.tcp.is_loopback", lambda host: host == "127.0.0.1")
        assert server.forsake(["10.0.0.1"]) == 1
        await heard.until("lost", 3)
        client.write(1, b"alive")
        assert await sink.until_bytes(2, 5) == b"alive"
        assert server.forsake([]) == 0
        await client.stop()
        await server.stop()

    asyncio.run(run())


def test_where_one_address_is_taken_nothing_stays_bound() -> None:
    async def run() -> None:
        first, second = TcpTransport(), TcpTransport()
        port = await first.listen(["127.0.0.2"], 0, Sink())
        with pytest.raises(NetworkError, match=r"127\.0\.0\.2"):
            await second.listen(["127.0.0.1", "127.0.0.2"], port, Sink())
        assert not await asyncio.to_thread(reachable, "127.0.0.1", port)
        await first.stop()

    asyncio.run(run())


def test_loopback_is_no_network_and_choices_are_by_name_or_address() -> None:
    found = interfaces.places()
    assert not any(place.host.startswith("127.") or place.host == "::1" for place in found)
    for place in found:
        assert place in interfaces.places([place.interface])
        assert place in interfaces.places([place.host.partition("%")[0]])
    assert interfaces.places(["no-such-interface"]) == ()


def test_an_address_that_its_network_has_not_agreed_to_is_not_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        "fe800000000000000000000000000001 02 40 20 40     eth0",
        "fe800000000000000000000000000002 02 40 20 80     eth0",
        "fd000000000000000000000000000003 03 40 00 08     eth1",
    ]
    (tmp_path / "if_inet6").write_text("\n".join(rows) + "\n")
    monkeypatch.setattr(interfaces, "_IPV6", tmp_path / "if_inet6")
    assert interfaces._tentative() == {("fe80::1", "eth0"), ("fd00::3", "eth1")}
