"""Peers in processes of their own that meet only through real relays; and what such a relay can see."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from websockets.asyncio.client import ClientConnection

from covey import _core
from covey.model import CAT7
from tests.e2e.node_peer import identity
from tests.e2e.program import PACKAGE, Program, Running
from tests.e2e.test_relay import client, join, page, relay

ROOT = PACKAGE.parent


class Peer:
    """A running `relay_peer`, its news read line by line."""

    def __init__(self, folder: Path, number: int, *urls: str, token: str = "") -> None:
        self.heard: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.relay_peer", str(folder), str(number), token, *urls],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def until(self, event: str, **facts: Any) -> dict[str, Any]:
        """Read news until one of this name that has these facts."""
        assert self._process.stdout is not None
        for line in iter(self._process.stdout.readline, ""):
            found: dict[str, Any] = json.loads(line)
            self.heard.append(found)
            if found["event"] == event and facts.items() <= found.items():
                return found
        raise AssertionError(f"ended before {event}")

    def until_heard(self, text: str) -> None:
        """Read news until a block with this focus was judged."""
        while self.until("judged")["key"] != key_of(text):
            pass

    def status(self) -> dict[str, Any]:
        self.say("?")
        return self.until("status")

    def events(self, name: str) -> list[dict[str, Any]]:
        return [each for each in self.heard if each["event"] == name]


def key_of(text: str) -> str:
    return _core.content_key({**dict.fromkeys(CAT7, "neutral"), "focus": text})


@contextlib.contextmanager
def two(folder: Path, *urls: str) -> Iterator[tuple[Peer, Peer]]:
    with Peer(folder, 1, *urls) as one, Peer(folder, 2, *urls) as other:
        for peer in (one, other):
            peer.until("peer-joined")
        yield one, other


def test_two_peers_with_only_a_relay_exchange_blocks(covey: Program, tmp_path: Path) -> None:
    with relay(covey) as (_, url), two(tmp_path, url) as (one, other):
        one.say("from one")
        other.until_heard("from one")
        other.say("from the other")
        one.until_heard("from the other")
        status = one.status()
        assert status["peers"] == [{"name": "peer-2", "path": "relay"}]
        assert [each["state"] for each in status["relays"]] == ["joined"]
        (settled,) = one.events("send-settled") or [one.until("send-settled")]
        assert settled["send"]["state"] == "delivered"


def forwarded(url: str) -> int:
    """Return how many frames a relay has handed on."""
    head = 'covey_relay_messages_total{kind="forwarded"} '
    found = [line.removeprefix(head) for line in page(url, "/metrics").splitlines() if line.startswith(head)]
    return int(found[0]) if found else 0


def test_a_killed_relay_is_replaced_by_the_second_and_nobody_leaves(covey: Program, tmp_path: Path) -> None:
    with relay(covey) as (first, a), relay(covey) as (_, b), two(tmp_path, a, b) as (one, other):
        one.say("through the first")
        other.until_heard("through the first")
        while forwarded(b) < 5:
            pass  # the session that stands by is being made: three of its handshake, two of its greetings
        one.say("before the end")
        other.until_heard("before the end")
        first.signal(signal.SIGKILL)
        for number in range(10):
            one.say(f"after the end {number}")
        for number in range(10):
            other.until_heard(f"after the end {number}")
        other.say("and back")
        one.until_heard("and back")
        assert one.events("peer-left") == other.events("peer-left") == []
        judged = [each["key"] for each in other.events("judged") if each["outcome"] != "duplicate"]
        assert len(judged) == len(set(judged)), "nothing is judged twice"


class Cable:
    """A way from a port of ours to another, which a test can cut."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        """Break everything that goes through, for good."""
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._ends += [near, far]
                for pair in ((near, far), (far, near)):
                    thread = threading.Thread(target=self._carry, args=pair, daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)


def test_a04_a_cut_cable_fails_over_to_the_relay_and_nobody_leaves(covey: Program, tmp_path: Path) -> None:
    with relay(covey) as (_, url), two(tmp_path, url) as (one, other):
        cable = Cable(other.events("ready")[0]["port"])
        one.say(f"dial {cable.port}")
        while one.status()["peers"] != [{"name": "peer-2", "path": "static+relay"}]:
            pass
        before = forwarded(url)
        one.say("over the cable")
        other.until_heard("over the cable")
        assert forwarded(url) == before
        for number in range(5):
            one.say(f"while it breaks {number}")
        cable.cut()
        for number in range(5, 10):
            one.say(f"while it breaks {number}")
        wanted = {key_of(f"while it breaks {number}") for number in range(10)}
        while not wanted <= {each["key"] for each in other.events("judged")}:
            other.until("judged")
        assert forwarded(url) > before
        assert one.status()["peers"] == [{"name": "peer-2", "path": "relay"}]
        assert one.events("peer-left") == other.events("peer-left") == []
        judged = [each["key"] for each in other.events("judged") if each["outcome"] != "duplicate"]
        assert len(judged) == len(set(judged)), "nothing is judged twice"


def test_a_wrong_token_is_said_and_the_peer_goes_on(covey: Program, tmp_path: Path) -> None:
    with (
        relay(covey, COVEY_RELAY_TOKENS="one:right") as (_, url),
        Peer(tmp_path, 1, url, token="wrong") as peer,
    ):
        while (shown := peer.status()["relays"][0])["state"] in ("connecting", "joining"):
            pass
        assert shown["state"] == "waiting"
        assert "4003" in shown["detail"]


def test_the_older_of_two_processes_with_one_identity_stops_reconnecting(
    covey: Program, tmp_path: Path
) -> None:
    (tmp_path / "twin").mkdir()
    with relay(covey) as (_, url), Peer(tmp_path, 1, url) as one:
        while one.status()["relays"][0]["state"] != "joined":
            pass
        with Peer(tmp_path / "twin", 1, url) as twin:
            while (state := twin.status()["relays"][0]["state"]) in ("connecting", "joining"):
                pass
            # the first is fresh: the newcomer is turned away for good (4006)
            assert state == "stopped"
            assert one.status()["relays"][0]["state"] == "joined"


def test_the_commands_meet_through_a_relay(covey: Program, tmp_path: Path) -> None:
    elsewhere = Program(tmp_path / "elsewhere" / "home")
    token = {"COVEY_RELAY_TOKEN": "t-relay-1"}
    with (
        relay(covey, COVEY_RELAY_TOKENS="room:t-relay-1") as (running, url),
        covey.start("listen", "--json", "--count", "1", "--relay", url, **token) as listener,
    ):
        listener.event("listening")
        while "joined" not in covey("status", "listener").out:
            pass
        said = elsewhere("observe", "--focus", "hello over there", "--relay", url, "--json", **token)
        assert said.code == 0, said.err
        assert listener.event("delivered")["delivery"]["block"]["categories"]["focus"] == "hello over there"
        assert covey("listen", "--relay", "ws://relay.example").code == 2
        running.signal(signal.SIGTERM)
        assert "t-relay-1" not in running.end().err


# --- what a relay can see ---------------------------------------------------------------------------


class Wire:
    """A session over a relay, driven by hand; everything that crosses the relay is kept."""

    def __init__(self, connection: ClientConnection, to: str, session: _core.Session) -> None:
        self.connection, self.to, self.session = connection, to, session
        self.crossed: list[str] = []

    async def flush(self) -> None:
        for frame in self.session.take_messages():
            message = json.dumps({"to": self.to, "payload": json.loads(frame)})
            self.crossed.append(message)
            await self.connection.send(message)

    async def hear(self) -> list[_core.Event]:
        while True:
            message = json.loads(await self.connection.recv())
            if "payload" in message:
                return self.session.receive_message(json.dumps(message["payload"]).encode())


def spellings(canary: str) -> list[bytes]:
    """Every way a text may stand in memory: as it is, in UTF-16 and -32, in hexadecimal, in base64."""
    raw = canary.encode()
    shifted = [base64.urlsafe_b64encode(b"x" * pad + raw)[4:-4] for pad in range(3)]
    return [raw, canary.encode("utf-16-le"), canary.encode("utf-32-le"), raw.hex().encode(), *shifted]


def memory_of(pid: int) -> Iterator[bytes]:
    """Read every writable page of a process."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        for line in maps:
            where, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(each, 16) for each in where.split("-"))
            memory.seek(start)
            with contextlib.suppress(OSError):  # the kernel's own pages cannot be read
                yield memory.read(end - start)


