"""One relay's view of the others behind the same backplane: who sits where, and what is passed on.

The backplane may lose, and may be gone; it keeps the order of what one relay says. So each relay numbers its
changes of presence, says with every beat how far it has come, and tells all its places to whoever missed one.
A relay that is silent too long has lost its clients. Two places of one nodeId are settled by a Lamport time,
then by the relays' ids: every relay decides the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import field

from covey import limits
from covey.proto.relay import words
from covey.proto.relay.events import Publish
from covey.proto.relay.frames import Auth, Present
from covey.proto.relay.words import Seat
from covey.values import dataclass

Key = tuple[bytes, str]
"""A channel's digest, a nodeId."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A client took a place elsewhere in the cluster."""

    channel: bytes
    node_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Left:
    """A client has no place in the cluster any more."""

    channel: bytes
    node_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A client of ours has a later place elsewhere: ours is over."""

    channel: bytes
    node_id: str
    relay: str


@dataclass(frozen=True, slots=True)
class Passed:
    """A frame of another relay's client, for one of ours or for all in its channel."""

    relay: str
    channel: bytes
    from_id: str
    from_name: str
    to: str | None
    payload: bytes


@dataclass(frozen=True, slots=True)
class Returned:
    """A frame of our client `to` did not reach `absentee`."""

    channel: bytes
    to: str
    kind: str
    absentee: str


@dataclass(frozen=True, slots=True)
class Settled:
    """A relay says whether it holds a nodeId that one of our newcomers claims, and only just took it."""

    channel: bytes
    node_id: str
    here: bool


@dataclass(frozen=True, slots=True)
class RelayLost:
    """A relay ended (`why` "bye") or is silent; its clients are told as Left beside this."""

    relay: str
    why: str
    clients: int


@dataclass(frozen=True, slots=True)
class RelayFound:
    """A relay told all of its clients for the first time."""

    relay: str
    clients: int


Told = Arrived | Left | Taken | Passed | Returned | Settled | RelayLost | RelayFound


@dataclass(slots=True, eq=False)
class _Relay:
    id: str
    heard_at: float
    told: int | None = None
    """How many of its changes we know; None until it has told all of its clients."""
    asked_at: float = -1e9
    doubted: bool = False
    """It left a question unanswered, and has said nothing since."""
    seats: dict[Key, Seat] = field(default_factory=dict)
    gathering: dict[Key, Seat] = field(default_factory=dict)
    parts: list[words.Pass] = field(default_factory=list)


