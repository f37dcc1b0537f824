"""A stock peer at a virtual relay, as the real one behaves: it greets whom it sees there first, and once."""

from __future__ import annotations

import hashlib
from typing import Any, cast

from covey import _core
from covey.proto import effects as fx
from covey.proto.relay import client as rc
from covey.proto.relay.frames import Auth
from tests.unit.proto.virtual import START_MS, identity
from tests.unit.proto.virtual_relay import Line, RelayedHost, RelayedMesh


class StockAtRelay:
    """A stock peer behind a relay. `says` overrides who its handshake says it is."""

    def __init__(self, mesh: RelayedMesh, number: int, *, says: _core.Identity | None = None) -> None:
        self.mesh = mesh
        self.identity = identity(number, f"stock-{number}")
        self.says = says or self.identity
        self.logs: list[fx.Log] = []
        self.heard: list[_core.LegacyEvent] = []
        self.raw: list[bytes] = []
        self.sessions: dict[str, _core.LegacySession] = {}
        self.line = Line(cast("RelayedHost", self), 0, self._client())
        mesh.lines.append(self.line)
        mesh.client(self.line, rc.Begin())
        mesh.settle()

    def _client(self) -> rc.RelayClient:
        return rc.RelayClient(Auth(self.identity.node_id, self.identity.name), "relay-0")

    def feed(self, event: fx.Relayed) -> None:
        match event.said:
            case rc.Presence(node_id, _, True):
                self.greet(node_id)
            case rc.Presence(node_id, _, False):
                self.sessions.pop(node_id, None)
            case rc.Arrived(_, "client-hello"):
                pass  # a type that it does not know
            case rc.Arrived(node_id, _, _, frame):
                self.raw.append(frame)
                if node_id in self.sessions:
                    self.heard += self.sessions[node_id].receive_message(frame)
                    self.flush(node_id)

    def greet(self, node_id: str) -> None:
        secret = hashlib.sha256(self.says.public_key).digest()
        self.sessions[node_id] = _core.LegacySession.client(
            self.says, room="default", secret=secret, entropy=secret
        )
        self.flush(node_id)

    def flush(self, node_id: str) -> None:
        for frame in self.sessions[node_id].take_messages():
            self.send(node_id, frame)

    def send(self, node_id: str, frame: bytes) -> None:
        self.mesh.client(self.line, rc.Send(node_id, frame))

    def say(self, focus: str, node_id: str, *, to: str | None = None) -> _core.Record:
        draft = _core.Draft(
            {"focus": focus, "intent": f"say {focus}"},
            node_id=self.says.node_id,
            author=self.says.name,
            created_ms=START_MS,
            room="default",
            to=to,
        )
        record = _core.sign(draft, self.says)
        self.sessions[node_id].send_record(record)
        self.flush(node_id)
        self.mesh.settle()
        return record

    def restart(self) -> None:
        """Die and come back before the relay has noticed: it says `joined` again, and never `left`."""
        self.sessions.clear()
        self.line.to_relay.clear()
        self.line.to_client.clear()
        self.line.conn = None
        self.line.engine = self._client()
        self.mesh.client(self.line, rc.Begin())
        self.mesh.settle()

    def leave(self) -> None:
        """Die; the relay notices."""
        self.mesh._close(self.line, 1000, "gone")
        self.mesh.lines.remove(self.line)
        self.mesh.settle()

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.heard if isinstance(event, kind)]
