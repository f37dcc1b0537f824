"""The node engine: one state machine over sessions, admission and emission. `handle(event, now) -> effects`.

What belongs here: which room of `proto` answers which event. The rules themselves stand in those rooms.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from covey import _core, limits
from covey.model import EmissionRefused, Minted, PeerSend, PeerView, SendState
from covey.proto import delivery, legacy
from covey.proto import effects as fx
from covey.proto.controls import Controls
from covey.proto.emission import Emission, Pending
from covey.proto.extension import Extension, Extensions
from covey.proto.fetching import Fetching
from covey.proto.gate import Gate
from covey.proto.inbox import Trust, block_of
from covey.proto.link import Lane
from covey.proto.mailroom import MailRoom
from covey.proto.many import Many
from covey.proto.mood import Heard
from covey.proto.news import Emitted
from covey.proto.peers import Roster, fingerprint
from covey.proto.reception import Reception
from covey.proto.relayed import RelayPaths
from covey.proto.sessions import Sessions
from covey.proto.timers import Key, Timers
from covey.proto.turn import Turn

if TYPE_CHECKING:
    from covey.proto.link import Link, Peer
    from covey.proto.options import AdmissionOptions, NodeOptions


_STOPPED = "this peer stopped before a receipt came"


class NodeEngine:
    """One peer's protocol state. Feed it events in order; do the effects in order.

    Args:
        identity: nodeId, name and signing key; the key never leaves the native core.
        options: Room, policy, trust.
        extensions: Conversations beside records, each in a room of its own.
    """

    def __init__(
        self, identity: _core.Identity, options: NodeOptions, extensions: Sequence[Extension] = ()
    ) -> None:
        self.identity = identity
        self.options = options
        self.intake = _intake(identity, options)
        self._token: Callable[[], int] = itertools.count(1).__next__
        self._timers = Timers()
        self.next_timer = self._timers.next
        """Returns the monotonic instant at which a Timer event is wanted, or None."""
        self._trust = Trust(
            options.trusted,
            strangers_wake=options.strangers_wake or options.trust == "open",
            strict=options.trust == "strict",
            pins=options.pins,
        )
        self._roster = Roster(
            identity.node_id,
            options.room,
            lan=options.lan,
            outbound_only=options.outbound_only,
            legacy=options.legacy and options.gate is None,
            timers=self._timers,
        )
        self._extensions = Extensions(extensions)
        self._sessions = Sessions(
            identity,
            options,
            extensions=self._extensions,
            intake=self.intake,
            trust=self._trust,
            roster=self._roster,
            timers=self._timers,
        )
        self._gate = Gate(options.gate, options.room, sessions=self._sessions, timers=self._timers)
        self._extensions.attach(self._sessions, self._timers)
        self._fetching = Fetching(self._sessions, self._timers, options.room)
        self._mail = MailRoom(self._sessions, self._timers, self._trust, options.room)
        self._controls = Controls(self._sessions, self._fetching, self._mail, self._extensions, Heard())
        self._reception = Reception(
            self.intake,
            self._sessions,
            self._trust,
            self._timers,
            self._token,
            self._fetching,
            self._mail.numbers,
        )
        self._relays = RelayPaths(
            identity.node_id,
            [each.label for each in options.relays],
            sessions=self._sessions,
            roster=self._roster,
            timers=self._timers,
            hear=self._hear,
            lose=self._lose,
        )
        self._emission = Emission(identity, options)
        self._own_recent: deque[_core.Record] = deque(maxlen=limits.ANCHOR_REPLAY_RECORDS)
        self._many = Many(self.intake, self._sessions, self._own_recent)
        self._closed_logs = Lane(limits.CLOSED_LOGS_PER_SECOND, limits.CLOSED_LOGS_BURST)
        self._stopping = False
        self._stopped = False
        self._events = self._event_table()
        self._session_events = self._session_table()

    def handle(self, event: fx.Event, now: fx.Now) -> list[fx.Effect]:
        """Take one event at one instant; return what is to be done, in order.

        Args:
            event: Any of `effects.Event`.
            now: Wall milliseconds and monotonic seconds, both not before those of the last call.
        """
        turn = Turn(now, getattr(event, "entropy", b""), watched=self._reception.watched)
        self._events[type(event)](event, turn)
        if self._stopping:
            self._finish(turn)
        self._sessions.flush(turn)
        return turn.effects()

    def peers(self) -> list[PeerView]:
        """Return the peers with an open session."""
        return self._sessions.views()

    def heeds(self, node_id: str) -> bool:
        """Tell whether a node may wake agents here."""
        return self._sessions.heeds_node(node_id)

    def key_of(self, node_id: str) -> bytes | None:
        """Return the key that a session of now proved for a node, or None."""
        peer = self._sessions.peers.get(node_id)
        return None if peer is None or peer.claimed else peer.public_key

    def pressed(self, monotonic: float) -> bool:
        """Tell whether an emission should wait a moment: a peer that is taking records has a long queue."""
        peers = self._sessions.peers.values()
        return any(peer.active is not None and peer.outlet.pressed(monotonic) for peer in peers)

    # --- connections ----------------------------------------------------------------------------

    def _on_started(self, event: fx.Started, turn: Turn) -> None:
        room = self.options.room
        self._own_recent.extend(r for r in event.own_recent if r.room == room and r.to is None)
        for node_id, public_key in event.bindings:
            self._trust.bound(node_id, fingerprint(public_key))
        self._sessions.stock.restore(event.claims)
        for host, port in self.options.addresses:
            pin = self.options.address_keys.get((host, port))
            self._sessions.dial(self._roster.static(host, port, pin=pin), turn)
        self._mail.post.started(turn)
        self._extensions.started(turn)
        if self.options.legacy and self.options.gate is None:  # a stock peer has no grant to show
            turn.log("warn", "legacy-profile", notice=legacy.NOTICE)
            for host, port in self.options.stock_peers:
                self._sessions.dial(self._roster.static(host, port, stock=True), turn)

    def _on_failed(self, event: fx.LinkFailed, turn: Turn) -> None:
        turn.count("dials.failed")
        self._sessions.lost(event.link, event.reason, turn)

    def _on_data(self, event: fx.LinkData, turn: Turn) -> None:
        link = self._sessions.links.get(event.link)
        if link is not None:
            self._hear(link, self._sessions.read(link, event.data, turn), turn)
            self._sessions.touch(link)

    def _hear(self, link: Link, events: Iterable[Any], turn: Turn) -> None:
        """Act on what a session said, until we close it."""
        for said in events:
            if link.state == "closing":
                break
            self._session_events[type(said)](link, said, turn)

    def _on_lost(self, event: fx.LinkLost, turn: Turn) -> None:
        self._lose(event.link, event.reason, turn)

    def _lose(self, link_id: int, reason: str, turn: Turn) -> None:
        link = self._sessions.links.get(link_id)
        self._gate.lost(link_id)
        self._reception.link_lost(link_id, turn)
        self._sessions.lost(link_id, reason, turn)
        if link is not None:
            self._relays.ended(link, turn)

    def _on_relayed(self, event: fx.Relayed, turn: Turn) -> None:
        self._relays.take(event, turn)

    def _on_full(self, event: fx.LinkFull, turn: Turn) -> None:
        link = self._sessions.links.get(event.link)
        if link is not None:
            self._sessions.flow.full(link, event.full, turn)

    def _on_discovered(self, event: fx.PeerDiscovered, turn: Turn) -> None:
        key = self._roster.hinted(event.hint, turn)
        if key is not None and self._timers.wanted(("dial", key)) is None:
            self._sessions.dial(key, turn)

    def _on_vanished(self, event: fx.PeerVanished, _turn: Turn) -> None:
        self._roster.vanished(event.source, event.node_id)

    def _on_dialled(self, event: fx.Dialled, turn: Turn) -> None:
        self._sessions.dial(self._roster.static(event.host, event.port), turn)

    # --- what a session says --------------------------------------------------------------------

    def _said_authenticated(self, link: Link, event: _core.Authenticated, turn: Turn) -> None:
        if not self._gate.holds(link, event, turn):
            self._enter(link, event, turn)

    def _enter(self, link: Link, event: _core.Authenticated, turn: Turn) -> None:
        self._open(self._sessions.authenticated(link, event, turn), link, turn)

    def _open(self, peer: Peer | None, link: Link, turn: Turn) -> None:
        """Greet a peer on a link that has just opened, where it was taken."""
        if peer is None:
            return
        self._sessions.flow.opened(link)
        self._greet(peer, link, turn)
        self._sessions.flow.grant(link, turn)
        if not peer.claimed:  # how long the way is; a stock peer hears no more than it needs
            self._sessions.probe(link, turn)
        first = len(peer.links) == 1
        self._sessions.elect(peer, turn)
        self._fetching.resume(peer, turn)
        if first:
            self._sessions.joined(peer, turn)
            self._extensions.joined(peer, turn)
            self._mail.joined(peer, turn)

    def _greet(self, peer: Peer, link: Link, turn: Turn) -> None:
        """Send cmb-anchors first, then the own records it names, as context for a late joiner."""
        now = turn.now.monotonic
        recent = peer.replayed_at is not None and now - peer.replayed_at < limits.ANCHOR_REPLAY_SECONDS
        waits = peer.outlet.queue.waits
        replay = [] if recent else [r for r in self._own_recent if not waits(r.assertion_id)]
        replay = replay[: link.affords(replay, now, wait=False)]
        session = link.speaking
        if session is None:
            return
        session.send_anchors([record.key for record in replay])
        if replay:
            peer.replayed_at = now
            session.send_records(replay)
            link.spend(replay)
            turn.count("records.replayed", len(replay))
        self._sessions.touch(link)

    def _said_records(self, link: Link, event: _core.Records, turn: Turn) -> None:
        if link.id in self._gate.waiting:
            turn.count("records.dropped.no_grant", len(event.batch))
            return
        self._reception.take(link, event.batch, turn)

    def _said_control(self, link: Link, event: _core.Control, turn: Turn) -> None:
        turn.count(f"frames.control.{event.type}")
        if event.type == "room-join":
            entering = self._gate.shown(link, event.frame, turn)
            if entering is not None:
                self._enter(link, entering, turn)
            return
        if link.id in self._gate.waiting:
            return
        self._controls.take(link, event.type, event.frame, turn)

    def _said_ignored(self, _link: Link, event: _core.Ignored, turn: Turn) -> None:
        turn.count(f"frames.ignored.{event.reason}")

    def _said_refused(self, link: Link, event: _core.Refused, turn: Turn) -> None:
        turn.count(f"frames.refused.{event.reason}")
        self._reception.complain(link, "frame-refused", event.reason, event.detail, turn)
        self._reception.charge(link, 1, turn)

    def _said_closed(self, link: Link, event: _core.Closed, turn: Turn) -> None:
        if link.state == "handshake":
            turn.count(f"handshakes.failed.{event.reason}")
        if event.reason == "self_peer":
            self._sessions.met_ourselves(link)
        if event.reason in ("peer_closed", "peer_error"):
            link.farewell = event.detail
        if event.code == 1009:
            self._roster.block(link, "the peer says: identity conflict")
            self._relays.block(link)
        self._closed_logs.refill(turn.now.monotonic)
        if self._closed_logs.wait_seconds() > 0.0:
            turn.count("logs.suppressed")  # whoever connects and fails in a loop must not fill the log
        else:
            self._closed_logs.tokens -= 1.0
            level: fx.Level = "warn" if link.state == "handshake" else "info"
            facts = {"reason": event.reason, "detail": event.detail, "address": link.address}
            turn.log(level, "session-closed", **facts)
        self._sessions.end(link, event.reason, turn)

    # --- the store's answers ----------------------------------------------------------------------

    def _on_stored(self, event: fx.Stored, turn: Turn) -> None:
        minted = []
        for done in self._reception.stored(event.done, turn):
            if not self._many.stored(done, turn):
                pending = self._emission.stored(done.token, fresh=done.fresh, number=done.number, turn=turn)
                if pending is not None:
                    minted.append(pending)
        if minted:
            self._send(minted, turn)

    def _on_store_failed(self, event: fx.StoreFailed, turn: Turn) -> None:
        rooms = (self._reception, self._many, self._emission)
        any(room.failed(event.token, event.reason, turn) for room in rooms)

    # --- emission -------------------------------------------------------------------------------

    def _on_emit(self, wanted: Sequence[fx.Emit], turn: Turn) -> None:
        if not self._stopping:
            self._emission.begin(wanted, self._token, turn)
            return
        for each in wanted:
            turn.count("emissions.refused.stopping")
            turn.add(fx.Reply(each.token, EmissionRefused("stopping", "this peer is shutting down")))

    def _send(self, minted: list[Pending], turn: Turn) -> None:
        """Hand durable own records to the sessions, and answer with what became of them so far."""
        reached: dict[str, Peer] = {}
        everybody = dict(self._sessions.peers)
        others = tuple(everybody.values())
        answers: list[tuple[Pending, tuple[PeerSend, ...]]] = []
        for pending in minted:
            record = pending.record
            self.intake.admit_own(record, turn.now.wall_ms)
            to = record.to
            if to is not None:
                peer = self._sessions.peers.get(to)
                if peer is not None and to not in reached:
                    reached = {**reached, to: peer}
                answers.append((pending, (self._mail.send(pending, peer, turn),)))
                continue
            self._own_recent.append(record)
            reached = everybody
            answers.append((pending, tuple([delivery.offer(peer, record, turn) for peer in others])))
        for pending, sends in answers:
            block = block_of(pending.record)
            turn.add(fx.Reply(pending.reply, Minted(block, sends)))
            if turn.watched:
                turn.add(fx.Notify(Emitted(block, sends)))
        for peer in reached.values():
            self._sessions.pump(peer, turn)

    # --- time and the end -----------------------------------------------------------------------

    def _on_timer(self, _event: fx.Timer, turn: Turn) -> None:
        for key in self._timers.due(turn.now.monotonic):
            self._due(key, turn)

    def _due(self, key: Key, turn: Turn) -> None:
        what, whom = key
        if isinstance(whom, str):
            if what == "dial":
                self._sessions.dial(whom, turn)
            elif what == "retain":
                self._sessions.forget(whom, turn)
                self._fetching.left(whom)
                if whom not in self._sessions.peers:
                    self._mail.numbers.forget(whom)
            elif what == "turn":
                self._reception.turn_due(turn)
            elif what == "calm":
                self._reception.calm_due(whom, turn)
            elif what == "fetch":
                self._fetching.due(whom, turn)
            elif what == "relay":
                self._relays.due(whom, turn)
            elif not self._mail.due(what, whom, turn):
                self._extensions.due(what, whom, turn)
            return
        if what == "lane":
            self._reception.lane_due(whom, turn)
            return
        link = self._sessions.links.get(whom)
        if link is None:
            return
        if what == "handshake":
            turn.count("handshakes.failed.timeout")
            self._sessions.end(link, "handshake_timeout", turn)
        elif what == "beat":
            self._sessions.silent(link, turn)
        elif what == "credit":
            self._sessions.flow.due(link, turn)
        elif what == "confirm":
            self._relays.unconfirmed(link, turn)
        elif what == "grant":
            self._gate.expired(link, turn)
        elif what == "retire":
            self._sessions.end(
                link, "superseded", turn, code=1010, message="another session of this pair stays"
            )

    def _on_watch(self, event: fx.Watch, _turn: Turn) -> None:
        self._reception.watched = event.on

    def _on_shutdown(self, _event: fx.Shutdown, turn: Turn) -> None:
        if not self._stopping:
            self._stopping = self._sessions.closed = self._roster.closed = True
            self._timers.set(("drain", ""), turn.now.monotonic + limits.DRAIN_SECONDS)

    def _finish(self, turn: Turn) -> None:
        """End every session once nothing is pending, or when the time to drain is over."""
        if self._stopped:
            return
        late = self._timers.wanted(("drain", "")) is None
        owed = any(peer.active and len(peer.outlet) for peer in self._sessions.peers.values())
        owed = owed or len(self._mail.post) > 0
        if not late and (len(self._reception) or len(self._emission) or len(self._many) or owed):
            return
        self._stopped = True
        for peer in self._sessions.peers.values():
            delivery.abandon(peer, SendState.UNKNOWN, _STOPPED, turn)
        self._mail.post.abandon(_STOPPED, turn)
        for link in tuple(self._sessions.links.values()):
            self._sessions.end(link, "stopping", turn, code=1010, message="this peer is shutting down")
        turn.add(fx.Stopped())

    def _event_table(self) -> dict[type, Callable[[Any, Turn], None]]:
        return {
            fx.Started: self._on_started,
            fx.LinkOpened: self._sessions.opened,
            fx.LinkFailed: self._on_failed,
            fx.LinkData: self._on_data,
            fx.LinkLost: self._on_lost,
            fx.LinkFull: self._on_full,
            fx.PeerDiscovered: self._on_discovered,
            fx.PeerVanished: self._on_vanished,
            fx.Stored: self._on_stored,
            fx.StoreFailed: self._on_store_failed,
            **self._mail.events(),
            fx.Looked: lambda e, turn: self._fetching.looked(e.node_id, e.keys, e.missing, turn),
            fx.RecordLoaded: self._fetching.loaded,
            fx.Emit: lambda event, turn: self._on_emit((event,), turn),
            fx.EmitMany: lambda event, turn: self._on_emit(event.wanted, turn),
            fx.EmitBatch: lambda e, turn: self._many.begin(e, self._token(), turn, stopping=self._stopping),
            fx.Dialled: self._on_dialled,
            fx.Watch: self._on_watch,
            fx.Relayed: self._on_relayed,
            fx.Told: self._extensions.told,
            fx.Timer: self._on_timer,
            fx.Shutdown: self._on_shutdown,
        }

    def _session_table(self) -> dict[type, Callable[[Link, Any, Turn], None]]:
        return {
            _core.Authenticated: self._said_authenticated,
            _core.Records: self._said_records,
            _core.LegacyClaimed: lambda link, said, turn: self._open(
                self._sessions.claimed(link, said.peer, turn), link, turn
            ),
            **legacy.table(self._reception),
            _core.Control: self._said_control,
            _core.Ignored: self._said_ignored,
            _core.Refused: self._said_refused,
            _core.Closed: self._said_closed,
        }


def _intake(identity: _core.Identity, options: NodeOptions) -> _core.Intake:
    """Return the native judge; a node binds its own key too, so that its own blocks are known."""
    policy = options.admission
    intake = _core.Intake(
        identity.node_id,
        options.room,
        policy.weights,
        window=policy.window,
        freshness_seconds=policy.freshness_seconds,
        stable=policy.stable,
        guarded=policy.guarded,
        temporal_lambda=policy.temporal_lambda,
        redundancy=policy.redundancy,
        max_ahead_ms=options.clock_ahead_ms,
        encoder=_encoder(policy),
    )
    intake.bind(identity.node_id, identity.public_key)
    return intake


def _encoder(policy: AdmissionOptions) -> _core.Encoder | None:
    """Return what reads texts for covey's own path; None for the baseline."""
    if policy.path == "baseline":
        return None
    return policy.encoder or _core.Encoder(policy.kernel)
