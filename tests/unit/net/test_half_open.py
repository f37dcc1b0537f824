"""Connections that never become WebSockets: bounded, timed, counted, and in nobody's way."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from covey import limits
from covey.net.half_open import HalfOpen
from covey.net.websocket import WebSocketServer, server_tls

MOST = 8


class Sink:
    """What a listener says of its connections."""

    def __init__(self) -> None:
        self.count = 0
        self.cut = 0
        self.said: list[bytes | None] = []

    def opened(self, conn: int, address: str) -> None:
        self.count += 1

    def heard(self, conn: int, message: bytes | None) -> None:
        self.said.append(message)

    def written(self, conn: int, size: int) -> None: ...

    def gone(self, conn: int) -> None: ...

    def refused(self) -> None:
        self.cut += 1


WAITING: list[asyncio.Event | None] = [None]
"""What a test waits on: set whenever a connection comes or goes."""


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    WAITING[0] = None
    enter, leave = HalfOpen.enter, HalfOpen.leave

    def told(do: Callable[[HalfOpen, Any], None]) -> Callable[[HalfOpen, Any], None]:
        def doing(gate: HalfOpen, connection: Any) -> None:
            do(gate, connection)
            if WAITING[0] is not None:
                WAITING[0].set()

        return doing

    monkeypatch.setattr(HalfOpen, "enter", told(enter))
    monkeypatch.setattr(HalfOpen, "leave", told(leave))


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: no certificate to try TLS with")
    chain, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(chain)]
    subprocess.run([openssl, *words, *names, *files], check=True, capture_output=True, timeout=60)
    return chain, key


@contextlib.asynccontextmanager
async def listening(tls: tuple[Path, Path] | None) -> AsyncIterator[tuple[WebSocketServer, Sink, int]]:
    server, sink = WebSocketServer({}), Sink()
    port = await server.listen("127.0.0.1", 0, sink, None if tls is None else server_tls(*tls))
    try:
        yield server, sink, port
    finally:
        await server.stop()
        assert server.half_open == 0


async def silent(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def speak(port: int, tls: tuple[Path, Path] | None) -> None:
    scheme, context = ("ws", None) if tls is None else ("wss", ssl.create_default_context(cafile=tls[0]))
    async with connect(f"{scheme}://127.0.0.1:{port}", ssl=context, proxy=None) as client:
        await client.send("hello")


async def until(server: WebSocketServer, count: int) -> None:
    """Wait until that many connections are half open."""
    async with asyncio.timeout(10):
        while server.half_open != count:
            came = WAITING[0] = asyncio.Event()
            await came.wait()


@pytest.mark.parametrize("secure", [False, True])
def test_a_flood_of_silent_connections_is_bounded_and_cuts_itself(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, secure: bool
) -> None:
    monkeypatch.setattr(limits, "RELAY_HALF_OPEN", MOST)
    tls = request.getfixturevalue("certificate") if secure else None

    async def work() -> None:
        async with listening(tls) as (server, sink, port):
            flood = [await silent(port) for _ in range(3 * MOST)]
            await until(server, MOST)
            ended = [asyncio.create_task(reader.read()) for reader, _ in flood[: 2 * MOST]]
            await asyncio.wait_for(asyncio.gather(*ended, return_exceptions=True), 10)
            assert (sink.cut, sink.count) == (2 * MOST, 0), "the oldest were cut"
            await speak(port, tls)  # and whoever means to speak comes through
            assert sink.said == [b"hello"] and server.half_open == MOST - 1
            for _, writer in flood:
                writer.close()
            await until(server, 0)

    asyncio.run(work())


@pytest.mark.parametrize("secure", [False, True])
def test_a_silent_connection_is_cut_after_its_time(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, secure: bool
) -> None:
    monkeypatch.setattr(limits, "RELAY_REQUEST_SECONDS", 0.2)
    tls = request.getfixturevalue("certificate") if secure else None

    async def work() -> None:
        async with listening(tls) as (server, sink, port):
            reader, writer = await silent(port)
            await until(server, 1)
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()
            await until(server, 0)
            assert (sink.cut, sink.count) == (0, 0)

    asyncio.run(work())


def test_what_is_no_tls_and_what_breaks_off_is_counted_no_more(certificate: tuple[Path, Path]) -> None:
    async def work() -> None:
        async with listening(certificate) as (server, sink, port):
            for said in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\x00" * 64, b""):
                _, writer = await silent(port)
                writer.write(said)
                writer.close()
            await speak(port, certificate)
            await until(server, 0)
            assert (sink.cut, sink.said) == (0, [b"hello"])

    asyncio.run(work())


def test_a_listener_that_stops_cuts_what_is_half_open(certificate: tuple[Path, Path]) -> None:
    async def work() -> None:
        async with listening(certificate) as (server, _, port):
            reader, writer = await silent(port)
            await until(server, 1)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()

    asyncio.run(work())
