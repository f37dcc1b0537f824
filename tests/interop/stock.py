"""A stock Node peer as a child process, and one connection of ours to it."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from covey import _core

DRIVER = Path(__file__).with_name("stock_node.js")
RELAY_DRIVER = Path(__file__).with_name("stock_relay.js")
SECONDS = 15.0
ROOM = "default"

T = TypeVar("T")
Facts = dict[str, Any]


def reference() -> Path:
    """Return the folder of the stock package, or skip and say how to have it."""
    named = os.environ.get("COVEY_NODE_REFERENCE", "")
    if shutil.which("node") is None:
        pytest.skip("no node on this machine: the exchange with a stock peer is not tried")
    if not named:
        pytest.skip(
            "set COVEY_NODE_REFERENCE to an installed @sym-bot/sym 0.12 to try it against a stock peer"
        )
    folder = Path(named).resolve()
    if not (folder / "lib" / "node.js").is_file():
        pytest.fail(f"COVEY_NODE_REFERENCE: no lib/node.js in {folder}")
    return folder


def relay_reference() -> Path:
    """Return the folder of the stock relay's package, or skip and say how to have it."""
    named = os.environ.get("COVEY_RELAY_REFERENCE", "")
    if not named:
        pytest.skip("set COVEY_RELAY_REFERENCE to a checkout of sym-relay 0.1.2 to try it at a stock relay")
    folder = Path(named).resolve()
    if not (folder / "lib" / "relay.js").is_file():
        pytest.fail(f"COVEY_RELAY_REFERENCE: no lib/relay.js in {folder}")
    return folder


@contextlib.contextmanager
def stock_relay(folder: Path, node_folder: Path, token: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a stock relay on loopback; give its URL and its process."""
    words = ["node", str(RELAY_DRIVER), str(folder), str(node_folder), token]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"], process
        finally:
            process.kill()


class StockNode:
    """The stock peer: commands in, events out."""

    def __init__(self, process: subprocess.Popen[str], home: Path) -> None:
        self._process = process
        self._home = home
        self._events: queue.Queue[Facts | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        ready = self.wait("ready")
        self.node_id: str = ready["nodeId"]
        self.port: int = ready["port"]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._events.put(json.loads(line))
        self._events.put(None)

    def wait(self, name: str) -> Facts:
        """Return the next event of this name; anything that tells of a refusal fails the test."""
        while True:
            event = self._events.get(timeout=SECONDS)
            assert event is not None, "the stock peer has ended"
            assert event["event"] not in ("failed", "metric"), event
            if event["event"] == name:
                return event

    def begin(self, command: str, **facts: Any) -> None:
        """Send a command; its end is the event `done`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": command, **facts}) + "\n")
        self._process.stdin.flush()

    def do(self, command: str, **facts: Any) -> Facts:
        """Send a command and wait for its end."""
        self.begin(command, **facts)
        return self.wait("done")

    def connect(self) -> socket.socket:
        """Dial it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)

    def tell_of(self, node_id: str, name: str, port: int) -> None:
        """Name a peer of this machine in its registry; it dials one whose nodeId is the larger."""
        entry = {
            "nodeId": node_id,
            "name": name,
            "port": port,
            "pid": os.getpid(),
            "serviceType": "_sym._tcp",
            "ts": time.time_ns() // 1_000_000,
        }
        folder = self._home / ".sym" / "loopback"
        (folder / f"{node_id}.json").write_text(json.dumps(entry), encoding="utf-8")

    @contextlib.contextmanager
    def dialling(self, node_id: str, name: str) -> Iterator[socket.socket]:
        """Let it find a peer of this machine in its registry; give the connection it makes."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(SECONDS)
            self.tell_of(node_id, name, server.getsockname()[1])
            connection, _ = server.accept()
            with connection:
                yield connection

    def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        code = self._process.wait(timeout=SECONDS)
        self._reader.join(timeout=SECONDS)
        return code


@contextlib.contextmanager
def stock_node(
    folder: Path, home: Path, room: str = ROOM, *at_relay: str, name: str = "stock"
) -> Iterator[StockNode]:
    """Run a stock peer on loopback with a home of its own; `at_relay` is a relay's URL and token."""
    home.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "SYM_STATE_DIR": str(home / "state")}
    with subprocess.Popen(
        ["node", str(DRIVER), str(folder), name, room, *at_relay],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        try:
            yield StockNode(process, home)
        finally:
            process.kill()


class Wire:
    """One connection of ours to a stock peer, read until something is heard."""

    def __init__(
        self, identity: _core.Identity, session: _core.LegacySession, connection: socket.socket
    ) -> None:
        self.identity = identity
        self.session = session
        self._socket = connection
        self._socket.settimeout(SECONDS)
        self._heard: list[_core.LegacyEvent] = []
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        self._socket.sendall(self.session.take_output())

    def hear(self, kind: type[T]) -> T:
        """Return the next event of a kind; a refusal or an end in between fails the test."""
        while True:
            while self._heard:
                event = self._heard.pop(0)
                if isinstance(event, kind):
                    return event
                assert not isinstance(event, _core.Refused | _core.Closed), (event.reason, event.detail)
            data = self._socket.recv(65_536)
            assert data, "the stock peer closed the connection"
            self._heard += self.session.receive(data)

    def sign(self, focus: str, *, to: str | None = None, parents: tuple[str, ...] = ()) -> _core.Record:
        """Sign a block of ours."""
        own = self.identity
        draft = _core.Draft(
            {"focus": focus, "issue": f"the issue with {focus}", "intent": f"to speak of {focus}"},
            node_id=own.node_id,
            author=own.name,
            created_ms=time.time_ns() // 1_000_000,
            room=ROOM,
            to=to,
            parents=parents,
        )
        return _core.sign(draft, own)

    def say(self, focus: str, *, to: str | None = None, parents: tuple[str, ...] = ()) -> _core.Record:
        """Sign a block and send it in the peer's form."""
        record = self.sign(focus, to=to, parents=parents)
        self.session.send_record(record)
        self.flush()
        return record

    def close(self) -> None:
        """Drop the connection, as that wire ends."""
        self.session.close()
        self._socket.close()
