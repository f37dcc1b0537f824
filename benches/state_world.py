"""A world of peers that share state, from one seed: engines, a lossy network, disks that answer at once.

No socket and no clock: frames travel in simulated time, some are lost, links can be cut and mended. What the
node engine is for the real thing (sessions, seals), a fake host is here.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from covey import core
from covey.proto import effects as fx
from covey.proto.state import wants
from covey.proto.state.replicas import StateOptions
from covey.proto.state.sync import StateSync
from covey.proto.turn import Turn

EPOCH_MS = 1_790_000_000_000
ROOM = "room:sim"


@dataclass(eq=False)
class Face:
    """What an extension sees of a peer."""

    node_id: str
    name: str
    public_key: bytes
    claimed: bool = False


@dataclass(eq=False)
class Member:
    """One simulated peer: its engine, what it is linked to, its disk, its timers."""

    number: int
    identity: core.Identity
    sync: StateSync
    links: set[int] = field(default_factory=set)
    rows: list[wants.Row] = field(default_factory=list)
    timers: dict[str, float] = field(default_factory=dict)
    wrote: list[wants.Wrote] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    sent_bytes: int = 0
    disk_fails: bool = False

    @property
    def state(self) -> core.StateMap:
        """Return the replica of the room."""
        held = self.sync.held(ROOM)
        assert held is not None, "restored before anything else"
        return held.map


class Host:
    """What the engine acts through: the world in place of sessions."""

    def __init__(self, world: World, member: Member) -> None:
        self._world = world
        self._member = member

    def peers(self) -> list[Face]:
        """Return who is linked."""
        faces = [self._world.faces[number] for number in self._member.links]
        return sorted(faces, key=lambda face: face.node_id)

    def send(self, node_id: str, frame: bytes, turn: Turn) -> bool:
        """Let a frame travel, unless nobody is there."""
        number = self._world.numbers[node_id]
        if number not in self._member.links:
            return False
        self._world.travel(self._member, number, frame)
        return True

    def timer(self, whom: str, deadline: float) -> None:
        """Want a deadline."""
        self._member.timers[whom] = deadline
        self._world.later(deadline, lambda: self._world.due(self._member, whom, deadline))

    def cancel(self, whom: str) -> None:
        """Want it no more."""
        self._member.timers.pop(whom, None)

    def wanted(self, whom: str) -> float | None:
        """Return when it is wanted."""
        return self._member.timers.get(whom)

    def want(self, what: object, turn: Turn) -> None:
        """Do what the engine wants of its shell."""
        turn.add(fx.Want("state", what))


class World:
    """Peers, their links, and simulated time.

    Args:
        size: How many peers.
        seed: Everything that happens follows from it.
        loss: Which share of frames is lost.
        delay_seconds: How long a frame travels.
    """

    def __init__(self, size: int, seed: int, *, loss: float = 0.0, delay_seconds: float = 0.05) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.loss = loss
        self.skew_ms: dict[int, int] = {}
        self._delay = delay_seconds
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._arrived: dict[tuple[int, int], float] = {}
        self.members = [self._member(number) for number in range(size)]
        self.numbers = {member.identity.node_id: member.number for member in self.members}
        self.faces = [Face(m.identity.node_id, m.identity.name, m.identity.public_key) for m in self.members]
        self.frames = 0
        self.lost = 0
        self.tamper: Callable[[int, int, bytes], bytes | None] = lambda _from, _to, frame: frame
        """Sees every frame: returns another one in its place, or None to lose it."""
        for member in self.members:
            self.start(member)

    def start(self, member: Member) -> None:
        """Begin a member anew with what its disk holds."""
        member.sync = StateSync(member.identity, StateOptions("sim"))
        member.timers.clear()
        member.sync.attach(Host(self, member))  # type: ignore[arg-type]  # a stand-in with the same methods
        links = set(member.links)
        for other in links:
            self.cut(member.number, other)
        self._turn(member, lambda turn: member.sync.told(wants.Restored(tuple(member.rows)), turn))
        for other in links:
            self.link(member.number, other)

    def link(self, one: int, other: int) -> None:
        """Connect two members."""
        for here, there in ((one, other), (other, one)):
            self.members[here].links.add(there)
        for here, there in ((one, other), (other, one)):
            self._turn(self.members[here], lambda turn, h=here, t=there: self._joined(h, t, turn))

    def cut(self, one: int, other: int) -> None:
        """Part two members."""
        for here, there in ((one, other), (other, one)):
            member, face = self.members[here], self.faces[there]
            member.links.discard(there)
            self._turn(member, lambda turn, m=member, f=face: m.sync.left(f, turn))

    def mesh(self, degree: int) -> None:
        """Connect everybody in a ring, and with at least `degree` others at random."""
        size = len(self.members)
        for number in range(size):
            self.link(number, (number + 1) % size)
            while len(self.members[number].links) < min(degree, size - 1):
                other = self.random.randrange(size)
                if other != number and other not in self.members[number].links:
                    self.link(number, other)

    def write(self, number: int, *writes: tuple[str, str, core.StateValue], scope: str = ROOM) -> None:
        """Let a member write."""
        member = self.members[number]
        self._turn(member, lambda turn: member.sync.told(wants.Write(0, scope, writes), turn))

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass until something holds; False when it did not in this time."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            if until():
                return True
            at, _, happening = heapq.heappop(self._queue)
            self.now = max(self.now, at)
            happening()
        self.now = end
        return until()

    def equal(self, among: Iterable[int] | None = None) -> bool:
        """Tell whether all hold the same."""
        members = self.members if among is None else [self.members[number] for number in among]
        first = members[0].state
        return all(m.state.seen == first.seen for m in members) and (
            len({m.state.state_hash for m in members}) == 1
        )

    # --- within ----------------------------------------------------------------------------------

    def later(self, at: float, happening: Callable[[], None]) -> None:
        """Let something happen at a time."""
        self._order += 1
        heapq.heappush(self._queue, (at, self._order, happening))

    def due(self, member: Member, whom: str, deadline: float) -> None:
        """Ring a timer, unless it was moved."""
        if member.timers.get(whom) == deadline:
            del member.timers[whom]
            self._turn(member, lambda turn: member.sync.due(whom, turn))

    def travel(self, member: Member, to: int, frame: bytes) -> None:
        """Carry one frame, or lose it."""
        self.frames += 1
        member.sent_bytes += len(frame)
        changed = self.tamper(member.number, to, frame)
        if changed is None or self.random.random() < self.loss:
            self.lost += 1
            return
        face = self.faces[member.number]

        def arrive() -> None:
            receiver = self.members[to]
            if member.number in receiver.links:
                self._turn(receiver, lambda turn: receiver.sync.heard(face, "x-covey-state", changed, turn))

        # A session keeps the order of its frames.
        key = (member.number, to)
        at = max(self._arrived.get(key, 0.0), self.now + self._delay * (0.5 + self.random.random()))
        self._arrived[key] = at
        self.later(at, arrive)

    def _joined(self, here: int, there: int, turn: Turn) -> None:
        self.members[here].sync.joined(self.faces[there], turn)

    def _turn(self, member: Member, act: Callable[[Turn], None]) -> None:
        wall_ms = EPOCH_MS + int(self.now * 1000) + self.skew_ms.get(member.number, 0)
        turn = Turn(fx.Now(wall_ms, self.now), self.random.randbytes(32))
        act(turn)
        for effect in turn.effects():
            if isinstance(effect, fx.Count):
                member.counts[effect.name] += effect.by
            elif isinstance(effect, fx.Want):
                self._perform(member, effect.what)

    def _perform(self, member: Member, what: object) -> None:
        if isinstance(what, wants.Persist):
            if member.disk_fails:
                said: object = wants.PersistFailed(what.number, "disk full")
            else:
                member.rows = [row for row in member.rows if row[0] not in what.clear] + list(what.rows)
                said = wants.Persisted(what.number)
            self.later(self.now, lambda: self._turn(member, lambda turn: member.sync.told(said, turn)))
        elif isinstance(what, wants.Reload):
            restored = wants.Restored(tuple(member.rows))
            self.later(self.now, lambda: self._turn(member, lambda turn: member.sync.told(restored, turn)))
        elif isinstance(what, wants.Wrote):
            member.wrote.append(what)

    def _member(self, number: int) -> Member:
        node_id = f"01997c00-0000-7000-8000-{number:012d}"
        seed = number.to_bytes(4, "big") * 8
        identity = core.Identity(node_id, f"peer-{number}", bytes(byte ^ 0x5A for byte in seed))
        return Member(number, identity, StateSync(identity, StateOptions("sim")))