class Cluster:
    """What one relay knows of the others; what it wants said gathers in `out`.

    Args:
        relay: This relay's id, sixteen hexadecimal digits nobody else has; new with each start.
        name: The cluster's name, the same at all of its relays.
    """

    def __init__(self, relay: str, name: str) -> None:
        self.relay = relay
        self.name = name
        self.out: list[Publish] = []
        self.up = False
        self.queued = 0
        self.counters: Counter[str] = Counter()
        self._own: dict[Key, Seat] = {}
        self._since: dict[Key, float] = {}
        self._told = 0
        self._stamp = 0
        self._relays: dict[str, _Relay] = {}
        self._places: dict[bytes, dict[str, dict[str, Seat]]] = {}
        """By channel, nodeId, relay; ours are not among them."""

    # --- what the server asks --------------------------------------------------------------------

    def key(self, channel: str) -> bytes:
        """Return a channel's name on the backplane."""
        return words.channel_key(self.name, channel)

    def find(self, channel: bytes, node_id: str) -> str | None:
        """Return the relay at which a client sits, or None."""
        seats = self._places.get(channel, {}).get(node_id)
        return None if not seats else max(seats, key=lambda relay: (seats[relay].stamp, relay))

    def members(self, channel: bytes) -> Iterator[Present]:
        """Yield who has a place elsewhere in a channel."""
        for node_id, seats in self._places.get(channel, {}).items():
            seat = max(seats.values(), key=lambda each: each.stamp)
            yield Present(node_id, seat.name, wake=seat.wake)

    def count(self, channel: bytes) -> int:
        """Return how many have a place elsewhere in a channel."""
        return len(self._places.get(channel, {}))

    def gauges(self) -> dict[str, int]:
        """Return how things stand: for `/metrics`."""
        return {
            "cluster_up": int(self.up),
            "cluster_relays": len(self._relays),
            "cluster_clients": sum(len(relay.seats) for relay in self._relays.values()),
            "cluster_queued_bytes": self.queued,
        }

    # --- what the server tells -------------------------------------------------------------------

    def joined(self, channel: bytes, who: Auth, now: float) -> None:
        """Take note of a client's place here, and tell the others; theirs of this nodeId is over."""
        self._since[channel, who.node_id] = now
        self._stamp += 1
        seat = self._own[channel, who.node_id] = Seat(channel, who.node_id, who.name, self._stamp, who.wake)
        self._told += 1
        self._say(None, words.Came(self._told, seat))

    def left(self, channel: bytes, node_id: str) -> bool:
        """Take note that a client is gone from here; return whether it has a place elsewhere."""
        if self._own.pop((channel, node_id), None) is not None:
            del self._since[channel, node_id]
            self._told += 1
            self._say(None, words.Went(self._told, channel, node_id))
        return self.find(channel, node_id) is not None

    def ask_for(self, channel: bytes, node_id: str) -> bool:
        """Ask the relay that has a nodeId whether it still does; False where there is nobody worth asking."""
        relay = self.find(channel, node_id)
        if relay is None or not self.up or self._relays[relay].doubted:
            return False
        self._say(relay, words.Probe(channel, node_id))
        return True

    def unanswered(self, channel: bytes, node_id: str) -> None:
        """Take note that such a question had no answer: until that relay speaks, it is not asked again."""
        relay = self.find(channel, node_id)
        if relay is not None:
            self._relays[relay].doubted = True
        self.counters["cluster.probes_unanswered"] += 1

    def pass_on(self, channel: bytes, who: Auth, to: str | None, payload: bytes, relay: str | None) -> bool:
        """Send a client's frame to one relay, or to all; False where the backplane takes no more now."""
        if not self.up or self.queued + len(payload) > limits.CLUSTER_QUEUED_BYTES:
            self.counters["cluster.not_passed"] += 1
            return False
        size = limits.CLUSTER_PART_BYTES
        for part, start in enumerate(range(0, len(payload), size)):
            more = start + size < len(payload)
            piece = payload[start : start + size]
            self._say(relay, words.Pass(channel, who.node_id, who.name, to, part, more, piece))
        self.counters["cluster.passed"] += 1
        return True

    def give_back(self, passed: Passed, kind: str, absentee: str) -> None:
        """Tell a relay that its client's frame was not delivered."""
        self._say(passed.relay, words.Back(passed.channel, passed.from_id, kind, absentee))

    def published(self, size: int) -> None:
        """Take note that a message has left for the backplane, or was given up."""
        self.queued = max(0, self.queued - size)

    def link(self, up: bool) -> None:
        """Take note that the backplane can be reached or not; on meeting it, ask everybody for everything."""
        self.up = up
        if up:
            self._say(None, words.Beat(self._told))
            self._say(None, words.Ask())

    def leave(self) -> None:
        """Say that this relay ends, and nothing after that."""
        self._say(None, words.Bye())
        self.up = False

    # --- time --------------------------------------------------------------------------------------

    def beat(self, now: float) -> list[Told]:
        """Say that this relay lives, lose those that are silent, ask again where an answer is due."""
        self._say(None, words.Beat(self._told))
        told: list[Told] = []
        for relay in tuple(self._relays.values()):
            if now - relay.heard_at > limits.CLUSTER_SILENCE_SECONDS:
                told.extend(self._lose(relay, "silent"))
            elif relay.told is None:
                self._ask(relay, now)
        return told

    # --- what the others say -------------------------------------------------------------------------

    def hear(self, message: bytes, now: float) -> list[Told]:
        """Take one message of the backplane.

        Raises:
            BadWordError: It is outside its schema.
        """
        said = words.read(message)
        if said.relay == self.relay:
            return []
        relay = self._relays.get(said.relay)
        if relay is None:
            if isinstance(said.word, words.Bye):
                return []
            if len(self._relays) >= limits.CLUSTER_RELAYS:
                self.counters["cluster.too_many_relays"] += 1
                return []
            relay = self._relays[said.relay] = _Relay(said.relay, now)
        relay.heard_at, relay.doubted = now, False
        self.counters["cluster.heard"] += 1
        return self._take(relay, said.word, now)

    def _take(self, relay: _Relay, word: words.Word, now: float) -> list[Told]:
        match word:
            case words.Beat(told):
                if relay.told != told:
                    self._ask(relay, now)
            case words.Came(told, seat):
                return self._place(relay, seat) if self._next(relay, told, now) else []
            case words.Went(told, channel, node_id):
                return self._leave(relay, (channel, node_id)) if self._next(relay, told, now) else []
            case words.Ask():
                self._tell_all(relay.id)
            case words.All():
                return self._gather(relay, word)
            case words.Pass():
                return self._collect(relay, word)
            case words.Back(channel, to, kind, absentee):
                return [Returned(channel, to, kind, absentee)]
            case words.Probe(channel, node_id):
                since = self._since.get((channel, node_id))
                fresh = since is not None and now - since < limits.RELAY_FRESH_SECONDS
                self._say(relay.id, words.Held(channel, node_id, fresh))
            case words.Held(channel, node_id, here):
                return [Settled(channel, node_id, here)]
            case words.Bye():
                return self._lose(relay, "bye")
        return []

    def _next(self, relay: _Relay, told: int, now: float) -> bool:
        """Tell whether a change follows on what we know; if not, ask for everything."""
        if relay.told is not None and told == relay.told + 1:
            relay.told = told
            return True
        if relay.told is None or told > relay.told:
            self._ask(relay, now)
        return False

    def _ask(self, relay: _Relay, now: float) -> None:
        if now - relay.asked_at >= limits.CLUSTER_ASK_SECONDS:
            relay.asked_at = now
            self.counters["cluster.asked"] += 1
            self._say(relay.id, words.Ask())

    def _place(self, relay: _Relay, seat: Seat) -> list[Told]:
        key = (seat.channel, seat.node_id)
        self._stamp = max(self._stamp, seat.stamp)
        if key not in relay.seats and len(relay.seats) >= limits.RELAY_CLIENTS:
            self.counters["cluster.too_many_clients"] += 1
            return []
        relay.seats[key] = seat
        self._places.setdefault(seat.channel, {}).setdefault(seat.node_id, {})[relay.id] = seat
        own = self._own.get(key)
        if own is None:
            return [Arrived(seat.channel, seat.node_id, seat.name)]
        if (own.stamp, self.relay) < (seat.stamp, relay.id):
            return [Taken(seat.channel, seat.node_id, relay.id)]
        return []  # ours is the later: the other relay decides so too, and gives its place up

    def _leave(self, relay: _Relay, key: Key) -> list[Told]:
        seat = relay.seats.pop(key, None)
        if seat is None:
            return []
        channel = self._places[seat.channel]
        places = channel[seat.node_id]
        del places[relay.id]
        if places:
            return []
        del channel[seat.node_id]
        if not channel:
            del self._places[seat.channel]
        return [] if key in self._own else [Left(seat.channel, seat.node_id, seat.name)]

    def _lose(self, relay: _Relay, why: str) -> list[Told]:
        del self._relays[relay.id]
        clients = len(relay.seats)
        told: list[Told] = [RelayLost(relay.id, why, clients)]
        for key in tuple(relay.seats):
            told.extend(self._leave(relay, key))
        self.counters[f"cluster.lost.{why}"] += 1
        return told

    # --- everything at once --------------------------------------------------------------------------

    def _tell_all(self, to: str) -> None:
        part: list[Seat] = []
        size = 0
        for seat in self._own.values():
            cost = 128 + 4 * (len(seat.name) + sum(map(len, (seat.wake or {}).values())))
            if part and (
                size + cost > limits.CLUSTER_PART_BYTES or len(part) >= limits.CLUSTER_SNAPSHOT_ENTRIES
            ):
                self._say(to, words.All(self._told, True, tuple(part)))
                part, size = [], 0
            part.append(seat)
            size += cost
        self._say(to, words.All(self._told, False, tuple(part)))

    def _gather(self, relay: _Relay, word: words.All) -> list[Told]:
        for seat in word.seats:
            if len(relay.gathering) < limits.RELAY_CLIENTS:
                relay.gathering[seat.channel, seat.node_id] = seat
        if word.more:
            return []
        new, relay.gathering = relay.gathering, {}
        first = relay.told is None
        relay.told = word.told
        told: list[Told] = [RelayFound(relay.id, len(new))] if first else []
        for key in [key for key in relay.seats if key not in new]:
            told.extend(self._leave(relay, key))
        for key, seat in new.items():
            if relay.seats.get(key) != seat:
                told.extend(self._place(relay, seat))
        return told

    def _collect(self, relay: _Relay, word: words.Pass) -> list[Told]:
        """Put a frame together from its parts: one relay says them in order, one frame after the other."""
        if word.part == 0:
            self._give_up(relay)
        parts = [*relay.parts, word]
        first = parts[0]
        follows = word.part == len(parts) - 1 and (word.from_id, word.to) == (first.from_id, first.to)
        if not follows or sum(len(part.payload) for part in parts) > limits.RELAY_MESSAGE_BYTES:
            relay.parts = []
            self.counters["cluster.parts_lost"] += 1
            return []
        relay.parts = parts if word.more else []
        if word.more:
            return []
        payload = b"".join(part.payload for part in parts)
        return [Passed(relay.id, word.channel, word.from_id, word.from_name, word.to, payload)]

    def _give_up(self, relay: _Relay) -> None:
        if relay.parts:
            relay.parts = []
            self.counters["cluster.parts_lost"] += 1

    def _say(self, to: str | None, word: words.Word) -> None:
        message = words.write(self.relay, word)
        if self.up or isinstance(word, words.Bye):
            self.queued += len(message)
            self.out.append(Publish(to, message))
