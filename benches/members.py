"""Membership in a simulated room: time to detect, false alarms, bytes; every engine is the real one.

Run `python -m benches.members [--nodes N …] [--loss SHARE] [--seeds K]`. Time is virtual: a minute of a
hundred nodes takes seconds. Signatures are made as on the wire, and each is verified once in a room.
"""

from __future__ import annotations

import argparse
import hashlib
import heapq
import itertools
import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from covey import _core
from covey.proto import effects as fx
from covey.proto.membership.claims import Self, holds
from covey.proto.membership.engine import Membership
from covey.proto.membership.news import MemberLeft, MemberSuspected
from covey.proto.membership.options import MembershipOptions
from covey.proto.turn import Turn

START_MS = 1_700_000_000_000
LATENCY_SECONDS = 0.002
FULL_MESH = 100
"""Up to this many nodes everybody has a session with everybody; larger rooms have about twenty each."""


@dataclass(eq=False)
class Neighbour:
    """What an engine sees of a peer: as much of `proto.link.Peer` as membership reads."""

    node_id: str
    name: str
    public_key: bytes


class Room:
    """Virtual time, and links that lose, delay and stop.

    Args:
        loss: Share of frames that are lost, each by itself.
        seed: Everything random follows from it.
    """

    def __init__(self, *, loss: float = 0.0, seed: int = 1) -> None:
        self.now = 0.0
        self.loss = loss
        self.nodes: dict[str, Node] = {}
        self.cut: Callable[[str, str], bool] = lambda _a, _b: False
        self._seed = seed
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._holds: dict[tuple[bytes, bytes, bytes], bool] = {}

    def node(self, number: int, options: MembershipOptions | None = None, *, life: int = 0) -> Node:
        """Make a node and start it; a later life of a number is another process with the same identity."""
        made = Node(self, number, options, life)
        self.nodes[made.node_id] = made
        made.turn(made.engine.started)
        return made

    def connect(self, one: Node, other: Node) -> None:
        """Open a session between two nodes."""
        for node, peer in ((one, other), (other, one)):
            node.links[peer.node_id] = Neighbour(peer.node_id, peer.identity.name, peer.identity.public_key)
        for node, peer in ((one, other), (other, one)):
            known = node.links[peer.node_id]
            node.turn(lambda turn, node=node, known=known: node.engine.joined(known, turn))

    def everybody(self, count: int, options: MembershipOptions | None = None) -> list[Node]:
        """Make that many nodes, each with a session to every other."""
        nodes = [self.node(number, options) for number in range(1, count + 1)]
        for index, one in enumerate(nodes):
            for other in nodes[:index]:
                self.connect(one, other)
        return nodes

    def ring(self, count: int, reach: int, options: MembershipOptions | None = None) -> list[Node]:
        """Make that many nodes in a ring, each with sessions to `reach` on either side, as many far."""
        nodes = [self.node(number, options) for number in range(1, count + 1)]
        for index, one in enumerate(nodes):
            far = [int.from_bytes(self.draw()[:4], "big") % count for _ in range(reach)]
            near = [(index + step) % count for step in range(1, reach + 1)]
            for other in {*near, *far} - {index}:
                if nodes[other].node_id not in one.links:
                    self.connect(one, nodes[other])
        return nodes

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Do something at an instant."""
        self._order += 1
        heapq.heappush(self._events, (max(when, self.now), self._order, do))

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> float:
        """Let time pass, until a condition holds where one is given; return the instant it stopped at."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, do = heapq.heappop(self._events)
            do()
            if until is not None and until():
                return self.now
        self.now = end
        return end

    def holds(self, said: Self) -> bool:
        """Check a signed word, once: a thousand nodes hear a million of them."""
        word = said.body(), said.signature, said.public_key
        known = self._holds.get(word)
        if known is None:
            known = self._holds[word] = holds(said)
        return known

    def draw(self) -> bytes:
        """Return 32 bytes that follow from the seed."""
        self._order += 1
        return hashlib.sha256(f"{self._seed} {self._order}".encode()).digest()

    def chance(self, share: float) -> bool:
        """Tell whether something of that probability happens now."""
        return share > 0 and int.from_bytes(self.draw()[:6], "big") / (1 << 48) < share


