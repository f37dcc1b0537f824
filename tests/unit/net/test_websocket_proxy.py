"""A relay behind an HTTP proxy: the proxy connects, sees no word of what is said, and its refusal is told."""

from __future__ import annotations

import asyncio
import base64
import shutil
import ssl
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from covey.cli.mesh_flags import relays
from covey.errors import UsageError
from covey.net.websocket import WebSocketClient, WebSocketServer, server_tls

CANARY = "canary-in-a-frame"
LOGIN = "u:p w"


@dataclass
class Proxy:
    """A small CONNECT proxy with a password."""

    asked: list[str] = field(default_factory=list)
    seen: bytearray = field(default_factory=bytearray)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(request.splitlines()[0])
        expected = "Proxy-Authorization: Basic " + base64.b64encode(LOGIN.encode()).decode()
        if expected not in request:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            writer.close()
            return
        host, _, port = request.split()[1].rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(self._pipe(reader, far_writer), self._pipe(far_reader, writer))

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            self.seen += data
            writer.write(data)
        writer.close()


class Relay:
    """Says back what it hears."""

    def __init__(self) -> None:
        self.server = WebSocketServer({})

    def opened(self, conn: int, address: str) -> None:
        pass

    def heard(self, conn: int, message: bytes | None) -> None:
        assert message is not None
        self.server.say(conn, message)

    def written(self, conn: int, size: int) -> None:
        pass

    def gone(self, conn: int) -> None:
        pass

    def refused(self) -> None:
        raise AssertionError("nobody floods it")


@dataclass
class Client:
    """Puts down what its WebSocket says."""

    told: asyncio.Queue[object] = field(default_factory=asyncio.Queue)

    def up(self, cluster: str) -> None:
        self.told.put_nowait("up")

    def heard(self, message: bytes) -> None:
        self.told.put_nowait(message)

    def written(self, size: int) -> None:
        pass

    def down(self, code: int | None, reason: str) -> None:
        self.told.put_nowait(("down", reason))


def certificate(folder: Path) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: no certificate to try TLS with")
    chain, key = folder / "cert.pem", folder / "key.pem"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [openssl, *words, *names, "-keyout", str(key), "-out", str(chain)], check=True, capture_output=True
    )
    return chain, key


async def talk(tls: ssl.SSLContext | None, login: str) -> tuple[Proxy, list[object]]:
    """Say a canary through the proxy; return what the proxy saw and what the client was told."""
    proxy, relay, client = Proxy(), Relay(), Client()
    between = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    way = f"http://{login}127.0.0.1:{between.sockets[0].getsockname()[1]}"
    port = await relay.server.listen("127.0.0.1", 0, relay, tls)
    dialler = WebSocketClient(way)
    dialler.connect(f"{'wss' if tls else 'ws'}://127.0.0.1:{port}", 10.0, client)
    told = [await asyncio.wait_for(client.told.get(), 20)]
    if told == ["up"]:
        dialler.transmit(CANARY.encode())
        told.append(await asyncio.wait_for(client.told.get(), 20))
        dialler.hangup(1000, "done")
    await dialler.stop()
    await relay.server.stop()
    between.close()
    return proxy, told


def test_through_a_proxy_tls_ends_at_the_relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain, key = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    proxy, told = asyncio.run(talk(server_tls(chain, key), "u:p%20w@"))
    assert told == ["up", CANARY.encode()]
    (asked,) = proxy.asked
    assert asked.startswith("CONNECT 127.0.0.1:")
    assert len(proxy.seen) > 500 and CANARY.encode() not in proxy.seen


def test_a_relay_whose_certificate_does_not_hold_is_said_to_be_one(tmp_path: Path) -> None:
    proxy, told = asyncio.run(talk(server_tls(*certificate(tmp_path)), "u:p%20w@"))
    assert told == [("down", "its certificate does not hold: self-signed certificate")]
    assert CANARY.encode() not in proxy.seen


def test_a_proxy_that_refuses_is_said() -> None:
    proxy, told = asyncio.run(talk(None, ""))
    assert len(proxy.asked) == 1 and proxy.seen == b""
    assert told == [("down", "proxy rejected connection: HTTP 407")]


def test_the_environment_comes_first_and_a_relay_here_needs_no_proxy() -> None:
    urls = ("wss://relay.example", "ws://127.0.0.1:1", "wss://localhost:2")
    env = {"COVEY_RELAY_PROXY": "http://env.example:3128", "HTTPS_PROXY": "http://not.looked.at"}
    assert [each.proxy for each in relays(urls, None, env, "http://file.example")] == [
        "http://env.example:3128",
        None,
        None,
    ]
    assert [each.proxy for each in relays(urls[:1], None, {}, "http://file.example")] == [
        "http://file.example"
    ]
    assert [each.proxy for each in relays(urls[:1], None, {"HTTPS_PROXY": "http://x"})] == [None]
    with pytest.raises(UsageError) as refused:
        relays(urls, None, {"COVEY_RELAY_PROXY": "socks5://u:hunter2@x"})
    assert "hunter2" not in str(refused.value)
    with pytest.raises(UsageError, match="COVEY_RELAY_TOKEN: expected printable ASCII") as refused:
        relays(urls, None, {"COVEY_RELAY_TOKEN": "hunter2\n"})
    assert "hunter2" not in str(refused.value)
