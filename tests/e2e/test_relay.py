"""The real `covey relay` against clients of every kind, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import signal
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from covey import limits
from tests.e2e.program import Program, Running

ALICE = "018f47a0-7b21-7abc-8def-111111111111"
BOB = "018f47a0-7b21-7abc-8def-222222222222"


@contextlib.contextmanager
def relay(covey: Program, *words: str, **env: str) -> Iterator[tuple[Running, str]]:
    """Run a relay on a free port; give it and its URL."""
    with covey.start("relay", "--listen", "127.0.0.1:0", "--json", *words, **env) as running:
        yield running, running.event("relaying")["url"]


def client(url: str, **more: Any) -> connect:
    return connect(url, compression=None, ping_interval=None, proxy=None, max_size=None, **more)


async def join(connection: ClientConnection, node_id: str, name: str, **more: Any) -> dict[str, Any]:
    await connection.send(json.dumps({"type": "relay-auth", "nodeId": node_id, "name": name, **more}))
    found: dict[str, Any] = json.loads(await connection.recv())
    return found


async def closed(connection: ClientConnection) -> int | None:
    """Read until the end; return the code the relay closed with."""
    with contextlib.suppress(ConnectionClosed):
        async for _ in connection:
            pass
    await connection.wait_closed()
    return connection.close_code


async def exchange(url: str, **more: Any) -> None:
    """Prove that a relay serves: two join, one frame passes."""
    async with client(url, **more) as alice, client(url, **more) as bob:
        await join(alice, ALICE, "alice")
        await join(bob, BOB, "bob")
        await alice.send('{"to":"' + BOB + '","payload":{"type":"x", "n":1.50}}')
        assert str(await bob.recv()).endswith('"payload":{"type":"x", "n":1.50}}')


def page(url: str, path: str) -> str:
    with urllib.request.urlopen(url.replace("ws", "http", 1) + path, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def test_a_first_message_null_ends_one_client_and_not_the_relay(covey: Program) -> None:
    async def talk(url: str) -> None:
        for first in ("null", "[]", "{}", '"x"', "1e999", "[" * 100_000, "\x00", '{"type":"relay-auth"}'):
            async with client(url) as connection:
                await connection.send(first)
                assert await closed(connection) == 4002, first
        async with client(url) as connection:
            await connection.send(b"\x00\xff")
            assert await closed(connection) == 4002
        await exchange(url)

    with relay(covey) as (running, url):
        asyncio.run(talk(url))
        running.signal(signal.SIGTERM)
        assert running.end().code == 0


def test_bytes_that_are_no_websocket_leave_the_relay_standing(covey: Program) -> None:
    dice = random.Random(7)

    async def talk(url: str) -> None:
        host, port = url.removeprefix("ws://").split(":")
        upgrade = (
            f"GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        for start in (b"", upgrade):
            for _ in range(20):
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(start + dice.randbytes(dice.randrange(1, 4_000)))
                with contextlib.suppress(ConnectionError):
                    writer.write_eof()
                    await reader.read()
                writer.close()
        async with client(url) as connection:
            await join(connection, ALICE, "alice")
            await connection.send('{"payload":"' + "x" * limits.RELAY_MESSAGE_BYTES + '"}')
            assert await closed(connection) == 1009
        await exchange(url)

    with relay(covey) as (running, url):
        asyncio.run(talk(url))
        running.signal(signal.SIGTERM)
        assert "internal" not in running.end().err


def test_wrong_tokens_and_second_holders_are_turned_away_with_their_codes(covey: Program) -> None:
    async def talk(url: str) -> None:
        async with client(url) as alice, client(url) as second, client(url) as stranger:
            assert await join(alice, ALICE, "alice", token="t-1") == {"type": "relay-peers", "peers": []}
            assert (await join(second, ALICE, "alice", token="t-1"))["code"] == 4006
            assert await closed(second) == 4006
            assert (await join(stranger, BOB, "bob", token="t-3"))["message"] == "Invalid token"
            assert await closed(stranger) == 4003

    with relay(covey, COVEY_RELAY_TOKENS="one:t-1,two:t-2") as (running, url):
        asyncio.run(talk(url))
        running.signal(signal.SIGTERM)
        lines = running.end().err.splitlines()
        assert "t-1" not in "".join(lines)
        assert 4003 in [json.loads(line)["data"].get("code") for line in lines], (
            "one line of JSON for each event"
        )


def test_a_client_that_does_not_read_is_seen_and_its_sender_told(covey: Program) -> None:
    async def talk(url: str) -> None:
        host, port = url.removeprefix("ws://").split(":")
        async with client(url) as alice, client(url, max_queue=1) as bob:
            await join(alice, ALICE, "alice")
            await join(bob, BOB, "bob")
            bob.transport.pause_reading()
            big = '{"to":"' + BOB + '","payload":{"x":"' + "x" * 1_000_000 + '"}}'
            said: dict[str, Any] = {}
            for _ in range(60):
                await alice.send(big)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        said = json.loads(await alice.recv())
                if said.get("kind") == "slow":
                    break
            assert (said["kind"], said["reason"]) == ("slow", BOB)
            shown = await asyncio.to_thread(page, f"ws://{host}:{port}", "/metrics")
            assert "covey_relay_slow_peers 1\n" in shown

    with relay(covey) as (_, url):
        asyncio.run(talk(url))


def test_a_relay_on_ipv6(covey: Program) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with covey.start("relay", "--listen", "[::1]:0", "--json") as running:
        asyncio.run(exchange(running.event("relaying")["url"]))


def test_health_and_metrics_answer_on_the_same_port(covey: Program) -> None:
    with relay(covey) as (_, url):
        asyncio.run(exchange(url))
        assert page(url, "/healthz") == "ok\n"
        shown = page(url, "/metrics")
        assert 'covey_relay_messages_total{kind="forwarded"} 1\n' in shown
        assert "alice" not in shown
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            page(url, "/other")
        refused.value.close()


def test_tls_by_certificate_files(covey: Program, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: no certificate to try TLS with")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, *words, *names, *files], check=True, capture_output=True, timeout=60)
    with relay(covey, "--cert", str(certificate), "--key", str(key)) as (_, url):
        assert url.startswith("wss://")
        asyncio.run(exchange(url, ssl=ssl.create_default_context(cafile=certificate)))
    refused = covey("relay", "--cert", str(key), "--key", str(key))
    assert refused.code == 1
    assert "certificate" in refused.err
    sealed = tmp_path / "sealed.pem"
    words = ["pkey", "-in", str(key), "-aes128", "-passout", "pass:only-a-test", "-out", str(sealed)]
    subprocess.run([openssl, *words], check=True, capture_output=True, timeout=60)
    refused = covey("relay", "--cert", str(certificate), "--key", str(sealed))
    assert (refused.code, "Enter PEM" in refused.out + refused.err) == (1, False), (
        "it must not ask a terminal"
    )
    assert "it is under a passphrase" in refused.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--listen", "0.0.0.0:0"], "beyond loopback a relay needs tokens"),
        (["--listen", "0.0.0.0:0", "--open"], "beyond loopback a relay needs TLS"),
        (["--listen", "[::]:0", "--open"], "beyond loopback a relay needs TLS"),
        (["--listen", "nowhere"], "--listen: expected HOST:PORT"),
        (["--cert", "a.pem"], "--cert and --key come together"),
        (["--tokens", "missing.txt"], "cannot read missing.txt"),
    ],
)
def test_what_is_not_safe_is_refused(covey: Program, words: list[str], says: str) -> None:
    ended = covey("relay", *words)
    assert ended.code == 2
    assert says in ended.err


def test_a_flood_of_connections_that_say_nothing_is_bounded_counted_and_in_nobodys_way(
    covey: Program,
) -> None:
    with relay(covey) as (_, url), contextlib.ExitStack() as stack:
        port = int(url.rpartition(":")[2])
        try:
            for _ in range(limits.RELAY_HALF_OPEN + 100):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        except OSError as error:
            pytest.skip(f"this machine gives a process too few open files: {error}")
        asyncio.run(exchange(url))
        shown = page(url, "/metrics")
    told = dict(line.rsplit(" ", 1) for line in shown.splitlines() if not line.startswith("#"))
    assert 0 < int(told["covey_relay_half_open"]) <= limits.RELAY_HALF_OPEN
    refused = [int(count) for name, count in told.items() if "refused" in name and "half_open" in name]
    assert refused and refused[0] >= 100, shown


def test_a_token_file_is_read_strictly(covey: Program, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.txt"
    for text, says in (
        ("# nothing\n", "no token in it"),
        ("one\n", "line 1: expected a channel and a token"),
        ("one secret-a\ntwo secret-a\n", "line 2: the token opens a channel already"),
        ("o/e secret-a\n", "line 1: a channel has"),
    ):
        tokens.write_text(text)
        tokens.chmod(0o600)
        ended = covey("relay", "--tokens", str(tokens))
        assert (ended.code, says in ended.err, "secret-a" in ended.err) == (2, True, False), ended.err
    assert covey("relay", "--open", COVEY_RELAY_TOKENS="a:b").code == 2


def test_a_token_file_that_others_can_read_is_refused_with_the_way_to_mend_it(
    covey: Program, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.txt"
    tokens.write_text("team secret-a\n")
    for mode in (0o644, 0o640, 0o604, 0o620):
        tokens.chmod(mode)
        ended = covey("relay", "--tokens", str(tokens))
        assert (ended.code, "secret-a" in ended.err) == (2, False)
        assert f"can be read by others: mode {mode:04o}" in ended.err
        assert f"chmod 600 {tokens}" in ended.err
    tokens.chmod(0o600)
    with relay(covey, "--tokens", str(tokens)) as (running, _):
        assert running.process.poll() is None