class Node:
    """One engine in the room, and its host: sessions, timers, news."""

    def __init__(self, room: Room, number: int, options: MembershipOptions | None, life: int) -> None:
        seed = hashlib.sha256(f"member {number}".encode()).digest()
        self.room = room
        self.node_id = f"01900000-0000-7000-8000-{number:012x}"
        self.identity = _core.Identity(self.node_id, f"m{number}", seed)
        self.engine = Membership(self.identity, options, holds=room.holds)
        self.links: dict[str, Neighbour] = {}
        self.timers: dict[str, float] = {}
        self.news: list[tuple[float, Any]] = []
        self.counts: Counter[str] = Counter()
        self.bytes_out = 0
        self.frames_out = 0
        self.life = life
        self.alive = True
        self.frozen = False
        self._waiting: list[Callable[[], None]] = []
        self.engine.attach(self)  # type: ignore[arg-type]  # stands in for ExtensionHost, which needs sessions

    # --- what an engine acts through ------------------------------------------------------------

    def peers(self) -> list[Any]:
        """Return who has a session, by nodeId."""
        return [self.links[node_id] for node_id in sorted(self.links)]

    def peer(self, node_id: str) -> Any:
        """Return one of them, or None."""
        return self.links.get(node_id)

    def send(self, node_id: str, frame: bytes, turn: Turn, *, beside: bool = False) -> bool:
        """Put a frame on its way; what is lost is lost in silence. Here each peer has one path."""
        if beside or node_id not in self.links:
            return False
        self.bytes_out += len(frame)
        self.frames_out += 1
        other = self.room.nodes[node_id]
        if not self.room.cut(self.node_id, node_id) and not self.room.chance(self.room.loss):
            self.room.at(self.room.now + LATENCY_SECONDS, lambda: other.hear(self.node_id, frame))
        return True

    def timer(self, whom: str, deadline: float) -> None:
        """Want a deadline."""
        self.timers[whom] = deadline
        self.room.at(deadline, lambda: self.due(whom, deadline))

    def cancel(self, whom: str) -> None:
        """Want it no more."""
        self.timers.pop(whom, None)

    # --- what happens to it ---------------------------------------------------------------------

    def hear(self, sender: str, frame: bytes) -> None:
        """Take a frame that has arrived."""
        peer = self.links.get(sender)
        if peer is not None:
            self._do(lambda: self.turn(lambda turn: self.engine.heard(peer, "x-covey-member", frame, turn)))  # type: ignore[arg-type]  # a Neighbour is all it reads

    def due(self, whom: str, deadline: float) -> None:
        """Take a deadline that has come, unless it was moved."""
        if self.timers.get(whom) == deadline:
            self._do(lambda: self._due(whom, deadline))

    def turn(self, act: Callable[[Turn], None]) -> None:
        """Let the engine act once, and keep what it tells."""
        now = fx.Now(START_MS + int(self.room.now * 1000) + self.life, self.room.now)
        turn = Turn(now, self.room.draw())
        act(turn)
        for effect in turn.effects():
            if isinstance(effect, fx.Notify):
                self.news.append((self.room.now, effect.news))
            elif isinstance(effect, fx.Count):
                self.counts[effect.name] += effect.by

    def kill(self) -> None:
        """End the process without a word; sessions go with it."""
        self.alive = False
        for node_id in list(self.links):
            self.room.nodes[node_id].drop(self.node_id)

    def freeze(self) -> None:
        """Stop the process as SIGSTOP does: sessions stay, nothing is read."""
        self.frozen = True

    def thaw(self) -> None:
        """Let it go on: timers first, as a loop that wakes does, then what has waited to be read."""
        self.frozen = False
        waiting, self._waiting = self._waiting, []
        for do in waiting:
            do()

    def drop(self, node_id: str) -> None:
        """Lose the session with a peer."""
        peer = self.links.pop(node_id, None)
        if peer is not None and self.alive:
            self._do(lambda: self.turn(lambda turn: self.engine.left(peer, turn)))  # type: ignore[arg-type]  # a Neighbour is all it reads

    def told(self, kind: type) -> list[tuple[float, Any]]:
        """Return the news of one kind, with when it came."""
        return [(at, news) for at, news in self.news if isinstance(news, kind)]

    def holds_dead(self, node_id: str) -> bool:
        """Tell whether this node has given another up."""
        member = self.engine.members.get(node_id)
        return member is not None and member.state == "dead"

    def states(self) -> dict[str, str]:
        """Return every member this node remembers, with its state."""
        return {member.node_id: member.state for member in self.engine.members.all()}

    def _do(self, act: Callable[[], None]) -> None:
        if not self.alive:
            return
        if self.frozen:
            self._waiting.append(act)
        else:
            act()

    def _due(self, whom: str, deadline: float) -> None:
        if self.timers.get(whom) == deadline:
            del self.timers[whom]
            self.turn(lambda turn: self.engine.due(whom, turn))


