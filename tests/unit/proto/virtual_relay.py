"""Virtual relays for the virtual mesh: the real engines of both ends, messages in lists, no socket."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from covey.proto import effects as fx
from covey.proto.options import NodeOptions, RelayOptions
from covey.proto.relay import client as rc
from covey.proto.relay import server as rs
from covey.proto.relay.frames import Auth
from tests.unit.proto.virtual import Host, Mesh, identity


@dataclass(eq=False)
class Line:
    """One host's connection to one relay."""

    host: RelayedHost
    number: int
    engine: rc.RelayClient
    conn: int | None = None
    to_relay: deque[bytes] = field(default_factory=deque)
    to_client: deque[bytes] = field(default_factory=deque)
    swap: tuple[str, str] | None = None
    """The relay says that the first of these nodeIds sent what the second did."""
    kept: list[bytes] | None = None
    """What the relay handed on, where it keeps it."""
    bend: bool = False
    """The relay changes one sign of every sealed record that it hands on."""

    def out(self) -> bytes:
        message = self.to_relay.popleft()
        return message.replace(self.swap[0].encode(), self.swap[1].encode(), 1) if self.swap else message

    def back(self) -> bytes:
        message = self.to_client.popleft()
        if self.kept is not None:
            self.kept.append(message)
        if self.bend and b'"cmb-encrypted"' in message:
            head, _, tail = message.rpartition(b'"sealed":"')
            message = head + b'"sealed":"' + (b"B" if tail[:1] == b"A" else b"A") + tail[1:]
        return message.replace(self.swap[1].encode(), self.swap[0].encode(), 1) if self.swap else message


class RelayedHost(Host):
    """A host whose effects on relays are done too."""

    mesh: RelayedMesh
    mute = False
    """Nothing sealed gets through to anybody."""

    def _do(self, effect: fx.Effect) -> None:
        match effect:
            case fx.RelaySend(_, _, frame) if self.mute and b'-encrypted"' in frame:
                self.counts["muted"] += 1
            case fx.RelaySend(number, node_id, frame):
                self.mesh.client(self.mesh.line(self, number), rc.Send(node_id, frame))
            case fx.Close(link, True):
                self.feed(fx.LinkLost(link, "closed", self.mesh.entropy(32)))
            case _:
                super()._do(effect)


class RelayedMesh(Mesh):
    """A mesh with relays that everybody knows, by number."""

    def __init__(self, relays: int = 1) -> None:
        super().__init__()
        self.servers: list[rs.RelayServer | None] = [
            rs.RelayServer(rs.Access(open=True)) for _ in range(relays)
        ]
        self.lines: list[Line] = []
        self._conns = 0

    def host(self, number: int, *, watched: bool = True, seed: int | None = None, **options: Any) -> Host:
        relays = tuple(RelayOptions(f"wss://relay-{index}") for index in range(len(self.servers)))
        made = RelayedHost(
            self,
            identity(number, seed=seed),
            NodeOptions(relays=relays, **options),
            4000 + len(self.hosts),
        )
        self.hosts.append(made)
        made.feed(fx.Watch(watched))
        made.feed(fx.Started())
        for index, each in enumerate(relays):
            auth = Auth(made.identity.node_id, made.identity.name)
            line = Line(made, index, rc.RelayClient(auth, each.label))
            self.lines.append(line)
            self.client(line, rc.Begin())
        self.settle()
        return made

    def line(self, host: Host, number: int = 0) -> Line:
        return next(line for line in self.lines if line.host is host and line.number == number)

    def kill_relay(self, number: int) -> None:
        """A relay's process dies."""
        self.servers[number] = None
        for line in self.lines:
            if line.number == number and line.conn is not None:
                self._down(line, None, "connection lost")
        self.settle()

    def start_relay(self, number: int) -> None:
        self.servers[number] = rs.RelayServer(rs.Access(open=True))

    def vanish(self, host: Host) -> None:
        """A host's process dies; its relays have not noticed."""
        self.hosts.remove(host)
        self.lines = [line for line in self.lines if line.host is not host]

    # --- both engines -----------------------------------------------------------------------------

    def client(self, line: Line, event: rc.Event) -> None:
        for effect in line.engine.handle(event, self.seconds):
            match effect:
                case rc.Connect():
                    self._connect(line)
                case rc.Transmit(message):
                    line.to_relay.append(message)
                    self.client(line, rc.Written(len(message)))
                case rc.Hangup():
                    self._close(line, 1000, "hung up")
                case fx.Log():
                    line.host.logs.append(effect)
                case _:
                    line.host.feed(fx.Relayed(line.number, effect, self.entropy(32)))

    def server(self, number: int, event: rs.Event) -> None:
        server = self.servers[number]
        if server is None:
            return
        for effect in server.handle(event, self.seconds):
            line = next((line for line in self.lines if line.conn == getattr(effect, "conn", -1)), None)
            match effect:
                case rs.Say(conn, message):
                    if line is not None:
                        line.to_client.append(message)
                    self.server(number, rs.Written(conn, len(message)))
                case rs.Drop(conn, code, reason):
                    if line is not None:
                        self._down(line, code, reason)
                    self.server(number, rs.Gone(conn))

    def _connect(self, line: Line) -> None:
        if self.servers[line.number] is None:
            self.client(line, rc.Down(None, "connection refused", 0.5))
            return
        self._conns += 1
        line.conn = self._conns
        self.server(line.number, rs.Opened(line.conn, "virtual"))
        self.client(line, rc.Up())

    def _close(self, line: Line, code: int, reason: str) -> None:
        conn = line.conn
        while line.conn is not None and line.to_relay:
            self.server(line.number, rs.Heard(line.conn, line.to_relay.popleft()))
        self._down(line, code, reason)
        if conn is not None:
            self.server(line.number, rs.Gone(conn))

    def _down(self, line: Line, code: int | None, reason: str) -> None:
        line.conn = None
        line.to_relay.clear()
        line.to_client.clear()
        self.client(line, rc.Down(code, reason, 0.5))

    # --- time -------------------------------------------------------------------------------------

    def settle(self) -> None:
        moved = True
        while moved:
            super().settle()
            moved = False
            for line in tuple(self.lines):
                if line.to_relay and line.conn is not None:
                    self.server(line.number, rs.Heard(line.conn, line.out()))
                    moved = True
                if line.to_client:
                    self.client(line, rc.Heard(line.back()))
                    moved = True

    def advance(self, seconds: float) -> None:
        end = self.seconds + seconds
        while True:
            self.settle()
            at, wake = min(self._deadlines(), key=lambda due: due[0], default=(end + 1.0, None))
            if wake is None or at > end:
                break
            self.seconds = max(self.seconds, at)
            self._wake(wake)
        self.seconds = end
        self.settle()

    def _deadlines(self) -> list[tuple[float, Host | Line | int]]:
        hosts = [(host.engine.next_timer(), host) for host in self.hosts]
        lines = [(line.engine.next_timer(), line) for line in self.lines]
        servers = [(server.next_timer(), n) for n, server in enumerate(self.servers) if server is not None]
        return [(at, what) for at, what in [*hosts, *lines, *servers] if at is not None]

    def _wake(self, what: Host | Line | int) -> None:
        if isinstance(what, Line):
            self.client(what, rc.Tick())
        elif isinstance(what, int):
            self.server(what, rs.Tick())
        else:
            what.feed(fx.Timer(self.entropy(32)))
