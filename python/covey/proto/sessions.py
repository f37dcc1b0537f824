"""Connections and the peers they prove: opened, authenticated, superseded, silent, lost.

A connection is nobody's until its handshake ends; a failed handshake sends nothing and leaves no state.
Of several sessions with one peer one is active and carries records (`peers.stays`); the others are read a
moment longer, so that nothing on its way is lost, and then closed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import TYPE_CHECKING

from covey import _core, limits
from covey.model import PeerView, SendState
from covey.proto import delivery
from covey.proto.credit import TOKEN as CREDIT_TOKEN
from covey.proto.effects import Bind, Close, LinkOpened, Notify, RelaySend, Write
from covey.proto.extension import Extensions
from covey.proto.flow import Flow
from covey.proto.inbox import Trust
from covey.proto.legacy import Line, StockPeers, first_wire
from covey.proto.link import COMPACT_TOKENS, Lane, Link, Peer
from covey.proto.news import PeerJoined, PeerLeft
from covey.proto.peers import Roster, fingerprint, standing
from covey.proto.receipts import TOKEN
from covey.proto.timers import Timers
from covey.proto.turn import Turn
from covey.proto.views import view_of

if TYPE_CHECKING:
    from covey.proto.options import NodeOptions

PING = b'{"type":"ping"}'
PONG = b'{"type":"pong"}'


class Sessions:
    """Every connection of one node, and every peer proven on one of them."""

    def __init__(
        self,
        identity: _core.Identity,
        options: NodeOptions,
        *,
        extensions: Extensions,
        intake: _core.Intake,
        trust: Trust,
        roster: Roster,
        timers: Timers,
    ) -> None:
        self._identity = identity
        self._room = options.room
        self._heartbeat_seconds = options.heartbeat_seconds
        self._silence_seconds = options.silence_seconds
        self.extensions = extensions
        own = ((TOKEN,) if options.receipts else ()) + ((CREDIT_TOKEN,) if options.credit else ())
        self._offered = (*own, *extensions.tokens)
        self._compact = options.compact
        self._intake = intake
        self._trust = trust
        self._roster = roster
        self._timers = timers
        self.takes_stock = options.legacy and options.gate is None
        """Whether stock peers are met here: they have no grant to show."""
        self.stock = StockPeers(identity, options.room)
        self.flow = Flow(self, timers)
        self._dirty: dict[int, Link] = {}
        """What has something to write at the end of this turn."""
        self._unproven = [0, 0]
        """Links in their handshake: on TCP, and through relays. One must not crowd out the other."""
        self._pump_also: Callable[[Peer, Link, Line, Turn], bool] = lambda *_: False
        self._left_also: Callable[[Peer], None] = lambda _: None
        self.closed = False
        self.links: dict[int, Link] = {}
        self.peers: dict[str, Peer] = {}

    def deliver_also(
        self, pump: Callable[[Peer, Link, Line, Turn], bool], left: Callable[[Peer], None]
    ) -> None:
        """Let directed delivery write where open blocks are written, and hear of whoever has left."""
        self._pump_also, self._left_also = pump, left

    # --- a connection's life --------------------------------------------------------------------

    def key_of(self, node_id: str) -> bytes | None:
        """Return the key a node is bound to, present or not."""
        return self._intake.bound(node_id)

    def connected(self) -> set[str]:
        """Return the nodeIds with an open session on TCP: a relay's does not keep us from dialling."""
        return {p.node_id for p in self.peers.values() if any(link.relay is None for link in p.links)}

    def dial(self, key: str, turn: Turn) -> None:
        """Dial a candidate if the dial rule and the present sessions allow it."""
        link = self._roster.dial(key, self.connected(), turn)
        if link is not None:
            self.links[link.id] = link

    def opened(self, event: LinkOpened, turn: Turn) -> None:
        """Begin the handshake on a new connection, or turn it away when too many wait for theirs."""
        link = self.links.get(event.link)
        if link is None:
            link = self.links[event.link] = Link(event.link, inbound=True)
        link.address, link.local, link.loopback = event.address, event.local, event.loopback
        link.opened_at = link.heard_at = turn.now.monotonic
        link.state = "handshake"
        relayed = link.relay is not None
        self._unproven[relayed] += 1
        if self.closed or len(self.links) > limits.LINKS or self._unproven[relayed] > limits.UNPROVEN_LINKS:
            self.end(link, "stopping" if self.closed else "too_many_links", turn)
            return
        candidate = self._roster.candidate(link.candidate)
        if link.stock:
            link.session = self.stock.accept(event.entropy)
        elif link.inbound and self.takes_stock and link.relay is None:
            link.first, link.entropy = bytearray(), event.entropy
        elif link.inbound:
            link.session = _core.Session.server(
                self._identity, room=self._room, extensions=self._offers(link), entropy=event.entropy
            )
        elif candidate is not None and candidate.stock:
            wanted = None if "static" in candidate.addresses else candidate.node_id
            link.session = self.stock.dial(event.entropy, wanted)
        else:
            link.session = _core.Session.client(
                self._identity,
                room=self._room,
                extensions=self._offers(link),
                entropy=event.entropy,
                expect_node_id=link.remote or (candidate.node_id if candidate else None),
            )
        self._timers.set(("handshake", link.id), turn.now.monotonic + limits.HANDSHAKE_SECONDS)
        self.touch(link)

    def _offers(self, link: Link) -> tuple[str, ...]:
        """Return the tokens of a hello; a relay carries JSON only, so no batches go over one."""
        batches = self._compact and link.relay is None
        return (*self._offered, *COMPACT_TOKENS) if batches else self._offered

    def read(self, link: Link, data: bytes, turn: Turn) -> Sequence[object]:
        """Let a link's session read; return what happened, in order."""
        if link.state == "closing":
            turn.count("bytes.late", len(data))  # read before our close reached the socket
            return ()
        link.heard_at = turn.now.monotonic
        turn.count("bytes.in", len(data))
        if link.first is not None:
            data = self._begun(link, link.first, data)
        return () if link.session is None else link.session.receive(data)

    def _begun(self, link: Link, first: bytearray, data: bytes) -> bytes:
        """Return what a link's session is to read; in a legacy room the first frame says which it is."""
        first += data
        wire = first_wire(first)
        if wire is None:
            return b""
        if wire == "legacy":
            link.session = self.stock.accept(link.entropy)
        else:
            link.session = _core.Session.server(
                self._identity, room=self._room, extensions=self._offered, entropy=link.entropy
            )
        link.first = None
        return bytes(first)

    def authenticated(self, link: Link, event: _core.Authenticated, turn: Turn) -> Peer | None:
        """Take a proven peer: bind its key, elect the session that stays; None when it is turned away."""
        hello = event.peer
        if link.remote and link.remote != hello.node_id:
            self.end(link, "relay_misnamed", turn, code=1010, message="the relay named another sender")
            return None
        mark = fingerprint(hello.public_key)
        if not self._roster.expects(link, mark, turn):
            message = "another key is expected at this address"
            self.end(link, "unexpected_key", turn, code=1006, message=message)
            return None
        if not self._trust.admits(hello.node_id, mark):
            turn.log("warn", "not-trusted", node_id=hello.node_id, fingerprint=mark, address=link.address)
            self._roster.block(link, "not trusted")
            message = "this peer admits only identities it knows"
            self.end(link, "not_trusted", turn, code=1006, message=message)
            return None
        pinned = self._trust.contradicts(hello.node_id, mark)
        bound = "conflict" if pinned else self._intake.bind(hello.node_id, hello.public_key)
        if bound == "conflict":
            turn.log("warn", "identity-conflict", node_id=hello.node_id, address=link.address)
            self._roster.block(link, "identity conflict")
            self.end(
                link, "identity_conflict", turn, code=1009, message="this nodeId is bound to another key"
            )
            return None
        if bound == "full":
            self.end(link, "bindings_full", turn, code=1010, message="this node knows too many identities")
            return None
        if bound == "bound":
            turn.add(Bind(hello.node_id, hello.public_key, hello.name))
        self._unclaim(hello.node_id, turn)
        self._prove(link, hello.node_id, turn)
        peer = self._peer(hello)
        self._take(peer, link, turn)
        return peer

    def claimed(self, link: Link, said: _core.LegacyPeer, turn: Turn) -> Peer | None:
        """Take a stock peer at its word; None where it cannot stand beside what is proven or was said."""
        if link.remote and link.remote != said.node_id:
            self.end(link, "relay_misnamed", turn)
            return None
        mark = fingerprint(said.public_key)
        peer = self.peers.get(said.node_id)
        why = self.stock.takes(said, mark, self._trust, link.address, turn)
        if why is not None:
            self.end(link, why, turn)
            return None
        self._prove(link, said.node_id, turn)
        if peer is None:
            peer = Peer(said.node_id, said.name, said.public_key, mark, delivery.Outlet(), claimed=True)
            self.peers[said.node_id] = peer
        peer.name = said.name
        peer.implementation = "legacy"
        self._take(peer, link, turn)
        return peer

    def elect(self, peer: Peer, turn: Turn) -> None:
        """Choose each path's session, and the one that carries records; others close a moment later."""
        chosen = standing(self._identity.node_id, peer.node_id, peer.links)
        peer.active = chosen[0] if chosen else None
        for link in peer.links:
            if link in chosen:
                self._timers.cancel(("retire", link.id))
            elif self._timers.wanted(("retire", link.id)) is None:
                wait = limits.RETIRE_SERVER_SECONDS if link.inbound else limits.RETIRE_SECONDS
                self._timers.set(("retire", link.id), turn.now.monotonic + wait)
        self.pump(peer, turn)

    def lost(self, link_id: int, reason: str, turn: Turn) -> None:
        """Forget a connection that is gone, and plan the next dial where we dialled it."""
        link = self.links.pop(link_id, None)
        if link is None:
            return
        self._dirty.pop(link_id, None)
        if link.state in ("handshake", "open"):
            turn.count("sessions.lost" if link.state == "open" else "handshakes.lost")
        self._detach(link, link.why or reason, turn)
        lived = turn.now.monotonic - link.opened_at if link.opened_at else 0.0
        self._roster.ended(link, lived_seconds=lived, turn=turn)

    def end(self, link: Link, why: str, turn: Turn, *, code: int | None = None, message: str = "") -> None:
        """Close a connection for a counted reason; on an open session the peer hears a sealed error first."""
        if link.state == "closing":
            return
        if code is not None and link.session is not None and link.session.state == "open":
            link.session.close(code, message)
        self._write(link, turn)
        link.why = why
        turn.count(f"sessions.closed.{why}")
        self._detach(link, why, turn)
        link.state = "closing"
        turn.add(Close(link.id, relayed=link.relay is not None))

    def met_ourselves(self, link: Link) -> None:
        """Never dial again the address that led back to us: the other end of this connection is ours too."""
        for other in self.links.values():
            if other.local and other.local == link.address:
                self._roster.block(other, "own address")
        self._roster.block(link, "own address")

    def silent(self, link: Link, turn: Turn) -> None:
        """Look at a quiet session: ping it, or close it when it has been silent for too long."""
        session = link.speaking
        if session is None:
            return
        # sums are compared, as they were set: a difference may round below the deadline that has come
        if turn.now.monotonic >= link.heard_at + self._patience_seconds(link):
            self.end(link, "silent", turn)
            return
        if turn.now.monotonic >= link.heard_at + self._heartbeat_seconds:
            self._ping(link, turn)
            self._timers.set(("beat", link.id), turn.now.monotonic + self._heartbeat_seconds)
            return
        if link.rtt.stale(turn.now.monotonic, limits.RTT_SECONDS):
            self._ping(link, turn)  # a busy session is never silent, and its way is worth knowing too
        self._timers.set(("beat", link.id), link.heard_at + self._heartbeat_seconds)

    def _patience_seconds(self, link: Link) -> float:
        """Return how long a session may be silent: less where another path to the peer carries on at once."""
        peer = self.peers.get(link.node_id) if link.node_id else None
        others = [other for other in peer.links if other.relay != link.relay] if peer else []
        return min(limits.FAILOVER_SECONDS, self._silence_seconds) if others else self._silence_seconds

    def probe(self, link: Link, turn: Turn) -> None:
        """Ask whether the peer still holds this session, and how long it takes to say so."""
        if not link.full:
            self._ping(link, turn)

    def _ping(self, link: Link, turn: Turn) -> None:
        session = link.speaking
        if session is not None:
            session.send_control(PING)
            link.rtt.asked(turn.now.monotonic)
            self.touch(link)

    def forget(self, node_id: str, turn: Turn) -> None:
        """Let a peer go that has been away past retention; what still waited for it has expired."""
        peer = self.peers.get(node_id)
        if peer is not None and not peer.links:
            del self.peers[node_id]
            delivery.abandon(peer, SendState.EXPIRED, "away too long", turn)

    def moved(self, node_id: str, hosts: Container[str], turn: Turn) -> None:
        """End the TCP links to addresses that a peer says it has left; another path carries on at once."""
        peer = self.peers.get(node_id)
        for link in tuple(peer.links) if peer is not None else ():
            host = link.address.rpartition(":")[0].strip("[]")
            if link.relay is None and host in hosts:
                self.end(link, "peer_moved", turn)

    def trust(self, node_id: str, key_fingerprint: str) -> None:
        """Trust a key from now on; where its holder is here, nothing of it waits for a stranger's lane."""
        self._trust.trust(key_fingerprint)
        peer = self.peers.get(node_id)
        for link in peer.links if peer is not None and peer.fingerprint == key_fingerprint else ():
            link.lane = None

    # --- writing --------------------------------------------------------------------------------

    def owe(self, peer: Peer, told: tuple[int, bytes], turn: Turn, by: int | None = None) -> None:
        """Send a receipt frame, or keep it until the peer reads again; too many are dropped, oldest first.

        A sender that misses one sends its record again on its next session, and hears that it is held. So a
        receipt goes `by` the link that brought the records: if it is lost there, the sender has lost it, too.
        """
        link = self.links.get(by) if by is not None else None
        session = link.speaking if link is not None and link in peer.links and not link.full else None
        if link is not None and session is not None:
            session.send_control(told[1])
            self.touch(link)
            return
        peer.owed.append(told)
        owed = sum(count for count, _ in peer.owed)
        while owed > limits.RECEIPTS_OWED and len(peer.owed) > 1:
            count, _ = peer.owed.popleft()
            owed -= count
            turn.count("receipts.dropped", count)
        self.pump(peer, turn)

    def pump(self, peer: Peer, turn: Turn) -> None:
        """Seal what waits for a peer: receipts, then records. A full link takes neither."""
        link = peer.active
        session = link.speaking if link is not None and not link.full else None
        if link is None or session is None:
            return
        if peer.owed:
            for _, frame in peer.owed:
                session.send_control(frame)
            peer.owed.clear()
            self.touch(link)
        wrote = delivery.pump(peer, link, session, turn)
        if self._pump_also(peer, link, session, turn) or wrote:
            self.touch(link)
        self.flow.watch(link)

    def pong(self, link: Link, turn: Turn) -> None:
        """Answer a ping; a peer that asks and does not read is not answered."""
        session = link.speaking
        if session is None or link.full:
            turn.count("pings.unanswered")
            return
        session.send_control(PONG)
        self.touch(link)

    def touch(self, link: Link) -> None:
        """Note that a session has something to write; `flush` writes it once, at the end of the turn."""
        self._dirty[link.id] = link

    def flush(self, turn: Turn) -> None:
        """Write what sessions have sealed in this turn."""
        if not self._dirty:
            return
        for link_id in sorted(self._dirty):
            self._write(self._dirty[link_id], turn)
        self._dirty.clear()

    def heeds_node(self, node_id: str) -> bool:
        """Tell whether a node may wake agents here: by its session, or where it is away by its name."""
        peer = self.peers.get(node_id)
        if peer is not None and peer.links:
            return self.heeds(peer)
        return self._trust.heeds(node_id, loopback=False)

    def heeds(self, peer: Peer) -> bool:
        """Tell whether what a proven peer says for itself may wake agents here."""
        return not peer.claimed and self._trust.heeds(
            peer.node_id, loopback=any(link.loopback for link in peer.links)
        )

    def views(self) -> list[PeerView]:
        """Return the peers with an open session, by name."""
        shown = [self.view(peer) for peer in self.peers.values() if peer.links]
        return sorted(shown, key=lambda view: (view.name, view.node_id))

    def view(self, peer: Peer) -> PeerView:
        """Return one peer as `peers` shows it."""
        at_address = any(link.pinned for link in peer.links)
        pinned = at_address or self._trust.pinned(peer.node_id, peer.fingerprint)
        return view_of(peer, trusted=self._trusts(peer), pinned=pinned)

    # --- below ----------------------------------------------------------------------------------

    def _trusts(self, peer: Peer) -> bool:
        """Tell whether a peer is trusted: one that only claims its nodeId, by the key it says alone."""
        return self._trust.trusts_key(peer.fingerprint) if peer.claimed else self._trust.trusts(peer.node_id)

    def _take(self, peer: Peer, link: Link, turn: Turn) -> None:
        """Give a peer one more open link."""
        peer.links.append(link)
        if not link.loopback and not self._trusts(peer):
            link.lane = Lane(limits.STRANGER_RECORDS_PER_SECOND, limits.STRANGER_RECORDS_BURST)
        turn.count("sessions.opened")
        if len(peer.links) == 1:
            peer.since_ms = turn.now.wall_ms
            self._timers.cancel(("retain", peer.node_id))
            turn.count("peers.joined")

    def _unclaim(self, node_id: str, turn: Turn) -> None:
        """Let go of whoever claimed a nodeId that somebody now proves."""
        peer = self.peers.get(node_id)
        if peer is None or not peer.claimed:
            return
        for link in tuple(peer.links):
            self.end(link, "claim_disproved", turn)
        self.forget(node_id, turn)

    def _prove(self, link: Link, node_id: str, turn: Turn) -> None:
        link.state, link.node_id, link.since_ms = "open", node_id, turn.now.wall_ms
        self._unproven[link.relay is not None] -= 1
        self._roster.proven(link, node_id)
        self._timers.cancel(("handshake", link.id))
        self._timers.set(("beat", link.id), turn.now.monotonic + self._heartbeat_seconds)

    def _peer(self, hello: _core.PeerHello) -> Peer:
        peer = self.peers.get(hello.node_id)
        if peer is None:
            mark = fingerprint(hello.public_key)
            self._trust.bound(hello.node_id, mark)
            peer = Peer(hello.node_id, hello.name, hello.public_key, mark, delivery.Outlet())
            self.peers[hello.node_id] = peer
        peer.name = hello.name
        peer.implementation = "/".join(hello.implementation)
        peer.extensions = frozenset(hello.extensions)  # those that both sides offered
        peer.receipts = TOKEN in peer.extensions
        return peer

    def _write(self, link: Link, turn: Turn) -> None:
        if link.session is None or link.state in ("dialling", "closing"):
            return
        if link.relay is not None:
            for frame in link.session.take_messages():
                turn.count("bytes.out", len(frame))
                turn.add(RelaySend(link.relay, link.remote, frame))
            return
        data = link.session.take_output()
        if data:
            turn.count("bytes.out", len(data))
            turn.add(Write(link.id, data))

    def _detach(self, link: Link, reason: str, turn: Turn) -> None:
        for name in ("handshake", "beat", "retire", "confirm", "credit"):
            self._timers.cancel((name, link.id))
        if link.state == "handshake":
            self._unproven[link.relay is not None] -= 1
        peer = self.peers.get(link.node_id) if link.node_id else None
        if peer is None or link not in peer.links:
            return
        peer.links.remove(link)
        peer.outlet.session_ended(link.id)
        if link.relay is None and not any(other.relay is None for other in peer.links):
            self._roster.lost_peer(peer.node_id, turn)
        if peer.links:
            self.elect(peer, turn)
            return
        peer.active = None
        turn.count("peers.left")
        self._left_also(peer)
        self.extensions.left(peer, turn)
        turn.add(Notify(PeerLeft(peer.node_id, peer.name, reason, link.farewell)))
        self._timers.set(("retain", peer.node_id), turn.now.monotonic + limits.PEER_RETENTION_SECONDS)

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Tell that a first session with this peer is open."""
        turn.add(Notify(PeerJoined(self.view(peer))))
