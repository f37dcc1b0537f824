"""A relay that is one of several behind a backplane, and with them one relay to its clients.

Presence is the cluster's; a frame goes to whichever relay has its addressee, and what could not be delivered
there comes back to its sender. A nodeId that sits elsewhere is settled by asking: a relay that died holds
nobody. Without the backplane each relay goes on for its own clients, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable

from covey import _core, limits
from covey.proto.effects import Level
from covey.proto.relay import cluster as told
from covey.proto.relay import events, frames
from covey.proto.relay.cluster import Cluster
from covey.proto.relay.frames import Auth, Present
from covey.proto.relay.server import Access, Channel, Client, RelayServer
from covey.proto.relay.words import BadWordError

_BEAT = ("cluster", 0)
_FAR = "it is at another relay, which cannot be reached now"


class ClusteredRelay(RelayServer):
    """A relay of a cluster. Feed it events in order; do the effects in order.

    Args:
        access: Which token opens which channel; the same at every relay of the cluster.
        cluster: The others.
    """

    def __init__(self, access: Access, cluster: Cluster) -> None:
        super().__init__(access)
        self._cluster = cluster
        cluster.counters = self.counters
        names = {"default"} if access.open else set(access.channels.values())
        self._names = {cluster.key(name): name for name in names}
        self._keys = {name: key for key, name in self._names.items()}
        self._table |= {
            events.Carried: self._on_carried,
            events.Published: self._on_published,
            events.Linked: self._on_linked,
            events.Leave: self._on_leave,
        }

    def handle(self, event: events.Event, now: float) -> list[events.Effect]:
        """Take one event at one monotonic instant; return what is to be done, in order."""
        effects = super().handle(event, now)
        effects.extend(self._cluster.out)
        self._cluster.out.clear()
        return effects

    def gauges(self) -> dict[str, int]:
        """Return how things stand: for `/metrics`."""
        return super().gauges() | self._cluster.gauges()

    # --- the backplane ---------------------------------------------------------------------------

    def _on_linked(self, event: events.Linked) -> None:
        if event.up == self._cluster.up:
            return
        self._cluster.link(event.up)
        if event.up:
            self._note("info", "backplane-up", cluster=self._cluster.name, relay=self._cluster.relay)
        else:
            self._note("error", "backplane-lost", reason=event.why)
        if self._timers.wanted(_BEAT) is None:
            self._timers.set(_BEAT, self._now + limits.CLUSTER_BEAT_SECONDS)

    def _on_leave(self, _event: events.Leave) -> None:
        self._cluster.leave()

    def _on_published(self, event: events.Published) -> None:
        self._cluster.published(event.size)

    def _elapsed(self, what: str, client: Client | None) -> None:
        if what == _BEAT[0]:
            self._timers.set(_BEAT, self._now + limits.CLUSTER_BEAT_SECONDS)
            self._act(self._cluster.beat(self._now))
        elif client is not None:
            self._unanswered(client)

    def _note(self, level: Level, event: str, **facts: object) -> None:
        self._effects.append(events.Note(level, event, facts))

    def _on_carried(self, event: events.Carried) -> None:
        try:
            said = self._cluster.hear(event.message, self._now)
        except BadWordError as error:
            self.counters["cluster.malformed"] += 1
            self._note("warn", "backplane-message-refused", reason=str(error))
            return
        self._act(said)

    def _act(self, said: Iterable[told.Told]) -> None:
        for each in said:
            if isinstance(each, told.Arrived):
                self._tell_channel(each.channel, frames.joined(each.node_id, each.name), but=each.node_id)
                self._forget_offline(each.channel, each.node_id)
            elif isinstance(each, told.Left):
                self._tell_channel(each.channel, frames.left(each.node_id, each.name), but=each.node_id)
            elif isinstance(each, told.Taken):
                self._taken(each)
            elif isinstance(each, told.Passed):
                self._passed(each)
            elif isinstance(each, told.Returned):
                self._returned(each)
            elif isinstance(each, told.Settled):
                self._settled(each)
            elif isinstance(each, told.RelayLost):
                level: Level = "info" if each.why == "bye" else "error"
                self._note(level, "cluster-relay-lost", other=each.relay, why=each.why, clients=each.clients)
            else:
                self._note("info", "cluster-relay-found", other=each.relay, clients=each.clients)

    # --- what comes of it for clients ------------------------------------------------------------

    def _channel(self, key: bytes) -> Channel | None:
        return self._channels.get(self._names.get(key, ""))

    def _tell_channel(self, key: bytes, message: bytes, *, but: str) -> None:
        channel = self._channel(key)
        for client in tuple(channel.members.values()) if channel else ():
            if client.who is not None and client.who.node_id != but:
                self._tell(client, message)

    def _forget_offline(self, key: bytes, node_id: str) -> None:
        channel = self._channel(key)
        if channel is not None:
            channel.offline.pop(node_id, None)

    def _taken(self, said: told.Taken) -> None:
        channel = self._channel(said.channel)
        client = channel.members.get(said.node_id) if channel else None
        if client is not None:
            self._drop(client, frames.REPLACED, "replaced by a newer connection at another relay")

    def _passed(self, said: told.Passed) -> None:
        channel = self._channel(said.channel)
        message = frames.forwarded(said.from_id, said.from_name, said.payload)
        try:
            _core.relay_message(message)
        except _core.CoreError as error:  # another relay has checked it: whoever said this is none
            self.counters["cluster.malformed"] += 1
            self._note("warn", "backplane-message-refused", reason=f"payload: {error.detail}")
            return
        members = channel.members if channel else {}
        if said.to is not None and said.to not in members:
            self.counters["undelivered.absent"] += 1
            self._cluster.give_back(said, "absent", said.to)
            return
        wanted = members.values() if said.to is None else (members[said.to],)
        for client in tuple(wanted):
            if client.who is None or client.who.node_id == said.from_id:
                continue
            kind = self._no_room(client, message)
            if kind is None:
                self._hand(client, message)
            else:
                self.counters[f"undelivered.{kind}"] += 1
                self._cluster.give_back(said, kind, client.who.node_id)

    def _returned(self, said: told.Returned) -> None:
        channel = self._channel(said.channel)
        client = channel.members.get(said.to) if channel else None
        if client is not None:
            self._undelivered(client, said.kind, said.absentee)

    # --- the hooks ---------------------------------------------------------------------------------

    def _elsewhere(self, channel: Channel) -> Iterable[Present]:
        return self._cluster.members(self._keys[channel.name])

    def _count_elsewhere(self, channel: Channel) -> int:
        return self._cluster.count(self._keys[channel.name])

    def _may_take(self, client: Client, channel: Channel, who: Auth) -> bool:
        if not self._cluster.ask_for(self._keys[channel.name], who.node_id):
            return True
        client.waits = who
        self._timers.set(("probe", client.conn), self._now + limits.CLUSTER_PROBE_SECONDS)
        return False

    def _unanswered(self, client: Client) -> None:
        """Give a newcomer its place: the relay that had its nodeId is silent."""
        who = client.waits
        name = self._access.channel(who.token) if who is not None else None
        if who is not None and name is not None:
            self._cluster.unanswered(self._keys[name], who.node_id)
        self._enter(client)

    def _settled(self, said: told.Settled) -> None:
        name = self._names.get(said.channel, "")
        for client in tuple(self._clients.values()):
            who = client.waits
            if who is None or who.node_id != said.node_id or self._access.channel(who.token) != name:
                continue
            if said.here:
                self._timers.cancel(("probe", client.conn))
                self._refuse_duplicate(client)
            else:
                self._enter(client)

    def _enter(self, client: Client) -> None:
        who = client.waits
        name = self._access.channel(who.token) if who is not None else None
        self._timers.cancel(("probe", client.conn))
        if who is None or name is None or client.leaving:
            return
        self._place(client, self._channels.setdefault(name, Channel(name)), who)

    def _took(self, channel: Channel, who: Auth) -> None:
        self._cluster.joined(self._keys[channel.name], who, self._now)

    def _gave_up(self, channel: Channel, who: Auth) -> bool:
        return self._cluster.left(self._keys[channel.name], who.node_id)

    def _send_away(self, client: Client, channel: Channel, to: str, payload: bytes) -> bool:
        key = self._keys[channel.name]
        relay = self._cluster.find(key, to)
        if relay is None or client.who is None:
            return False
        if not self._cluster.pass_on(key, client.who, to, payload, relay):
            self._undelivered(client, "busy", to, _FAR)
        return True

    def _cast_away(self, client: Client, channel: Channel, who: Auth, payload: bytes) -> None:
        key = self._keys[channel.name]
        if self._cluster.count(key) and not self._cluster.pass_on(key, who, None, payload, None):
            for each in self._cluster.members(key):
                self._undelivered(client, "busy", each.node_id, _FAR)
