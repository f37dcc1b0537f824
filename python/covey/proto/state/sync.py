"""The engine of shared state: keeps replicas equal to those of the peers that may hold them.

What belongs here: which room answers which event. A write is durable, then pushed to a few peers, who push it
on where it was new. In rounds everybody compares digests with a few others at random, and whoever has more
sends what the other lacks, one window at a time. Nothing is told before it is durable here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from covey import _core, limits
from covey.proto.link import Lane
from covey.proto.state import frames as wire
from covey.proto.state import wants
from covey.proto.state.disk import Disk, Owed
from covey.proto.state.held import Held, Told
from covey.proto.state.refusals import Refusals
from covey.proto.state.replicas import Replicas, StateOptions
from covey.proto.state.snapshots import Coming, Snapshots, begin_anew
from covey.proto.state.standing import standings
from covey.proto.state.telling import Telling

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn


class StateSync:
    """Shared state, as an extension of the node engine.

    Args:
        identity: Who writes here; its key is its author.
        options: Which room, and whose keys are believed.
    """

    name = "state"
    token: str | None = wire.TOKEN
    frames = frozenset({wire.TYPE})

    def __init__(self, identity: _core.Identity, options: StateOptions) -> None:
        self.replicas = Replicas(identity, options)
        self.refusals = Refusals()
        self._identity = identity
        self._authors: dict[str, str] = {}
        self._lanes: dict[str, Lane] = {}
        self._snapshots = Snapshots()
        self._news: dict[str, str] = {}
        """Scopes in which something came by digest, with who brought it."""
        self._interval = limits.STATE_GOSSIP_SECONDS
        self._ready = False
        self._hear: dict[type, Callable[[Held, str, Any, Turn], None]] = {
            wire.Digest: self._on_digest,
            wire.Delta: self._on_delta,
            wire.Ranges: lambda held, peer, said, turn: self._tell.repair(held, peer, said.ranges, turn),
            wire.Ask: self._on_ask,
            wire.Part: self._on_part,
        }
        self._told: dict[type, Callable[[Any, Turn], None]] = {
            wants.Restored: self._on_restored,
            wants.Write: self._on_write,
            wants.Serve: self._on_serve,
            wants.Forget: self._on_forget,
            wants.Persisted: self._on_persisted,
            wants.PersistFailed: self._on_persist_failed,
        }

    # --- what the node engine says --------------------------------------------------------------

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host
        self._disk = Disk(host, self.replicas.author)
        self._tell = Telling(host, self._disk, self.replicas, self._authors)

    def started(self, turn: Turn) -> None:
        """Begin; what the store holds comes as `Restored`."""

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Compare every scope with a peer that has come."""
        self._authors[peer.node_id] = self.replicas.prove(peer.public_key)
        self._lanes[peer.node_id] = Lane(limits.STATE_PEER_BYTES_PER_SECOND, limits.STATE_PEER_BYTES_BURST)
        if self._ready:
            self._tell.greet(peer, turn)
            self._soon(turn)

    def left(self, peer: Peer, turn: Turn) -> None:
        """Forget what was on its way to a peer; what it said last stays."""
        self._authors.pop(peer.node_id, None)
        self._lanes.pop(peer.node_id, None)
        self._snapshots.left(peer.node_id)
        self._tell.forget(peer.node_id)
        for held in self.replicas.scopes.values():
            held.forget(peer.node_id)

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Take one frame, within the peer's pace."""
        lane = self._lanes.get(peer.node_id)
        if lane is None or not self._ready:
            turn.count("state.dropped.early")
            return
        lane.refill(turn.now.monotonic)
        if lane.tokens <= 0.0:
            turn.count("state.dropped.pace")
            return
        lane.tokens -= len(frame)
        try:
            said = wire.read(frame)
        except wire.MalformedError as error:
            self.refusals.add("", peer.node_id, "malformed_frame", str(error), turn)
            return
        held = self.replicas.offered(said.scope, peer.node_id, turn)
        if held is None or not self._tell.between(held, peer.node_id):
            turn.count("state.dropped.scope")
            if held is not None and self.replicas.fence(held.scope) and isinstance(said, wire.Delta):
                self.refusals.add(said.scope, peer.node_id, "fenced", "another holds this agent now", turn)
            return
        try:
            self._hear[type(said)](held, peer.node_id, said, turn)
        except _core.CoreError as error:  # malformed bytes inside a well-formed frame, or no room
            held.changed()
            self.refusals.add(said.scope, peer.node_id, error.reason, error.detail, turn)

    def due(self, whom: str, turn: Turn) -> None:
        """Begin a round, tell news on, or forget what every member has seen."""
        if whom == "round":
            self._tell.round(turn)
            self._interval = min(2 * self._interval, limits.STATE_GOSSIP_IDLE_SECONDS)
            self._host.timer("round", turn.now.monotonic + self._jittered(turn))
        elif whom == "news":
            for name, source in self._news.items():
                held = self.replicas.scopes.get(name)
                if held is not None:
                    self._tell.news(held, source, turn)
            self._news.clear()
        elif whom == "left":
            self._disk.left(turn)
        elif whom == "collect":
            self._collect(turn)
            self._host.timer("collect", turn.now.monotonic + limits.STATE_COLLECT_SECONDS)

    def told(self, what: object, turn: Turn) -> None:
        """Take what the shell says."""
        self._told[type(what)](what, turn)

    # --- for the shell: reading ------------------------------------------------------------------

    def held(self, scope: str) -> Held | None:
        """Return a scope that is here, or None."""
        return self.replicas.scopes.get(scope)

    def settled(self, scope: str) -> int | None:
        """Return how many of its owner's operations a scope has, all durable; None while some are not."""
        held = self.held(scope)
        if held is None:
            return 0
        return held.map.seen.count(held.scope.owner) if self._disk.settled(held) else None

    def present(self) -> list[tuple[str, str, str]]:
        """Return who is here and speaks of shared state: (nodeId, name, author)."""
        return [(p.node_id, p.name, self._authors.get(p.node_id, "")) for p in self._host.peers()]

    def status(self, scope: str | None = None) -> list[dict[str, object]]:
        """Return for each scope what is here and how every peer stands to it."""
        held = [each for name, each in sorted(self.replicas.scopes.items()) if scope in (None, name)]
        return [standings(each, self._host.peers(), self._authors) for each in held]

    # --- what peers say --------------------------------------------------------------------------

    def _on_digest(self, held: Held, peer: str, said: wire.Digest, turn: Turn) -> None:
        standing = held.map.standing_of(said.digest)
        held.note(peer, Told(said.digest, standing.seen, turn.now.wall_ms))
        if standing.diverged:
            if held.diverged.setdefault(peer, turn.now.wall_ms) == turn.now.wall_ms:
                turn.count("state.diverged")
                turn.log("warn", "state-diverged", scope=held.scope.name, peer=peer)
            self._tell.unlike(held, peer, turn)
            return
        held.diverged.pop(peer, None)
        if standing.reset:
            wish = self._snapshots.wish(held, peer, turn)
            if wish is not None:
                self._host.send(peer, wish, turn)
            return
        if standing.ahead:
            self._tell.serve(held, peer, standing.seen, turn)
        if standing.behind:
            self._tell.ask(held, peer, turn)

    def _on_delta(self, held: Held, peer: str, said: wire.Delta, turn: Turn) -> None:
        full = held.map.size_bytes + len(said.delta) > held.most_bytes
        if full or self.replicas.size_bytes + len(said.delta) > limits.STATE_TOTAL_BYTES:
            self.refusals.add(held.scope.name, peer, "too_large", "there is no more room for it here", turn)
            return
        for key in said.keys:
            self.replicas.introduce(peer, key, turn)
        before = held.map.seen
        report = held.map.merge(said.delta, keys=held.keys, now_ms=turn.now.wall_ms)
        self.refusals.merged(held.scope.name, peer, report, turn)
        turn.count("state.applied", report.applied)
        turn.count("state.duplicates", report.duplicates)
        if report.applied or held.map.seen != before:
            held.changed()
            self._disk.append(held, [(wants.DELTA, said.delta)], turn)
            self._host.want(wants.Changed(held.scope.name, said.delta, peer), turn)
            self._soon(turn)
            if said.push and report.applied:
                self._tell.push(held, said.delta, said.keys, peer, turn)
            elif report.applied:
                self._news.setdefault(held.scope.name, peer)
                if self._host.wanted("news") is None:
                    self._host.timer("news", turn.now.monotonic + limits.STATE_NEWS_SECONDS)
        if said.ack:
            self._tell.digest(held, peer, turn, answer=False)

    def _on_ask(self, held: Held, peer: str, said: wire.Ask, turn: Turn) -> None:
        keys = self._tell.keys_of(held, _core.VectorClock()) if said.part == 0 else ()
        part = self._snapshots.part(held, said, keys, turn)
        if part is not None:
            self._disk.send(held, peer, part, turn)

    def _on_part(self, held: Held, peer: str, said: wire.Part, turn: Turn) -> None:
        found = self._snapshots.take(held, peer, said, turn)
        if isinstance(found, bytes):
            self._host.send(peer, found, turn)
        if not isinstance(found, Coming):
            return
        for key in found.keys:
            self.replicas.introduce(peer, key, turn)
        again = begin_anew(held, found, turn.now.wall_ms, self._identity)
        turn.count("state.snapshots.taken")
        turn.log("info", "state-reset", scope=held.scope.name, peer=peer, rewritten=len(again) > 0)
        held.changed()
        held.told.clear()
        held.rows = limits.STATE_ROWS  # a snapshot of what is now here goes to disk, whatever lay there
        self._disk.append(held, [], turn)
        self._host.want(wants.Changed(held.scope.name, None, peer), turn)
        self._tell.digest(held, peer, turn, answer=True)

    # --- what the shell says ---------------------------------------------------------------------

    def _on_restored(self, said: wants.Restored, turn: Turn) -> None:
        self.replicas.restore(said.rows, turn)
        self._ready = True
        for name in self.replicas.scopes:
            self._host.want(wants.Changed(name, None), turn)
        for peer in self._host.peers():
            self._authors.setdefault(peer.node_id, self.replicas.prove(peer.public_key))
            self._tell.greet(peer, turn)
        self._host.timer("round", turn.now.monotonic + self._jittered(turn))
        self._host.timer("collect", turn.now.monotonic + limits.STATE_COLLECT_SECONDS)

    def _on_write(self, said: wants.Write, turn: Turn) -> None:
        refused = self._unwritable(said, turn)
        held = self.replicas.scopes.get(said.scope)
        if refused is not None or held is None:
            reason, detail = refused or ("state_scope", f"no scope of this name here: {said.scope}")
            self._host.want(wants.Wrote(said.token, reason, detail), turn)
            return
        try:
            delta = held.map.commit(said.writes, now_ms=turn.now.wall_ms, identity=self._identity)
        except _core.CoreError as error:
            self._host.want(wants.Wrote(said.token, error.reason, error.detail), turn)
            return
        if delta:
            turn.count("state.writes")
            held.changed()
            number = self._disk.append(held, [(wants.DELTA, delta)], turn)
        else:
            number = held.number  # nothing changes; what it found may still be on its way to the disk
        self._disk.owe(number, said.token, held, delta)
        if not delta:
            self._answer(self._disk.done(0, turn), turn)

    def _on_forget(self, said: wants.Forget, turn: Turn) -> None:
        """Let tombstones wait for an author no more; one that is here, or writes here, is not gone."""
        held = self.replicas.scopes.get(said.scope)
        if held is None or said.author not in held.map.seen.entries:
            refused = wants.Wrote(said.token, "state_author", f"no author of this scope: {said.author}")
            self._host.want(refused, turn)
        elif said.author in (self.replicas.author, *self._authors.values()):
            refused = wants.Wrote(said.token, "state_author", f"not gone, but here: {said.author}")
            self._host.want(refused, turn)
        else:
            held.gone.add(said.author)
            number = self._disk.append(held, [(wants.GONE, said.author.encode())], turn)
            self._disk.owe(number, said.token, held, b"")
            turn.log("info", "state-author-gone", scope=said.scope, author=said.author)
            self._collect(turn)

    def _on_serve(self, said: wants.Serve, turn: Turn) -> None:
        """Speak of these scopes of the own agent from now on, and of no other; tell who is here at once."""
        self._disk.left(turn)
        new = said.scopes - self.replicas.served
        self.replicas.served = said.scopes
        for name in sorted(new):
            held = self.replicas.open(name, turn)
            if held is not None:
                self._tell.news(held, "", turn)

    def _unwritable(self, said: wants.Write, turn: Turn) -> tuple[str, str] | None:
        if not self._ready:
            return "state_not_ready", "what the store holds is still being read"
        if said.scope in self.replicas.broken:
            return "state_unreadable", self.replicas.broken[said.scope]
        held = self.replicas.open(said.scope, turn)
        if held is None or not held.scope.writer(self.replicas.author):
            return "state_scope", f"not written by this peer: {said.scope}"
        if self._disk.owed >= limits.STATE_WRITES:
            return "state_busy", "the disk is slower than what is written; try again"
        if held.map.size_bytes > held.most_bytes:
            return "too_large", f"this scope holds {held.most_bytes} bytes at most"
        return None

    def _on_persisted(self, said: wants.Persisted, turn: Turn) -> None:
        self._answer(self._disk.done(said.number, turn), turn)

    def _answer(self, owed: list[Owed], turn: Turn) -> None:
        """Answer writes that are durable, and push them."""
        for write in owed:
            self._host.want(wants.Wrote(write.token), turn)
            held = self.replicas.scopes.get(write.scope)
            if write.delta and held is not None:
                own = (self._identity.public_key,)
                self._tell.push(held, write.delta, own, None, turn)
                self._host.want(wants.Changed(write.scope, write.delta), turn)
                self._soon(turn)

    def _on_persist_failed(self, said: wants.PersistFailed, turn: Turn) -> None:
        """Give up what the disk does not have: a number it does not remember must not be used twice."""
        turn.count("state.store_failed")
        turn.log("error", "state-store-failed", reason=said.reason)
        for write in self._disk.failed():
            self._host.want(wants.Wrote(write.token, "store_failed", said.reason), turn)
        self._ready = False
        self._host.want(wants.Reload(), turn)

    # --- time ------------------------------------------------------------------------------------

    def _soon(self, turn: Turn) -> None:
        """Something changes: rounds come at their full pace."""
        self._interval = limits.STATE_GOSSIP_SECONDS
        wanted = self._host.wanted("round")
        if self._ready and (wanted is None or wanted > turn.now.monotonic + 2 * self._interval):
            self._host.timer("round", turn.now.monotonic + self._jittered(turn))

    def _jittered(self, turn: Turn) -> float:
        return self._interval * (1.0 + limits.STATE_GOSSIP_JITTER * (turn.jitter() - 0.5))

    def _collect(self, turn: Turn) -> None:
        """Drop tombstones that every author and every peer here has seen; who has said nothing holds them."""
        for held in self.replicas.scopes.values():
            if not held.map.tombstones:
                continue
            said = {
                self._authors[node]: told.seen for node, told in held.told.items() if node in self._authors
            }
            here = [author for node, author in self._authors.items() if self._tell.between(held, node)]
            held.gone.difference_update(here)
            known = {*held.map.seen.entries, *here} - {self.replicas.author} - held.gone
            if held.scope.to not in ("", "*", self.replicas.author):
                known.add(held.scope.to)
            members = {author: said.get(author, _core.VectorClock()) for author in known}
            dropped = held.map.collect(members)
            if dropped:
                turn.count("state.collected", dropped)
                held.changed()
                held.rows = limits.STATE_ROWS
                self._disk.append(held, [], turn)
