"""A peer's side of one relay: presence, keep-alive, pace, coming back. `handle(event, now) -> effects`.

What comes of it for the node are the values of `told`; the shell hands them on as they are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Literal

from covey import _core, limits
from covey.proto.effects import Log
from covey.proto.link import Lane
from covey.proto.relay import frames
from covey.proto.relay.frames import Auth, BadRelayFrameError, Failed, Joined, Left, Peers
from covey.proto.relay.told import Arrived, Collision, ForNode, Pace, Presence, Reachable, Undelivered
from covey.proto.timers import Timers
from covey.values import dataclass

_NORMAL: Final = 1000  # RFC 6455 §7.4.1

State = Literal["idle", "connecting", "joining", "joined", "reserve", "waiting", "stopped"]


# --- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begin:
    """Connect, and stay connected."""


@dataclass(frozen=True, slots=True)
class Up:
    """The WebSocket stands. `reserve`: another relay of its cluster serves us already."""

    reserve: bool = False


@dataclass(frozen=True, slots=True)
class Wake:
    """The relay that served us instead is gone. `jitter` is a number in [0, 1) nobody could predict."""

    jitter: float


@dataclass(frozen=True, slots=True)
class Down:
    """The WebSocket is gone or never stood. `jitter` is a number in [0, 1) nobody could predict."""

    code: int | None
    reason: str
    jitter: float


@dataclass(frozen=True, slots=True)
class Heard:
    """The relay sent one text message."""

    message: bytes


@dataclass(frozen=True, slots=True)
class Written:
    """A message of that size has left for the socket."""

    size: int


@dataclass(frozen=True, slots=True)
class Send:
    """The node has a frame for a peer."""

    to: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline may have passed."""


@dataclass(frozen=True, slots=True)
class End:
    """Leave, and do not come back."""


Event = Begin | Up | Wake | Down | Heard | Written | Send | Tick | End

# --- effects on the WebSocket ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connect:
    """Open the WebSocket; answer with Up, and at its end with Down."""


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send one text message; answer with Written or Down."""

    message: bytes


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close; answer with Down."""

    code: int
    reason: str


Effect = Connect | Transmit | Hangup | Log | ForNode


