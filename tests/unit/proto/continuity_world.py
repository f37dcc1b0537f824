"""A room of peers that keep each other's agents, in virtual time: engines, cut links, pauses, crashes, disks.

The engines are the real ones with real signatures. What stands in for the rest: frames that travel for a
while and are dropped where a link is cut, replicas that are counts, a failure detector that goes
by what was heard, and may lie. Every accepted write is written down with the epoch it was in.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from covey import _core
from covey.proto import effects as fx
from covey.proto.continuity import wants
from covey.proto.continuity.engine import Continuity
from covey.proto.state.scopes import Scope, read_scope
from covey.proto.turn import Turn

START_MS = 1_790_000_000_000
ROOM = "sim"
SILENT_SECONDS = 3.0
CLASSES = ("session",)


@dataclass(frozen=True)
class Face:
    node_id: str
    name: str
    public_key: bytes
    claimed: bool = False


@dataclass(eq=False)
class Node:
    """One peer: its engine, its disk, its replicas, its timers."""

    number: int
    identity: _core.Identity
    engine: Continuity
    alive: bool = True
    paused: bool = False
    disk: bytes | None = None
    waiting: list[wants.Keep] = field(default_factory=list)
    slow_disk: bool = False
    replicas: Counter[str] = field(default_factory=Counter)
    timers: dict[str, float] = field(default_factory=dict)
    heard_at: dict[int, float] = field(default_factory=dict)
    believes: dict[int, str] = field(default_factory=dict)
    answers: dict[int, wants.Answer] = field(default_factory=dict)
    backlog: list[Callable[[], None]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    logs: list[fx.Log] = field(default_factory=list)

    @property
    def author(self) -> str:
        return self.identity.author

    def case(self, agent: str) -> Any:
        return None if self.engine is None else self.engine.book.cases.get(agent)


class Host:
    """What an engine acts through: the world in place of sessions."""

    def __init__(self, world: World, node: Node) -> None:
        self._world, self._node = world, node

    def send(self, node_id: str, frame: bytes, turn: Turn) -> bool:
        return self._world.travel(self._node, self._world.numbers[node_id], frame)

    def timer(self, whom: str, deadline: float) -> None:
        self._node.timers[whom] = deadline
        self._world.later(deadline, lambda: self._world.due(self._node, whom, deadline))

    def want(self, what: object, turn: Turn) -> None:
        turn.add(fx.Want("continuity", what))


class World:
    """Peers from one seed. Number 0 owns the agent."""

    def __init__(self, size: int, seed: int = 1, delay_seconds: float = 0.05) -> None:
        self.random = random.Random(seed)
        self.now = 100.0
        self.skew_ms: Counter[int] = Counter()
        self.cut: set[frozenset[int]] = set()
        self.accepted: defaultdict[tuple[int, bool], set[str]] = defaultdict(set)
        """By (epoch, decided): whose writes some other peer accepted in it."""
        self.held: defaultdict[tuple[int, bool], set[str]] = defaultdict(set)
        """By (epoch, decided): who was anywhere taken for the holder in it."""
        self.acknowledged: dict[int, int] = {}
        """By epoch: the highest write a holder ever took for acknowledged."""
        self.terms: list[Any] = []
        self.refused = 0
        self.delay_seconds = delay_seconds
        self.loss = 0.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._token = 0
        self._arrived: dict[tuple[int, int], float] = {}
        self.numbers: dict[str, int] = {}
        self.nodes: list[Node] = []
        for number in range(size):
            who = _core.Identity(
                f"01997c00-0000-7000-8000-{number:012d}", f"peer-{number}", bytes([number + 1]) * 32
            )
            self.numbers[who.node_id] = number
            self.nodes.append(Node(number, who, None))  # type: ignore[arg-type]  # made by `start`
        self.faces = [Face(n.identity.node_id, n.identity.name, n.identity.public_key) for n in self.nodes]
        for node in self.nodes:
            self.start(node)
        self.meet_all()

    @property
    def agent(self) -> str:
        return self.nodes[0].author

    # --- what a test does -------------------------------------------------------------------------

    def declare(
        self, standbys: list[int], witnesses: list[int] = (), by: int = 0, **how: Any
    ) -> wants.Answer | None:  # type: ignore[assignment]  # an empty default
        names = [tuple(f"peer-{n}" for n in each) for each in (standbys, witnesses)]
        wish = lambda token: wants.Declare(token, *names, CLASSES, 1_000, **how)  # noqa: E731 (said once)
        return self.ask(by, wish)

    def consent(self, *numbers: int) -> None:
        for number in numbers:
            self.ask(number, lambda token: wants.Consent(token, self.agent, True))

    def tell(self, number: int, make: Callable[[int], object]) -> None:
        """Say a wish, and wait for nothing."""
        self._token += 1
        token, node = self._token, self.nodes[number]
        if node.alive and not node.paused:
            self._turn(node, lambda turn: node.engine.told(make(token), turn))

    def ask(self, number: int, make: Callable[[int], object], seconds: float = 40.0) -> wants.Answer | None:
        self._token += 1
        token, node = self._token, self.nodes[number]
        self._turn(node, lambda turn: node.engine.told(make(token), turn))
        self.run(seconds, lambda: token in node.answers)
        return node.answers.get(token)

    def write(self, number: int) -> bool:
        """Let a peer write as the holder it takes itself for; False where its own guard refuses."""
        node = self.nodes[number]
        label = "session" if node.author == self.agent else f"as:{self.agent}:session"
        case = node.case(self.agent)
        if not node.alive or node.paused or case is None or node.engine.refusal(label, self.now):
            return False
        for keeper in case.keepers(node.author):
            node.replicas[f"agent:{node.author}:{keeper.author}:{label}"] += 1
        self.replicate(node)
        return True

    def pause(self, number: int) -> None:
        self.nodes[number].paused = True

    def resume(self, number: int) -> None:
        node = self.nodes[number]
        node.paused = False
        backlog, node.backlog = node.backlog, []
        for act in backlog:
            act()

    def crash(self, number: int) -> None:
        node = self.nodes[number]
        node.alive, node.paused = False, False
        node.timers.clear()
        node.backlog.clear()
        node.waiting.clear()
        for other in self.nodes:
            if other is not node and other.alive:
                self._part(other, number)

    def restart(self, number: int) -> None:
        node = self.nodes[number]
        node.alive = True
        self.start(node)
        self.meet_all()

    def part(self, *groups: set[int]) -> None:
        """Cut every link between two groups."""
        side = {number: place for place, group in enumerate(groups) for number in group}
        self.cut = {frozenset({a, b}) for a in side for b in side if a < b and side[a] != side[b]}
        for one, other in (tuple(pair) for pair in self.cut):
            self._part(self.nodes[one], other)
            self._part(self.nodes[other], one)

    def heal(self) -> None:
        self.cut = set()
        self.meet_all()

    def holders(self) -> dict[int, tuple[int, str]]:
        """Return by peer: epoch and name of whom it takes for the holder."""
        found = {n.number: n.case(self.agent) for n in self.nodes if n.alive}
        return {k: (c.line.epoch, c.line.holder.name) for k, c in found.items() if c is not None}

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            if until():
                return True
            at, _, happening = heapq.heappop(self._queue)
            self.now = max(self.now, at)
            happening()
            self.look()
        self.now = end
        return until()

    def look(self) -> None:
        """Write down what is believed now."""
        for node in self.nodes:
            case = node.case(self.agent)
            if case is None or not node.alive:
                continue
            self.held[case.line.epoch, case.line.decided].add(case.line.holder.author)
            if case.line.holder.author == node.author and not node.paused:
                epoch, write = case.acknowledged(node.author)
                self.acknowledged[epoch] = max(write, self.acknowledged.get(epoch, 0))
            if case.line.last is not None and case.line.last not in self.terms:
                self.terms.append(case.line.last)

    # --- the engines' surroundings ----------------------------------------------------------------

    def start(self, node: Node) -> None:
        node.engine = Continuity(
            node.identity,
            ROOM,
            seen=lambda scope: node.replicas[scope],
            served=lambda scope: True,
            look=lambda node_id: self.judge(node, self.numbers[node_id]),
        )
        node.timers.clear()
        node.heard_at = {other.number: self.now for other in self.nodes}
        node.engine.attach(Host(self, node))  # type: ignore[arg-type]  # a stand-in with the same methods
        self._turn(node, node.engine.started)
        facts = wants.Report({"free_bytes": 1 << 40})
        self._turn(node, lambda turn: node.engine.told(wants.Restored(node.disk), turn))
        self._turn(node, lambda turn: node.engine.told(facts, turn))
        self.later(self.now + 0.5, lambda: self._beat(node, node.engine))

    def judge(self, node: Node, other: int) -> str:
        """The failure detector: by what was heard, unless it was told what to believe."""
        silent = self.now - node.heard_at.get(other, 0.0) > SILENT_SECONDS
        return node.believes.get(other) or ("dead" if silent else "alive")

    def meet_all(self) -> None:
        for node in self.nodes:
            for other in self.nodes:
                if node.number < other.number and self.linked(node.number, other.number):
                    self._meet(node, other)
                    self._meet(other, node)

    def linked(self, one: int, other: int) -> bool:
        return self.nodes[one].alive and self.nodes[other].alive and frozenset({one, other}) not in self.cut

    def travel(self, node: Node, to: int, frame: bytes) -> bool:
        if not self.linked(node.number, to):
            return False
        if self.random.random() >= self.loss:
            self._carry(node, to, lambda: self._hear(node, self.nodes[to], frame))
        return True

    def replicate(self, node: Node) -> None:
        """Send what this peer's own scopes hold: receivers that fence it refuse."""
        for name, count in list(node.replicas.items()):
            scope = read_scope(name, ROOM)
            assert scope is not None
            if scope.owner != node.author:
                continue
            to = next(other for other in self.nodes if other.author == scope.to)
            if self.linked(node.number, to.number):
                self._carry(node, to.number, lambda t=to, s=scope, c=count: self._merge(t, s, c))

    def later(self, at: float, happening: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._queue, (at, self._order, happening))

    def due(self, node: Node, whom: str, deadline: float) -> None:
        if node.timers.get(whom) != deadline:
            return
        if node.paused:
            node.backlog.append(lambda: self.due(node, whom, deadline))
            return
        del node.timers[whom]
        self._turn(node, lambda turn: node.engine.due(whom, turn))

    def _carry(self, node: Node, to: int, act: Callable[[], None]) -> None:
        """A session keeps the order of what it carries; what a cut catches on its way is lost."""
        key, pair = (node.number, to), frozenset({node.number, to})
        at = max(self._arrived.get(key, 0.0), self.now + self.delay_seconds * (0.5 + self.random.random()))
        self._arrived[key] = at
        receiver = self.nodes[to]
        engine = receiver.engine

        def arrive() -> None:
            if not receiver.alive or receiver.engine is not engine or pair in self.cut:
                return
            if receiver.paused:
                receiver.backlog.append(arrive)
            else:
                act()

        self.later(at, arrive)

    def _beat(self, node: Node, engine: Continuity) -> None:
        """Every peer that runs is heard by whoever it is linked to, and sends its state again."""
        if not node.alive or node.engine is not engine:
            return
        if not node.paused:
            for other in self.nodes:
                if other is not node and self.linked(node.number, other.number) and not other.paused:
                    other.heard_at[node.number] = self.now
            self.replicate(node)
        self.later(self.now + 0.5, lambda: self._beat(node, engine))

    def _hear(self, sender: Node, receiver: Node, frame: bytes) -> None:
        receiver.heard_at[sender.number] = self.now
        face = self.faces[sender.number]
        self._turn(receiver, lambda turn: receiver.engine.heard(face, "x-covey-continuity", frame, turn))  # type: ignore[arg-type]  # a stand-in

    def _merge(self, node: Node, scope: Scope, count: int) -> None:
        if count <= node.replicas[scope.name]:
            return
        if node.engine.fenced(scope):
            self.refused += 1
            return
        node.replicas[scope.name] = count
        line = node.case(self.agent).line
        self.accepted[line.epoch, line.decided].add(scope.owner)

    def _meet(self, node: Node, other: Node) -> None:
        if node.author and other.author not in node.engine.book.present:
            face = self.faces[other.number]
            node.heard_at[other.number] = self.now
            self._turn(node, lambda turn: node.engine.joined(face, turn))  # type: ignore[arg-type]  # a stand-in

    def _part(self, node: Node, other: int) -> None:
        if self.nodes[other].author in node.engine.book.present:
            face = self.faces[other]
            self._turn(node, lambda turn: node.engine.left(face, turn))  # type: ignore[arg-type]  # a stand-in

    def _turn(self, node: Node, act: Callable[[Turn], None]) -> None:
        wall_ms = START_MS + int(self.now * 1000) + self.skew_ms[node.number]
        turn = Turn(fx.Now(wall_ms, self.now), self.random.randbytes(32))
        act(turn)
        for effect in turn.effects():
            if isinstance(effect, fx.Count):
                node.counts[effect.name] += effect.by
            elif isinstance(effect, fx.Log):
                node.logs.append(effect)
            elif isinstance(effect, fx.Want):
                self._perform(node, effect.what)
        self.look()

    def _perform(self, node: Node, what: object) -> None:
        if isinstance(what, wants.Keep):
            node.waiting.append(what)
            after = 0.3 if node.slow_disk else 0.005
            engine = node.engine
            self.later(self.now + after, lambda: self._write(node, engine, what))
        elif isinstance(what, wants.Answer):
            node.answers[what.token] = what
        elif isinstance(what, wants.Prepare):
            ready = wants.Ready(what.agent, what.term.digest)
            engine = node.engine
            self.later(self.now + 0.1, lambda: self._tell(node, engine, ready))

    def _write(self, node: Node, engine: Continuity, keep: wants.Keep) -> None:
        if not node.alive or node.engine is not engine or keep not in node.waiting:
            return
        node.waiting.remove(keep)
        node.disk = keep.data
        self._tell(node, engine, wants.Kept(keep.number))

    def _tell(self, node: Node, engine: Continuity, what: object) -> None:
        if not node.alive or node.engine is not engine:
            return
        if node.paused:
            node.backlog.append(lambda: self._tell(node, engine, what))
        else:
            self._turn(node, lambda turn: engine.told(what, turn))
