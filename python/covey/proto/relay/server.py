"""The relay's centre: who is here, who may speak to whom, what each is told. `handle(event, now) -> effects`.

A relay stores nothing and reads no payload: it routes by the envelope alone, inside one channel. Whatever it
does not deliver it says to the sender. What waits for one client and for all of them has a bound. What
several relays do together stands in `clustered`, on the hooks at the end.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any, Final

from covey import _core, limits
from covey.proto.link import Lane
from covey.proto.relay import frames
from covey.proto.relay.events import (
    Drop,
    Effect,
    Event,
    Gone,
    Heard,
    Hold,
    Note,
    Opened,
    Say,
    Tick,
    Written,
)
from covey.proto.relay.frames import Auth, BadRelayFrameError, Failed, Present
from covey.proto.timers import Timers
from covey.values import dataclass

__all__ = [
    "Access",
    "Drop",
    "Effect",
    "Event",
    "Gone",
    "Heard",
    "Hold",
    "Note",
    "Opened",
    "RelayServer",
    "Say",
    "Tick",
    "Written",
    "digest",
]


_WHY: Final = {
    "absent": "{} is not connected to this relay",
    "slow": "{} reads too slowly",
    "busy": "the relay holds too much already",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in. `channels` maps SHA-256 of a token to its channel: tokens themselves are not kept.

    `open` lets everybody into one channel without a token.
    """

    channels: Mapping[bytes, str] = field(default_factory=dict)
    open: bool = False

    def channel(self, token: str | None) -> str | None:
        """Return the channel a token opens, or None."""
        if self.open:
            return "default"
        return None if token is None else self.channels.get(digest(token))


def digest(token: str) -> bytes:
    """Return what a token is known by."""
    return hashlib.sha256(token.encode()).digest()


@dataclass(slots=True, eq=False)
class Client:
    conn: int
    address: str
    lane: Lane
    who: Auth | None = None
    waits: Auth | None = None
    """What it said of itself, while another relay is asked whether it holds that nodeId."""
    channel: Channel | None = None
    since: float = 0.0
    queued: int = 0
    slow: bool = False
    missed: int = 0
    leaving: bool = False


@dataclass(slots=True, eq=False)
class Channel:
    name: str
    members: dict[str, Client] = field(default_factory=dict)
    offline: dict[str, Present] = field(default_factory=dict)
    """Peers that left a wake channel behind, oldest first."""