class RelayClient:
    """One connection to one relay, over and over.

    Args:
        who: What relay-auth says.
        label: The relay's address for logs.
    """

    def __init__(self, who: Auth, label: str) -> None:
        self._who = who
        self._joined_before = False
        self.label = label
        self.state: State = "idle"
        self.detail = ""
        """Why it is in that state, for people."""
        self.features: tuple[str, ...] = ()
        """What this relay can do; forgotten with its connection."""
        self.present: dict[str, str] = {}
        """Names by nodeId, as the relay tells them."""
        self._timers = Timers()
        self._lane = Lane(limits.RELAY_PACE_PER_SECOND, limits.RELAY_PACE_BURST)
        self._waiting: dict[str, deque[bytes]] = {}
        """By addressee, who take turns: much for one must not delay the handshake with another."""
        self._waiting_bytes = 0
        self._unwritten = 0
        self._full = False
        self._failures = 0
        self._closing_reserve = False
        self._wake_wait: float | None = None
        self._up_at = self._heard_at = 0.0
        self._now = 0.0
        self._effects: list[Effect] = []
        self._table: dict[type, Callable[[Any], None]] = {
            Begin: self._on_begin,
            Up: self._on_up,
            Wake: self._on_wake,
            Down: self._on_down,
            Heard: self._on_heard,
            Written: self._on_written,
            Send: self._on_send,
            Tick: self._on_tick,
            End: self._on_end,
        }

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event at one monotonic instant; return what is to be done, in order."""
        self._now = now
        self._effects = []
        self._table[type(event)](event)
        return self._effects

    def next_timer(self) -> float | None:
        """Return the monotonic instant at which a Tick is wanted, or None."""
        return self._timers.next()

    # --- coming and going -----------------------------------------------------------------------

    def _on_begin(self, _event: Begin) -> None:
        if self.state in ("idle", "waiting"):
            self._become("connecting", "")
            self._effects.append(Connect())

    def _on_up(self, event: Up) -> None:
        if self.state == "stopped":
            self._effects.append(Hangup(frames.GOING_AWAY, "leaving"))
            return
        if event.reserve:
            self._become("reserve", "another relay of its cluster serves this peer")
            self._closing_reserve = True
            self._note("info", "relay-in-reserve")
            self._effects.append(Hangup(_NORMAL, "in reserve"))
            return
        self._become("joining", "")
        self._up_at = self._heard_at = self._now
        self._timers.set(("join", ""), self._now + limits.RELAY_AUTH_SECONDS)
        self._timers.set(("pong", ""), self._now + limits.RELAY_PONG_SECONDS)
        self._timers.set(("silence", ""), self._now + limits.RELAY_SILENCE_SECONDS)
        self._first(frames.auth(self._who))

    def _on_wake(self, event: Wake) -> None:
        if self.state != "reserve":
            return
        wait = limits.RELAY_RESERVE_WAKE_SECONDS * event.jitter
        if self._closing_reserve:
            self._wake_wait = wait  # the last connection is not closed yet
        else:
            self._retry_after(wait)

    def _retry_after(self, wait: float) -> None:
        self._become("waiting", "the relay that served this peer is gone")
        self._timers.set(("retry", ""), self._now + wait)

    def _on_down(self, event: Down) -> None:
        if self.state == "reserve":
            self._closing_reserve = False
            wait, self._wake_wait = self._wake_wait, None
            if wait is not None:
                self._retry_after(wait)
            return
        joined = self.state == "joined"
        lived = self._now - self._up_at if joined else 0.0
        for name in ("join", "pong", "silence", "pace"):
            self._timers.cancel((name, ""))
        self.features = ()
        self._lose()
        if joined:
            self._effects.append(Reachable(False))
        if self.state == "stopped":
            return
        said = event.reason or "closed"
        if event.code in (frames.REPLACED, frames.DUPLICATE):
            text = "another process has this peer's nodeId at this relay: not reconnecting"
            self._become("stopped", text)
            self._note("error", "relay-identity-collision", code=event.code, reason=said)
            if event.code == frames.DUPLICATE and not self._joined_before:
                self._effects.append(Collision())
            return
        self._failures = 1 if lived >= limits.HEALTHY_SECONDS else self._failures + 1
        wait = self._wait_seconds(event)
        self._become("waiting", said if event.code is None else f"{said} ({event.code})")
        self._timers.set(("retry", ""), self._now + wait)
        level: Literal["warn", "info"] = "warn" if joined or self._failures == 1 else "info"
        self._note(level, "relay-lost", code=event.code, reason=said, again_in_seconds=round(wait, 1))

    def _wait_seconds(self, event: Down) -> float:
        wait = min(
            limits.RELAY_RETRY_FIRST_SECONDS * 2.0 ** min(self._failures - 1, 16),
            limits.RELAY_RETRY_LAST_SECONDS,
        )
        if event.code in (frames.AUTH_INVALID, frames.BAD_TOKEN):
            wait = limits.RELAY_RETRY_REFUSED_SECONDS
        return wait * (1.0 + limits.RELAY_RETRY_JITTER * event.jitter)

    def _lose(self) -> None:
        """Give back what waits: it was sealed for sessions that end with this connection."""
        self._waiting.clear()
        self._waiting_bytes = self._unwritten = 0
        self._relieved()
        self.present.clear()

    def _on_end(self, _event: End) -> None:
        connected = self.state in ("joining", "joined")
        while connected and self._waiting:  # what is sealed already may still go: goodbyes are among it
            self._transmit(self._next())
        if self.state in ("joining", "joined", "connecting"):
            self._effects.append(Hangup(frames.GOING_AWAY, "leaving"))
        self._timers.cancel(("retry", ""))
        self._become("stopped", "this peer is shutting down")

    def _on_tick(self, _event: Tick) -> None:
        for what, _ in self._timers.due(self._now):
            if what == "retry":
                self._on_begin(Begin())
            elif what == "join":
                self._hangup("no relay-peers in time")
            elif what == "pong":
                self._first(frames.PONG)
                self._timers.set(("pong", ""), self._now + limits.RELAY_PONG_SECONDS)
            elif what == "silence":
                if self._now - self._heard_at >= limits.RELAY_SILENCE_SECONDS:
                    self._hangup("the relay is silent")
                else:
                    self._timers.set(("silence", ""), self._heard_at + limits.RELAY_SILENCE_SECONDS)
            elif what == "pace":
                self._pump()

    def _hangup(self, reason: str) -> None:
        self._note("warn", "relay-given-up", reason=reason)
        self._effects.append(Hangup(1002, reason))

    # --- what the relay says --------------------------------------------------------------------

    def _on_heard(self, event: Heard) -> None:
        if self.state not in ("joining", "joined"):
            return
        self._heard_at = self._now
        try:
            said = _core.relay_message(event.message)
            if said.type is not None:
                self._own(self._read(said.type, event.message))
            elif said.from_id is not None and said.payload is not None and self.state == "joined":
                self._arrived(said.from_id, said.payload)
        except (BadRelayFrameError, _core.CoreError) as error:
            self._note("debug", "relay-frame-refused", reason=str(error))

    def _read(self, kind: str, message: bytes) -> frames.FromRelay | None:
        """Read a frame of the relay's own; of a list of peers that is not whole, what can be used."""
        try:
            return frames.read_from_relay(kind, message)
        except BadRelayFrameError as error:
            found = frames.usable_peers(message) if kind == "relay-peers" else None
            if found is None:
                raise
            self._note("warn", "relay-peers-malformed", reason=str(error), usable=len(found.peers))
            return found

    def _arrived(self, node_id: str, payload: bytes) -> None:
        if not frames.is_node_id(node_id) or node_id == self._who.node_id:
            return
        kind, session_id = _core.peek_frame(payload)
        self._effects.append(Arrived(node_id, kind, session_id, payload))

    def _own(self, said: frames.FromRelay | None) -> None:
        if isinstance(said, Peers):
            self._peers(said)
        elif isinstance(said, Joined):
            self._came(said.node_id, said.name)
        elif isinstance(said, Left):
            self._left(said.node_id)
        elif isinstance(said, Failed):
            self._failed(said)
        elif said is not None and said.type == "relay-ping":
            self._first(frames.PONG)
        elif said is not None and said.type == "relay-reauth":
            self._first(frames.auth(self._who))

    def _peers(self, said: Peers) -> None:
        if self.state == "joining":
            self._become("joined", "")
            self._joined_before = True
            self._timers.cancel(("join", ""))
            self._note("info", "relay-joined", peers=len(said.peers))
            self._effects.append(Reachable(True))
        self.features = said.features
        here = {each.node_id: each.name for each in said.peers if not each.offline}
        for node_id in [known for known in self.present if known not in here]:
            self._left(node_id)
        for node_id, name in here.items():
            self._came(node_id, name)

    def _came(self, node_id: str, name: str) -> None:
        if node_id == self._who.node_id or self.state != "joined":
            return
        again = node_id in self.present
        if not again and len(self.present) >= limits.RELAY_PEERS:
            return
        self.present[node_id] = name
        self._effects.append(Presence(node_id, name, online=True, again=again))

    def _left(self, node_id: str) -> None:
        name = self.present.pop(node_id, None)
        if name is not None:
            self._effects.append(Presence(node_id, name, online=False))

    def _failed(self, said: Failed) -> None:
        known = said.reason if said.reason is not None and frames.is_node_id(said.reason) else None
        if said.kind in ("absent", "slow", "busy") and known is not None:
            self._effects.append(Undelivered(known, said.kind))
            if said.kind == "absent":
                self._left(known)
        else:
            self._note("warn", "relay-error", message=said.message, code=said.code)

    # --- what we say ----------------------------------------------------------------------------

    def _first(self, message: bytes) -> None:
        """Say something of the connection's own: at once, and on the same account as everything else."""
        self._lane.refill(self._now)
        self._lane.tokens -= 1.0
        self._transmit(message)

    def _on_send(self, event: Send) -> None:
        if self.state != "joined" or self._waiting_bytes + len(event.payload) > limits.RELAY_PACED_BYTES:
            why = "queue" if self.state == "joined" else "disconnected"
            self._effects.append(Undelivered(event.to, why))
            return
        self._waiting.setdefault(event.to, deque()).append(event.payload)
        self._waiting_bytes += len(event.payload)
        self._pump()
        if not self._full and self._waiting_bytes > limits.RELAY_PACED_HIGH_BYTES:
            self._full = True
            self._effects.append(Pace(True))

    def _pump(self) -> None:
        """Send what its pace and the socket allow; look again when the next frame may go."""
        self._lane.refill(self._now)
        while self._waiting and self._unwritten < limits.WRITE_HIGH_BYTES:
            wait = self._lane.wait_seconds()
            if wait > 0.0:
                self._timers.set(("pace", ""), self._now + wait)
                break
            self._lane.tokens -= 1.0
            self._transmit(self._next())
        if self._waiting_bytes < limits.RELAY_PACED_LOW_BYTES:
            self._relieved()

    def _next(self) -> bytes:
        """Take the next message out: one frame of the addressee whose turn it is."""
        to = next(iter(self._waiting))
        queue = self._waiting.pop(to)
        payload = queue.popleft()
        if queue:
            self._waiting[to] = queue
        self._waiting_bytes -= len(payload)
        return frames.envelope(to, payload)

    def _relieved(self) -> None:
        if self._full:
            self._full = False
            self._effects.append(Pace(False))

    def _transmit(self, message: bytes) -> None:
        self._unwritten += len(message)
        self._effects.append(Transmit(message))

    def _on_written(self, event: Written) -> None:
        self._unwritten = max(0, self._unwritten - event.size)
        if self.state == "joined":
            self._pump()

    def _become(self, state: State, detail: str) -> None:
        self.state, self.detail = state, detail

    def _note(self, level: Literal["error", "warn", "info", "debug"], event: str, **facts: Any) -> None:
        self._effects.append(Log(level, event, {"relay": self.label, **facts}))