def measure(count: int, *, loss: float, seed: int) -> dict[str, float]:
    """Run a room, end one of its nodes in silence and another with its sessions, and report.

    Returns:
        Seconds to the first, median and last survivor's `failed` of either, false alarms, bytes a node and
        second while all join (the first minute) and at rest (the third).
    """
    room = Room(loss=loss, seed=seed)
    nodes = room.everybody(count) if count <= FULL_MESH else room.ring(count, 5)
    room.run(60.0)
    joining = sum(node.bytes_out for node in nodes)
    room.run(60.0)
    before = sum(node.bytes_out for node in nodes)
    room.run(60.0)
    row = {
        "join": joining / count / 60.0,
        "rest": (sum(node.bytes_out for node in nodes) - before) / count / 60.0,
        "false": float(sum(len(node.told(MemberLeft)) for node in nodes)),
        "suspected": float(sum(len(node.told(MemberSuspected)) for node in nodes)),
    }
    for end in ("silent", "killed"):
        row |= {f"{end}_{name}": value for name, value in _ended(room, killed=end == "killed").items()}
    return row


def _ended(room: Room, *, killed: bool) -> dict[str, float]:
    """End one node; `killed`: its sessions end with it, as kill -9 does, or else they stay and are silent."""
    victim, *survivors = (node for node in room.nodes.values() if node.alive)
    began = room.now
    if killed:
        victim.kill()
    victim.alive = False
    room.run(90.0, until=lambda: all(node.holds_dead(victim.node_id) for node in survivors))
    found = [
        at - began
        for node in survivors
        for at, news in node.told(MemberLeft)
        if news.node_id == victim.node_id and at >= began
    ]
    room.run(10.0)
    return {
        "first": min(found, default=math.inf),
        "median": statistics.median(found) if found else math.inf,
        "last": max(found) if len(found) == len(survivors) else math.inf,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Print one row for each size and loss: of several seeds the median, of times to the last the worst."""
    parser = argparse.ArgumentParser(prog="python -m benches.members", description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--loss", type=float, nargs="+", default=[0.0, 0.1])
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    options = parser.parse_args(argv)
    heads = ("nodes", "loss", "seeds", "silent s", "worst s", "killed s", "worst s")
    print("".join(f"{head:>10}" for head in (*heads, "false", "suspected", "join B/s", "rest B/s")))
    for count, loss in itertools.product(options.nodes, options.loss):
        seeds = range(options.seed, options.seed + options.seeds)
        rows = [measure(count, loss=loss, seed=seed) for seed in seeds]
        cells = [f"{count}", f"{loss:.0%}", f"{len(rows)}"]
        for end in ("silent", "killed"):
            cells.append(f"{statistics.median(row[f'{end}_median'] for row in rows):.2f}")
            cells.append(f"{max(row[f'{end}_last'] for row in rows):.2f}")
        cells += [f"{sum(row[name] for row in rows):.0f}" for name in ("false", "suspected")]
        cells += [f"{statistics.median(row[name] for row in rows):.0f}" for name in ("join", "rest")]
        print("".join(f"{cell:>10}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