async def exchange_canaries(
    url: str, texts: dict[str, str], data: bytes, look: Callable[[], None]
) -> list[str]:
    """Send a record with these texts and this data through the relay, look; return all that crossed it."""
    sides = identity(1), identity(2)
    async with client(url) as left, client(url) as right:
        await join(left, sides[0].node_id, "control-name-of-the-sender")
        await join(right, sides[1].node_id, "receiver")
        entropy = [hashlib.shake_256(bytes([side])).digest(64) for side in range(2)]
        here = Wire(left, sides[1].node_id, _core.Session.client(sides[0], room="r", entropy=entropy[0]))
        there = Wire(right, sides[0].node_id, _core.Session.server(sides[1], room="r", entropy=entropy[1]))
        for speaker, hearer in ((here, there), (there, here), (here, there)):
            await speaker.flush()
            await hearer.hear()
        here.session.send_anchors([])
        application = _core.Application("text/plain", "", data)
        draft = _core.Draft(
            texts, node_id=sides[0].node_id, author="sender", created_ms=1, room="r", application=application
        )
        here.session.send_record(_core.sign(draft, sides[0]))
        await here.flush()
        await there.hear()
        events = await there.hear()
        assert isinstance(events[0], _core.Records), "the record arrived and opened"
        await asyncio.to_thread(look)
        return [*here.crossed, *there.crossed]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no /proc: a process's memory cannot be read")
def test_a15_a_relay_sees_no_text_and_no_data_anywhere(covey: Program, tmp_path: Path) -> None:
    texts = {name: f"canary of {name} {hashlib.sha256(name.encode()).hexdigest()}" for name in CAT7}
    data = b"canary of the application " + hashlib.sha256(b"data").hexdigest().encode()
    canaries = [*texts.values(), data.decode()]
    seen: list[tuple[list[str], bool]] = []
    with relay(covey) as (running, url):

        def look() -> None:
            seen.append(look_into(running, canaries))

        crossed = "\n".join(asyncio.run(exchange_canaries(url, texts, data, look))).encode()
        shown = page(url, "/metrics").encode()
        running.signal(signal.SIGTERM)
        ended = running.end()
    assert seen == [([], True)], "no canary, and the name that a relay does hold"
    said = (ended.out + ended.err).encode() + shown
    for canary in canaries:
        for spelling in spellings(canary):
            assert spelling not in crossed
            assert spelling not in said
    assert b"cmb-encrypted" in crossed


def look_into(running: Running, canaries: list[str]) -> tuple[list[str], bool]:
    """Search a relay's memory: the canaries it holds, and whether it holds what it must (a client's name)."""
    wanted = {canary: spellings(canary) for canary in canaries}
    found: list[str] = []
    control = False
    for pages in memory_of(running.process.pid):
        control = control or b"control-name-of-the-sender" in pages
        found += [canary for canary, forms in wanted.items() if any(form in pages for form in forms)]
    return found, control