class RelayServer:
    """Everything a relay knows. Feed it events in order; do the effects in order.

    Args:
        access: Which token opens which channel.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._timers = Timers()
        self._clients: dict[int, Client] = {}
        self._channels: dict[str, Channel] = {}
        self._strangers = 0
        self._queued = 0
        self._effects: list[Effect] = []
        self._partings: deque[tuple[Channel, Auth]] = deque()
        """Departures the others have not been told of: telling one may make another go."""
        self._now = 0.0
        self.counters: Counter[str] = Counter()
        self._table: dict[type, Callable[[Any], None]] = {
            Opened: self._on_opened,
            Heard: self._on_heard,
            Written: self._on_written,
            Gone: self._on_gone,
            Tick: self._on_tick,
        }

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event at one monotonic instant; return what is to be done, in order."""
        self._now = now
        self._effects = []
        self._table[type(event)](event)
        while self._partings:
            channel, who = self._partings.popleft()
            gone = frames.left(who.node_id, who.name)
            for other in tuple(channel.members.values()):
                self._tell(other, gone)
        return self._effects

    def next_timer(self) -> float | None:
        """Return the monotonic instant at which a Tick is wanted, or None."""
        return self._timers.next()

    def gauges(self) -> dict[str, int]:
        """Return how things stand: for `/metrics`."""
        return {
            "connections": len(self._clients),
            "strangers": self._strangers,
            "channels": len(self._channels),
            "slow_peers": sum(client.slow for client in self._clients.values()),
            "queued_bytes": self._queued,
        }

    # --- a connection's life --------------------------------------------------------------------

    def _on_opened(self, event: Opened) -> None:
        lane = Lane(limits.RELAY_FRAMES_PER_SECOND, limits.RELAY_FRAMES_BURST)
        client = self._clients[event.conn] = Client(event.conn, event.address, lane)
        self._strangers += 1
        self.counters["connections"] += 1
        if len(self._clients) > limits.RELAY_CLIENTS or self._strangers > limits.RELAY_STRANGERS:
            self._drop(client, frames.OVERLOADED, "the relay is full")
            return
        self._timers.set(("auth", client.conn), self._now + limits.RELAY_AUTH_SECONDS)

    def _on_gone(self, event: Gone) -> None:
        client = self._clients.pop(event.conn, None)
        if client is None:
            return
        self._queued -= client.queued
        if not client.leaving:
            self._leave(client)

    def _leave(self, client: Client, *, replaced: bool = False) -> None:
        """Take a client out of its channel, and tell the others unless its place was taken over."""
        client.leaving = True
        self._timers.cancel(("auth", client.conn))
        self._timers.cancel(("ping", client.conn))
        channel, who = client.channel, client.who
        if channel is None or who is None:
            self._strangers -= 1
            return
        client.channel = None
        if replaced or channel.members.get(who.node_id) is not client:
            return
        del channel.members[who.node_id]
        if who.wake is not None:
            channel.offline[who.node_id] = Present(who.node_id, who.name, offline=True, wake=who.wake)
            if len(channel.offline) > limits.RELAY_OFFLINE_PEERS:
                del channel.offline[next(iter(channel.offline))]
        if not channel.members and not channel.offline:
            self._channels.pop(channel.name, None)
        if not self._gave_up(channel, who):
            self._partings.append((channel, who))

    def _drop(self, client: Client, code: int, reason: str, *, replaced: bool = False) -> None:
        if client.leaving:
            return
        self._leave(client, replaced=replaced)
        self.counters[f"closed.{code}"] += 1
        self._effects.append(Drop(client.conn, code, reason))
        facts = {"code": code, "reason": reason, "address": client.address}
        self._effects.append(Note("info", "client-closed", facts))

    def _on_tick(self, _event: Tick) -> None:
        for what, conn in self._timers.due(self._now):
            client = self._clients.get(int(conn))
            if what not in ("auth", "ping"):
                self._elapsed(what, client)
            elif client is None or client.leaving:
                continue
            elif what == "auth":
                self._drop(client, frames.AUTH_TIMEOUT, "no relay-auth in time")
            elif client.missed >= limits.RELAY_MISSES:
                self._drop(client, frames.HEARTBEAT_TIMEOUT, "no relay-pong")
            else:
                client.missed += 1
                self._tell(client, frames.PING)
                self._timers.set(("ping", client.conn), self._now + limits.RELAY_PING_SECONDS)

    # --- what a client says ---------------------------------------------------------------------

    def _on_heard(self, event: Heard) -> None:
        client = self._clients.get(event.conn)
        if client is None or client.leaving:
            return
        self._spend(client, 1)
        self.counters["messages.in"] += 1
        try:
            self._take(client, event.message)
        except BadRelayFrameError as error:
            self._malformed(client, str(error))

    def _take(self, client: Client, message: bytes | None) -> None:
        if message is None:
            raise BadRelayFrameError("a binary message")
        said = _read(message)
        if client.channel is None:
            if said.type != "relay-auth" or client.waits is not None:
                raise BadRelayFrameError("relay-auth must come first, and once")
            self._authenticate(client, frames.read_auth(message))
        elif said.payload is not None:
            self._route(client, client.channel, said.to, said.payload)
        else:
            self._own(client, said.type or "", message)

    def _spend(self, client: Client, frames_counted: int) -> None:
        """Charge a client's lane; in debt it is not read until the debt is paid."""
        client.lane.refill(self._now)
        client.lane.tokens -= frames_counted
        wait = client.lane.wait_seconds()
        if wait > 0.0:
            self.counters["holds"] += 1
            self._effects.append(Hold(client.conn, wait))

    def _malformed(self, client: Client, why: str) -> None:
        self.counters["messages.malformed"] += 1
        if client.channel is None:
            self._tell(client, frames.failed(Failed(why, code=frames.AUTH_INVALID)))
            self._drop(client, frames.AUTH_INVALID, "relay-auth is not valid")
        else:
            self._tell(client, frames.failed(Failed(why, kind="malformed")))

    def _own(self, client: Client, kind: str, message: bytes) -> None:
        """Take a relay frame of a client that has a place."""
        if kind == "relay-pong":
            client.missed = 0
        elif kind == "relay-auth":
            who = frames.read_auth(message)
            if client.who is None or who.node_id != client.who.node_id:
                self._drop(client, frames.AUTH_INVALID, "one connection, one nodeId")
            elif self._access.channel(who.token) is None:
                self._refuse_token(client)
            elif client.channel is not None:
                self._tell(client, frames.peers(self._others(client.channel, who.node_id)))
        else:
            self.counters["messages.ignored"] += 1

    # --- coming in ------------------------------------------------------------------------------

    def _authenticate(self, client: Client, who: Auth) -> None:
        name = self._access.channel(who.token)
        if name is None:
            self._refuse_token(client)
            return
        channel = self._channels.setdefault(name, Channel(name))
        held = channel.members.get(who.node_id)
        if held is not None and self._now - held.since < limits.RELAY_FRESH_SECONDS:
            self._refuse_duplicate(client)
        elif held is None and len(channel.members) + self._count_elsewhere(channel) >= limits.RELAY_PEERS:
            self._drop(client, frames.OVERLOADED, "the channel is full")
        elif held is not None or self._may_take(client, channel, who):
            self._place(client, channel, who)

    def _place(self, client: Client, channel: Channel, who: Auth) -> None:
        held = channel.members.get(who.node_id)
        if held is not None:
            self._drop(held, frames.REPLACED, "replaced by a newer connection", replaced=True)
        self._strangers -= 1
        client.who, client.channel, client.since, client.waits = who, channel, self._now, None
        channel.members[who.node_id] = client
        channel.offline.pop(who.node_id, None)
        self._timers.cancel(("auth", client.conn))
        self._timers.set(("ping", client.conn), self._now + limits.RELAY_PING_SECONDS)
        self.counters["authenticated"] += 1
        self._took(channel, who)
        self._tell(client, frames.peers(self._others(channel, who.node_id)))
        here = frames.joined(who.node_id, who.name)
        for other in tuple(channel.members.values()):
            if other is not client:
                self._tell(other, here)

    def _others(self, channel: Channel, node_id: str) -> list[Present]:
        """Return whom a client is told of: here, at the cluster's other relays, gone with a wake channel."""
        found = {each.node_id: each for each in channel.offline.values()}
        found |= {each.node_id: each for each in self._elsewhere(channel)}
        for client in channel.members.values():
            if client.who is not None:
                found[client.who.node_id] = Present(client.who.node_id, client.who.name, wake=client.who.wake)
        found.pop(node_id, None)
        return sorted(found.values(), key=lambda each: each.offline)

    def _refuse_duplicate(self, client: Client) -> None:
        text = "this nodeId is connected already"
        self._tell(client, frames.failed(Failed(text, kind="duplicate", code=frames.DUPLICATE)))
        self._drop(client, frames.DUPLICATE, text)

    def _refuse_token(self, client: Client) -> None:
        self._tell(client, frames.failed(Failed("Invalid token", kind="token", code=frames.BAD_TOKEN)))
        self._drop(client, frames.BAD_TOKEN, "the token opens no channel")

    # --- routing --------------------------------------------------------------------------------

    def _route(self, client: Client, channel: Channel, to: str | None, payload: bytes) -> None:
        who = client.who
        assert who is not None, "a client in a channel has said who it is"
        if to is None:
            targets = [other for other in channel.members.values() if other is not client]
            copies = len(targets) + self._count_elsewhere(channel)
            self._spend(client, max(0, copies - 1))  # a broadcast costs what its copies cost
            self._cast_away(client, channel, who, payload)
        elif not frames.is_node_id(to):
            raise BadRelayFrameError("to: not a lower-case UUID")
        elif to not in channel.members:
            if not self._send_away(client, channel, to, payload):
                self._undelivered(client, "absent", to)
            return
        else:
            targets = [channel.members[to]]
        message = frames.forwarded(who.node_id, who.name, payload)
        for target in targets:
            kind = self._no_room(target, message)
            if kind is None:
                self._hand(target, message)
            else:
                self._undelivered(client, kind, target.who.node_id if target.who else "")

    def _no_room(self, target: Client, message: bytes) -> str | None:
        """Return why a frame cannot wait for a client, or None."""
        if target.queued + len(message) > limits.RELAY_QUEUE_BYTES:
            return "slow"
        return "busy" if self._queued + len(message) > limits.RELAY_QUEUED_BYTES else None

    def _hand(self, target: Client, message: bytes) -> None:
        self.counters["messages.forwarded"] += 1
        self.counters["bytes.forwarded"] += len(message)
        self._say(target, message)

    def _undelivered(self, client: Client, kind: str, to: str, why: str | None = None) -> None:
        self.counters[f"undelivered.{kind}"] += 1
        text = f"not delivered: {why or _WHY[kind].format(to)}"
        self._tell(client, frames.failed(Failed(text, kind=kind, reason=to)))

    def _tell(self, client: Client, message: bytes) -> None:
        """Say something of the relay's own, in room that payloads do not take; without it the client goes."""
        if client.leaving:
            return
        if client.queued + len(message) > limits.RELAY_QUEUE_BYTES + limits.RELAY_MESSAGE_BYTES:
            self._drop(client, frames.OVERLOADED, "reads too slowly")
            return
        self._say(client, message)

    def _say(self, client: Client, message: bytes) -> None:
        client.queued += len(message)
        self._queued += len(message)
        self.counters["messages.out"] += 1
        self._effects.append(Say(client.conn, message))
        if not client.slow and client.queued > limits.RELAY_SLOW_BYTES:
            self._slow(client, True)

    def _on_written(self, event: Written) -> None:
        client = self._clients.get(event.conn)
        if client is None:
            return
        client.queued -= event.size
        self._queued -= event.size
        if client.slow and client.queued < limits.RELAY_CAUGHT_UP_BYTES:
            self._slow(client, False)

    def _slow(self, client: Client, slow: bool) -> None:
        client.slow = slow
        self.counters["clients.slow" if slow else "clients.caught_up"] += 1
        facts = {"address": client.address, "node_id": client.who.node_id if client.who else ""}
        self._effects.append(Note("warn", "client-slow" if slow else "client-caught-up", facts))

    # --- where other relays come in (`clustered`); one alone has none ------------------------------

    def _elsewhere(self, channel: Channel) -> Iterable[Present]:
        """Return who has a place in a channel at another relay."""
        return ()

    def _count_elsewhere(self, channel: Channel) -> int:
        return 0

    def _may_take(self, client: Client, channel: Channel, who: Auth) -> bool:
        """Tell whether a nodeId nobody has here may have its place now; if not, it is settled later."""
        return True

    def _took(self, channel: Channel, who: Auth) -> None:
        """Take note that a client has its place."""

    def _gave_up(self, channel: Channel, who: Auth) -> bool:
        """Take note that a client has left its place; return whether it has another."""
        return False

    def _send_away(self, client: Client, channel: Channel, to: str, payload: bytes) -> bool:
        """Pass a frame on to whoever has its addressee; return whether its fate is told elsewhere."""
        return False

    def _cast_away(self, client: Client, channel: Channel, who: Auth, payload: bytes) -> None:
        """Pass a broadcast on."""

    def _elapsed(self, what: str, client: Client | None) -> None:
        """Act on a timer of one's own."""


def _read(message: bytes) -> _core.RelayMessage:
    try:
        said = _core.relay_message(message)
    except _core.CoreError as error:
        raise BadRelayFrameError(error.detail) from error
    if said.from_id is not None:
        raise BadRelayFrameError("from: the relay says who sent an envelope")
    return said
