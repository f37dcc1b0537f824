from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Coroutine
from typing import Any

import pytest

from covey import limits
from covey.errors import NetworkError
from covey.net.tcp import TcpTransport, is_loopback
from covey.ports import LinkSink

LOOPS = ["asyncio", "uvloop"]


def run_on(loop: str, work: Coroutine[Any, Any, None]) -> None:
    if loop == "uvloop":
        try:
            import uvloop
        except ImportError:
            work.close()
            pytest.skip("uvloop is not installed")
        uvloop.run(work)
    else:
        asyncio.run(work)


class Sink:
    """Keeps what a transport says, and lets a test wait for it."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []
        self.bytes: dict[int, bytearray] = {}
        self._more = asyncio.Event()

    def _note(self, *what: object) -> None:
        self.said.append(what)
        self._more.set()

    def link_opened(self, link: int, *, inbound: bool, address: str, local: str, loopback: bool) -> None:
        self.bytes[link] = bytearray()
        self._note("opened", link, inbound, loopback)

    def link_failed(self, link: int, reason: str) -> None:
        self._note("failed", link, reason)

    def link_data(self, link: int, data: bytes) -> None:
        self.bytes[link] += data
        self._more.set()

    def link_full(self, link: int, full: bool) -> None:
        self._note("full", link, full)

    def link_lost(self, link: int, reason: str) -> None:
        self._note("lost", link, reason)

    async def until(self, *what: object) -> tuple[object, ...]:
        def found() -> tuple[object, ...] | None:
            return next((said for said in self.said if said[: len(what)] == what), None)

        async with asyncio.timeout(10):
            while (said := found()) is None:
                self._more.clear()
                await self._more.wait()
        return said

    async def until_bytes(self, link: int, count: int) -> bytes:
        async with asyncio.timeout(10):
            while len(self.bytes[link]) < count:
                self._more.clear()
                await self._more.wait()
        return bytes(self.bytes[link])


async def two() -> tuple[TcpTransport, Sink, TcpTransport, Sink]:
    server, server_sink, client, client_sink = TcpTransport(), Sink(), TcpTransport(), Sink()
    port = await server.listen(["127.0.0.1"], 0, server_sink)
    client.connect(1, "127.0.0.1", port, 5.0, client_sink)
    await client_sink.until("opened", 1, False, True)
    await server_sink.until("opened", 2, True, True)
    return server, server_sink, client, client_sink


def test_bytes_go_both_ways_and_a_close_flushes_what_was_written() -> None:
    async def run() -> None:
        server, server_sink, client, client_sink = await two()
        client.write(1, b"hello")
        assert await server_sink.until_bytes(2, 5) == b"hello"
        server.write(2, b"x" * 300_000)
        server.close(2)
        assert len(await client_sink.until_bytes(1, 300_000)) == 300_000
        await client_sink.until("lost", 1)
        await server_sink.until("lost", 2)
        await client.stop()
        await server.stop()

    asyncio.run(run())


class Refusing(Sink):
    """Closes each link as it opens, as an engine does that has too many."""

    def __init__(self, transport: TcpTransport) -> None:
        super().__init__()
        self._transport = transport

    def link_opened(self, link: int, *, inbound: bool, address: str, local: str, loopback: bool) -> None:
        super().link_opened(link, inbound=inbound, address=address, local=local, loopback=loopback)
        self._transport.close(link)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_dialled_link_that_is_closed_as_it_opens_is_told_lost(loop: str) -> None:
    async def run() -> None:
        server, client = TcpTransport(), TcpTransport()
        sink = Refusing(client)
        port = await server.listen(["127.0.0.1"], 0, Sink())
        client.connect(1, "127.0.0.1", port, 5.0, sink)
        assert await sink.until("opened", 1) and await sink.until("lost", 1)
        assert sink.said == [("opened", 1, False, True), ("lost", 1, "closed")]
        await client.stop()
        await server.stop()

    run_on(loop, run())


@pytest.mark.parametrize("loop", LOOPS)
def test_to_stop_as_a_dial_stands_ends_with_its_loss_told(loop: str) -> None:
    async def run() -> None:
        server, client, stopping = TcpTransport(), TcpTransport(), []

        class Stopping(Sink):
            def link_opened(self, *args: Any, **more: Any) -> None:
                super().link_opened(*args, **more)
                stopping.append(asyncio.ensure_future(client.stop()))

        sink = Stopping()
        port = await server.listen(["127.0.0.1"], 0, Sink())
        client.connect(1, "127.0.0.1", port, 5.0, sink)
        assert await sink.until("lost", 1)
        async with asyncio.timeout(10):
            await stopping[0]
        await server.stop()

    run_on(loop, run())


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("steps", range(6))
def test_a_dial_that_is_closed_just_as_it_stands_leaves_no_link_behind(
    monkeypatch: pytest.MonkeyPatch, loop: str, steps: int
) -> None:
    monkeypatch.setattr(limits, "GOODBYE_SECONDS", 0.05)

    async def run() -> None:
        here = asyncio.get_running_loop()
        told, teller = socket.socketpair()
        with socket.create_server(("127.0.0.1", 0)) as listening, told, teller:
            told.setblocking(False)
            client, sink, closed = TcpTransport(), Sink(), asyncio.Event()

            def close() -> None:
                here.remove_reader(told)
                client.close(1)
                closed.set()

            client.connect(1, "127.0.0.1", listening.getsockname()[1], 5.0, sink)
            for _ in range(steps):
                await asyncio.sleep(0)
            here.add_reader(told, close)
            teller.send(b"x")  # so that it is closed by what the loop hears together with the connection
            await closed.wait()
            async with asyncio.timeout(10):
                await client.stop()
            assert [said[:2] for said in sink.said] in ([], [("opened", 1), ("lost", 1)])

    run_on(loop, run())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_link_whose_dial_is_given_up_as_it_opens_is_told_lost_once(loop: str) -> None:
    async def run() -> None:
        client = TcpTransport()

        class Late(Sink):
            def link_opened(self, *args: Any, **more: Any) -> None:
                super().link_opened(*args, **more)
                client._dials[1].task.cancel()  # as a timeout does that comes before the dial has woken

        with socket.create_server(("127.0.0.1", 0)) as listening:
            sink = Late()
            client.connect(1, "127.0.0.1", listening.getsockname()[1], 5.0, sink)
            lost = await sink.until("lost", 1)
            for _ in range(10):
                await asyncio.sleep(0)  # a second loss would be told now
            async with asyncio.timeout(10):
                await client.stop()
            assert sink.said == [("opened", 1, False, True), lost]

    run_on(loop, run())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_dial_whose_time_is_up_as_its_link_is_lost_again_did_not_fail(
    monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    made: list[asyncio.Timeout] = []
    of_asyncio = asyncio.timeout

    def timeout(seconds: float | None) -> asyncio.Timeout:
        made.append(of_asyncio(seconds))
        return made[-1]

    async def run() -> None:
        client = TcpTransport()

        class Cut(Sink):
            def link_opened(self, link: int, **more: Any) -> None:
                super().link_opened(link, **more)
                client._links[link].abort()
                made[0].reschedule(asyncio.get_running_loop().time())  # before the dial has woken

        with socket.create_server(("127.0.0.1", 0)) as listening:
            sink = Cut()
            with monkeypatch.context() as patched:
                patched.setattr(asyncio, "timeout", timeout)
                client.connect(1, "127.0.0.1", listening.getsockname()[1], 5.0, sink)
                await asyncio.sleep(0)
            await sink.until("lost", 1)
            await nothing_later(client, sink, [("opened", 1), ("lost", 1)])

    run_on(loop, run())


async def nothing_later(transport: TcpTransport, sink: Sink, told: list[tuple[object, ...]]) -> None:
    """Stop a transport: nothing but this was told, nor is in the rounds that follow."""
    await transport.stop()
    transport.connect(3, "127.0.0.1", 9, 5.0, sink)
    for _ in range(30):
        assert [said[:2] for said in sink.said] == told
        await asyncio.sleep(0)
    assert not transport._dials


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("steps", range(8))
def test_nothing_is_told_of_a_dial_once_it_is_closed(loop: str, steps: int) -> None:
    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            client, sink = TcpTransport(), Sink()
            client.connect(1, "127.0.0.1", listening.getsockname()[1], 5.0, sink)
            for _ in range(steps):
                await asyncio.sleep(0)  # in one of them its connection stands, and it has not heard of it
            stood = bool(sink.said)
            client.close(1)
            if stood:
                listening.accept()[0].close()
            await nothing_later(client, sink, [("opened", 1), ("lost", 1)] if stood else [])

    run_on(loop, run())


@pytest.mark.parametrize("loop", LOOPS)
def test_what_was_accepted_as_a_transport_stops_is_cut_and_told_to_nobody(loop: str) -> None:
    stops: list[asyncio.Task[None]] = []

    class Stopping(TcpTransport):
        def _accepted(self, sink: LinkSink) -> Any:
            stops.append(asyncio.ensure_future(self.stop()))  # runs before the connection is told to stand
            return super()._accepted(sink)

    async def run() -> None:
        here = asyncio.get_running_loop()
        server, sink = Stopping(), Sink()
        port = await server.listen(["127.0.0.1"], 0, sink)
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.setblocking(False)
            async with asyncio.timeout(10):
                with contextlib.suppress(ConnectionResetError):
                    assert await here.sock_recv(raw, 1) == b""
            await stops[0]
            await nothing_later(server, sink, [])

    run_on(loop, run())


def test_last_words_arrive_although_input_is_unread() -> None:
    async def run() -> None:
        server, server_sink, client, client_sink = await two()
        server.reading(2, False)
        client.write(1, bytes(100_000))
        await asyncio.sleep(0)  # let it reach the socket that nobody reads
        server.write(2, b"goodbye")
        server.close(2)
        assert await client_sink.until_bytes(1, 7) == b"goodbye"
        assert await client_sink.until("lost", 1) == ("lost", 1, "closed")
        assert await server_sink.until("lost", 2) == ("lost", 2, "closed")
        await client.stop()
        await server.stop()

    asyncio.run(run())


def test_to_close_what_the_other_side_has_reset_unseen_is_no_error() -> None:
    async def work() -> None:
        ours, sink = TcpTransport(), Sink()
        port = await ours.listen(["127.0.0.1"], 0, sink)
        raw = socket.create_connection(("127.0.0.1", port))
        link = (await sink.until("opened"))[1]
        assert isinstance(link, int)
        ours.reading(link, False)  # so that nobody looks at the connection before we close it
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
        ours.close(link)
        await sink.until("lost", link)
        await ours.stop()

    asyncio.run(work())


def test_a_peer_that_does_not_read_shows_as_full_and_again_as_relieved() -> None:
    async def run() -> None:
        server, server_sink, client, client_sink = await two()
        client.reading(1, False)
        chunk, chunks = bytes(1 << 16), 0
        while ("full", 2, True) not in server_sink.said:
            server.write(2, chunk)
            chunks += 1
            await asyncio.sleep(0)
            assert chunks < 4096, "the write buffer has no bound"
        client.reading(1, True)
        await server_sink.until("full", 2, False)
        assert len(await client_sink.until_bytes(1, chunks << 16)) == chunks << 16
        await client.stop()
        await server.stop()

    asyncio.run(run())


def test_stop_ends_although_a_peer_never_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GOODBYE_SECONDS", 0.05)

    async def run() -> None:
        server, server_sink, client, _ = await two()
        client.reading(1, False)
        while ("full", 2, True) not in server_sink.said:
            server.write(2, bytes(1 << 16))
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await server.stop()
        await server_sink.until("lost", 2)
        await client.stop()

    asyncio.run(run())


def test_a_dial_to_nobody_fails_with_a_reason() -> None:
    async def run() -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        client, sink = TcpTransport(), Sink()
        client.connect(1, "127.0.0.1", port, 5.0, sink)
        _, _, reason = await sink.until("failed", 1)
        assert "refused" in str(reason).lower()
        await client.stop()

    asyncio.run(run())


def test_a_taken_port_says_which_and_why() -> None:
    async def run() -> None:
        first, second = TcpTransport(), TcpTransport()
        port = await first.listen(["127.0.0.1"], 0, Sink())
        with pytest.raises(NetworkError, match=rf"cannot listen on 127\.0\.0\.1:{port}: "):
            await second.listen(["127.0.0.1"], port, Sink())
        await first.stop()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.1", False),
        ("::ffff:192.0.2.1", False),
        ("fe80::1%eth0", False),
        ("unknown", False),
    ],
)
def test_loopback_is_decided_by_the_address(host: str, local: bool) -> None:
    assert is_loopback(host) is local
