"""Membership in a simulated room: time to detect, false alarms, bytes; every engine is the real one.

Run `python -m benches.members [--nodes N …] [--loss SHARE] [--seed S]`. Time is virtual: a minute of a
hundred nodes takes seconds. Signatures are made and verified as on the wire.
"""

from __future__ import annotations

import argparse
import hashlib
import heapq
import itertools
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from covey import _core
from covey.proto import effects as fx
from covey.proto.membership.engine import Membership
from covey.proto.membership.news import MemberJoined, MemberLeft, MemberSuspected
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


@dataclass(order=True)
class _Event:
    at: float
    order: int
    do: Callable[[], None] = field(compare=False)


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
        self._events: list[_Event] = []
        self._order = 0

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
        heapq.heappush(self._events, _Event(max(when, self.now), self._order, do))

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> float:
        """Let time pass, until a condition holds where one is given; return the instant it stopped at."""
        end = self.now + seconds
        while self._events and self._events[0].at <= end:
            event = heapq.heappop(self._events)
            self.now = event.at
            event.do()
            if until is not None and until():
                return self.now
        self.now = end
        return end

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
        self.engine = Membership(self.identity, options)
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


def measure(
    count: int, *, loss: float, seed: int, killed: bool = False, seconds: float = 60.0
) -> dict[str, float]:
    """Run a room, end one of its nodes without a word, and report.

    `killed`: its sessions end with it, as kill -9 does. Otherwise they stay open and silent.

    Returns:
        Seconds to the first and last survivor's `failed`, false alarms, bytes a node and second at rest.
    """
    room = Room(loss=loss, seed=seed)
    nodes = room.everybody(count) if count <= FULL_MESH else room.ring(count, 5)
    room.run(10.0 if count <= 10 else 120.0)  # until the news of so many joining has been told
    before = sum(node.bytes_out for node in nodes)
    room.run(seconds)
    rate = (sum(node.bytes_out for node in nodes) - before) / count / seconds
    wrong = sum(1 for node in nodes for _ in node.told(MemberLeft))
    suspected = sum(1 for node in nodes for _ in node.told(MemberSuspected))
    victim, survivors = nodes[0], nodes[1:]
    ended = room.now
    if killed:
        victim.kill()
    victim.alive = False

    def gone() -> bool:
        return all(node.states().get(victim.node_id) == "dead" for node in survivors)

    room.run(60.0, until=gone)
    found = [
        at - ended
        for node in survivors
        for at, news in node.told(MemberLeft)
        if news.node_id == victim.node_id
    ]
    return {
        "nodes": count,
        "loss": loss,
        "detect_first": min(found, default=float("inf")),
        "detect_median": statistics.median(found) if found else float("inf"),
        "detect_last": max(found) if len(found) == len(survivors) else float("inf"),
        "false_dead": wrong,
        "suspected": suspected,
        "bytes_per_node_second": rate,
        "joined": sum(len(node.told(MemberJoined)) for node in nodes) / max(1, count * (count - 1)),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Print one row for each size and loss."""
    parser = argparse.ArgumentParser(prog="python -m benches.members", description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--loss", type=float, nargs="+", default=[0.0, 0.1])
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    heads = ("nodes", "loss", "end", "first s", "median s", "last s", "false", "suspected", "B/s/node")
    print("".join(f"{head:>10}" for head in heads))
    for count, loss, killed in itertools.product(options.nodes, options.loss, (False, True)):
        row = measure(count, loss=loss, seed=options.seed, killed=killed)
        cells = (
            f"{count}",
            f"{loss:.0%}",
            "killed" if killed else "silent",
            *(f"{row[name]:.2f}" for name in ("detect_first", "detect_median", "detect_last")),
            *(f"{row[name]:.0f}" for name in ("false_dead", "suspected", "bytes_per_node_second")),
        )
        print("".join(f"{cell:>10}" for cell in cells))


if __name__ == "__main__":
    main()
