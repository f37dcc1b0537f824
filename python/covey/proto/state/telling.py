"""Who is told what: pushes, digests, what somebody lacks; at a pace, nothing twice without need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from covey import _core, limits
from covey.proto.state import frames
from covey.proto.state.held import Held, Sent

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.state.disk import Disk
    from covey.proto.state.replicas import Replicas
    from covey.proto.turn import Turn

T = TypeVar("T")


class Telling:
    """What leaves this peer about its scopes.

    Args:
        host: Who is here, and the way to them.
        disk: What is said waits for it.
        replicas: What is held.
        authors: The author that each present peer's key is, by nodeId.
    """

    def __init__(self, host: ExtensionHost, disk: Disk, replicas: Replicas, authors: dict[str, str]) -> None:
        self._host = host
        self._disk = disk
        self._replicas = replicas
        self._authors = authors
        self._next: dict[str, int] = {}
        """By peer: with which scope its next round begins."""

    def between(self, held: Held, node_id: str) -> bool:
        """Tell whether a peer and this one may speak of a scope."""
        author, own = self._authors.get(node_id), self._replicas.author
        if author is None or not held.scope.between(own, author) or self._replicas.fence(held.scope):
            return False
        return held.scope.owner != own or held.scope.name in self._replicas.served

    def digest(self, held: Held, node_id: str, turn: Turn, *, answer: bool) -> bool:
        """Tell a peer where this replica stands."""
        frame = frames.write(frames.Digest(held.scope.name, held.digest(), answer))
        turn.count("state.digests")
        return self._disk.send(held, node_id, frame, turn)

    def ask(self, held: Held, node_id: str, turn: Turn) -> None:
        """Let a peer that has more know where this replica stands, so that it sends it; at a pace."""
        if held.asked.get(node_id, 0.0) > turn.now.monotonic:
            return
        held.asked[node_id] = turn.now.monotonic + limits.STATE_ASK_SECONDS
        self.digest(held, node_id, turn, answer=False)

    def greet(self, peer: Peer, turn: Turn) -> None:
        """Compare with a peer that has come, or is chosen: as many scopes as a round may tell of."""
        shared = [held for held in self._replicas.scopes.values() if self.between(held, peer.node_id)]
        start = self._next.get(peer.node_id, 0) % max(len(shared), 1)
        told, size = 0, 0
        for held in [*shared[start:], *shared[:start]]:
            size += len(held.digest())
            if told and size > limits.STATE_ROUND_BYTES:
                break
            told += 1
            if not self.digest(held, peer.node_id, turn, answer=True):
                break
        self._next[peer.node_id] = start + told

    def forget(self, node_id: str) -> None:
        """Drop what only matters while a peer is here."""
        self._next.pop(node_id, None)

    def round(self, turn: Turn) -> None:
        """Compare with a few peers at random."""
        for peer in pick(self._host.peers(), limits.STATE_GOSSIP_PEERS, turn):
            self.greet(peer, turn)

    def news(self, held: Held, source: str, turn: Turn) -> None:
        """Compare one scope with a few others, because something came that they may lack."""
        others = [p for p in self._host.peers() if p.node_id != source and self.between(held, p.node_id)]
        for peer in pick(others, limits.STATE_GOSSIP_PEERS, turn):
            self.digest(held, peer.node_id, turn, answer=True)

    def push(self, held: Held, delta: bytes, keys: tuple[bytes, ...], source: str | None, turn: Turn) -> None:
        """Send what was just written to a few peers; what they miss they find by digest."""
        others = [p for p in self._host.peers() if p.node_id != source and self.between(held, p.node_id)]
        frame = frames.write(frames.Delta(held.scope.name, delta, keys, push=True, ack=False))
        for peer in pick(others, limits.STATE_PUSH_PEERS, turn):
            turn.count("state.pushes")
            self._disk.send_now(held, peer.node_id, frame, turn)

    def serve(self, held: Held, node_id: str, have: _core.VectorClock, turn: Turn) -> None:
        """Send a peer that has seen `have` what it lacks: one window, then it says where it stands."""
        now = turn.now.monotonic
        sent = held.sent.get(node_id)
        stalls = 0
        if sent is not None and sent.have == have:
            if now < sent.until:
                return  # it is on its way
            stalls = sent.stalls + 1
        wait = min(limits.STATE_IN_FLIGHT_SECONDS * 2.0 ** min(stalls, 16), limits.STATE_STALL_SECONDS)
        held.sent[node_id] = Sent(have, now + wait, stalls)
        try:
            deltas = held.map.since(have, max_bytes=limits.STATE_CHUNK_BYTES, max_deltas=limits.STATE_WINDOW)
        except _core.CoreError:  # state_reset: it was away too long; our digest tells it so
            self.ask(held, node_id, turn)
            return
        self._deltas(held, node_id, deltas, have, turn)

    def repair(self, held: Held, node_id: str, ranges: bytes, turn: Turn) -> None:
        """Send a peer everything in the ranges that differ."""
        deltas = held.map.repair(ranges)[: limits.STATE_WINDOW]
        turn.count("state.repairs")
        self._deltas(held, node_id, deltas, _core.VectorClock(), turn)

    def unlike(self, held: Held, node_id: str, turn: Turn) -> None:
        """Send the ranges of a scope to a peer that has seen the same and holds something else; at a pace."""
        if held.repaired.get(node_id, 0.0) > turn.now.monotonic:
            return
        held.repaired[node_id] = turn.now.monotonic + limits.STATE_DIVERGED_SECONDS
        frame = frames.write(frames.Ranges(held.scope.name, held.map.ranges()))
        self._disk.send(held, node_id, frame, turn)

    def keys_of(self, held: Held, have: _core.VectorClock) -> tuple[bytes, ...]:
        """Return the keys of the authors of whom `have` has seen nothing."""
        lacks = (author for author in held.map.seen.entries if have.count(author) == 0)
        found = (self._replicas.keys.key(author) for author in lacks)
        return tuple(key for key in found if key is not None)

    def _deltas(
        self, held: Held, node_id: str, deltas: Sequence[bytes], have: _core.VectorClock, turn: Turn
    ) -> None:
        keys = self.keys_of(held, have)
        for place, delta in enumerate(deltas):
            last = place == len(deltas) - 1
            frame = frames.Delta(held.scope.name, delta, () if place else keys, push=False, ack=last)
            turn.count("state.deltas")
            if not self._disk.send(held, node_id, frames.write(frame), turn):
                return


def pick(among: Sequence[T], count: int, turn: Turn) -> list[T]:
    """Return at most `count` of them, each with the same chance."""
    left = list(among)
    chosen: list[T] = []
    while left and len(chosen) < count:
        chosen.append(left.pop(int.from_bytes(turn.draw()[:8], "big") % len(left)))
    return chosen
