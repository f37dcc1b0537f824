"""Relays behind one virtual backplane that loses, parts and comes back; their clients fold what they hear."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from covey.proto.relay import events
from covey.proto.relay import server as relay
from covey.proto.relay.cluster import Cluster
from covey.proto.relay.clustered import ClusteredRelay

FRAME = b'{"type":"cmb-encrypted","n":1.50e1,"x":"\\ud800","deep":[[[]]]}'
OPEN = relay.Access(open=True)


def node(number: int) -> str:
    return f"018f47a0-7b21-7abc-8def-{number:012x}"


@dataclass(eq=False)
class Client:
    """One connection: what it was told, who is present by that, and how it ended."""

    node_id: str
    present: dict[str, str] = field(default_factory=dict)
    frames: list[tuple[str, bytes]] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    code: int | None = None

    def take(self, message: bytes) -> None:
        said: dict[str, Any] = json.loads(message)
        kind = said.get("type")
        if kind == "relay-peers":
            self.present = {each["nodeId"]: each["name"] for each in said["peers"] if not each.get("offline")}
        elif kind == "relay-peer-joined":
            self.present[said["nodeId"]] = said["name"]
        elif kind == "relay-peer-left":
            self.present.pop(said["nodeId"], None)
        elif kind == "relay-error":
            self.errors.append((said.get("kind", ""), said.get("reason", "")))
        elif "payload" in said:
            start = message.index(b'"payload":') + len(b'"payload":')
            self.frames.append((said["from"], message[start:-1]))


@dataclass(eq=False)
class Node:
    """One relay: its engine, its clients by connection."""

    id: str
    engine: ClusteredRelay
    clients: dict[int, Client] = field(default_factory=dict)
    up: bool = True
    dead: bool = False
    notes: list[events.Note] = field(default_factory=list)


class World:
    """Relays by number, one clock, one backplane."""

    def __init__(self, count: int, access: relay.Access = OPEN) -> None:
        self.access = access
        self.now = 100.0
        self.relays: list[Node] = []
        self.wire: deque[tuple[Node, str | None, bytes]] = deque()
        self.lose = 0
        """So many of the next messages of the backplane are lost."""
        self.cut: set[frozenset[int]] = set()
        """Pairs of relays that do not hear each other."""
        self._conn = 0
        for _ in range(count):
            self.start()

    def start(self) -> int:
        number = len(self.relays)
        name = f"{number + 1:016x}"
        found = Node(name, ClusteredRelay(self.access, Cluster(name, "test")))
        self.relays.append(found)
        self.do(found, events.Linked(True))
        return number

    def do(self, at: Node, event: events.Event) -> None:
        for effect in at.engine.handle(event, self.now):
            if isinstance(effect, relay.Say):
                client = at.clients.get(effect.conn)
                if client is not None:
                    client.take(effect.message)
                    self.do(at, relay.Written(effect.conn, len(effect.message)))
            elif isinstance(effect, relay.Drop):
                at.clients[effect.conn].code = effect.code
                self.do(at, relay.Gone(effect.conn))
            elif isinstance(effect, events.Publish):
                self.wire.append((at, effect.to, effect.message))
                at.engine.handle(events.Published(len(effect.message)), self.now)
            elif isinstance(effect, relay.Note):
                at.notes.append(effect)

    def carry(self) -> None:
        """Let everything on the backplane arrive, or get lost."""
        while self.wire:
            source, to, message = self.wire.popleft()
            for number, target in enumerate(self.relays):
                here = self.relays.index(source)
                apart = frozenset((here, number)) in self.cut or not source.up or not target.up
                if target is source or target.dead or apart or to not in (None, target.id):
                    continue
                if self.lose > 0:
                    self.lose -= 1
                    continue
                self.do(target, events.Carried(message))

    def later(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            self.carry()
            due = [(at, n) for n in self.relays if not n.dead and (at := n.engine.next_timer()) is not None]
            if not due or min(at for at, _ in due) > end:
                break
            at, found = min(due, key=lambda each: each[0])
            self.now = max(self.now, at)
            self.do(found, relay.Tick())
            for conn in found.clients:
                self.do(found, relay.Heard(conn, b'{"type":"relay-pong"}'))
        self.now = end

    def join(self, at: int, who: int, **more: Any) -> Client:
        found = self.relays[at]
        self._conn += 1
        client = found.clients[self._conn] = Client(node(who))
        self.do(found, relay.Opened(self._conn, "10.0.0.1:1"))
        auth = {"type": "relay-auth", "nodeId": node(who), "name": f"peer {who}", **more}
        self.do(found, relay.Heard(self._conn, json.dumps(auth).encode()))
        self.carry()
        return client

    def leave(self, at: int, client: Client) -> None:
        found = self.relays[at]
        conn = next(conn for conn, each in found.clients.items() if each is client)
        del found.clients[conn]
        self.do(found, relay.Gone(conn))
        self.carry()

    def send(self, at: int, client: Client, to: int | None, payload: bytes = FRAME) -> None:
        found = self.relays[at]
        conn = next(conn for conn, each in found.clients.items() if each is client)
        prefix = b"{" if to is None else b'{"to":"' + node(to).encode() + b'",'
        self.do(found, relay.Heard(conn, prefix + b'"payload":' + payload + b"}"))
        self.carry()

    def kill(self, at: int) -> None:
        """A relay is gone without a word, and its clients with it."""
        self.relays[at].dead = True
        self.relays[at].clients.clear()

    def link(self, at: int, up: bool) -> None:
        self.relays[at].up = up
        self.do(self.relays[at], events.Linked(up))
        self.carry()

    def living(self) -> list[Client]:
        return [each for n in self.relays if not n.dead for each in n.clients.values() if each.code is None]
