"""Laws of succession under cuts, pauses, crashes, slow disks, clocks and failure detectors that lie.

Safety, after every step: no epoch that a majority decided has two holders, and writes of two are accepted in
none; what was taken for acknowledged is in the hands of whoever a majority elects. Liveness, at the end: with
a majority alive and connected, somebody alive holds the agent, and everybody agrees on who.
"""

from __future__ import annotations

import random

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from covey.proto.continuity import wants
from tests.unit.proto.continuity_world import World

SHAPES = {3: ([1], [2]), 4: ([1, 2, 3], []), 5: ([1, 2, 3], [4])}


class ContinuityMachine(RuleBasedStateMachine):
    """One agent, its standbys and witnesses, in a world that does what it likes to them."""

    @initialize(size=st.sampled_from(sorted(SHAPES)), seed=st.integers(0, 1 << 16))
    def start(self, size: int, seed: int) -> None:
        self.size = size
        self.world = World(size, seed)
        standbys, witnesses = SHAPES[size]
        self.world.consent(*standbys)
        answer = self.world.declare(standbys, witnesses)
        assert answer is not None and not answer.reason
        self.world.run(1.0)

    @rule(seed=st.integers(0, 1 << 32), steps=st.integers(5, 25), apart=st.booleans())
    def storm(self, seed: int, steps: int, apart: bool) -> None:
        """Let a stretch of time pass in which everything may happen at once."""
        draw = random.Random(seed)
        self.world.delay_seconds = draw.choice([0.02, 0.2, 1.0])
        self.world.loss = draw.choice([0.0, 0.0, 0.2])
        acts = [
            self.write,
            self.write,
            self.misjudge,
            self.pause,
            self.resume,
            self.adopt,
            self.adopt,
            self.disk,
        ]
        acts += [self.crash, self.restart, self.restart, self.clock, self.declare, self.hand_on]
        acts += [self.race, self.race, self.race]
        acts += [self.part, self.heal, self.split, self.split] if apart else []
        for _ in range(steps):
            draw.choice(acts)(draw)
            for who in range(self.size):
                self.world.write(who)
            self.world.run(draw.choice([0.0, 0.02, 0.1, 0.3, 1.0, 4.0]))

    @rule(seconds=st.sampled_from([1.0, 20.0]))
    def calm(self, seconds: float) -> None:
        """Let the world be kind for a while."""
        self.world.heal()
        self.world.run(seconds)

    def write(self, draw: random.Random) -> None:
        self.world.write(draw.randrange(self.size))

    def part(self, draw: random.Random) -> None:
        here = set(draw.sample(range(self.size), draw.randrange(1, self.size)))
        self.world.heal()
        self.world.part(here, set(range(self.size)) - here)

    def split(self, draw: random.Random) -> None:
        """Cut the room in two for so long that each side may go on by itself, if it can."""
        self.part(draw)
        for node in self.world.nodes:
            node.believes.clear()
        for _ in range(8):
            self.world.run(1.0)
            for who in range(self.size):
                self.world.write(who)

    def race(self, draw: random.Random) -> None:
        """Let everybody take the holder for dead and begin at once; some break down in the middle of it."""
        for node in self.world.nodes:
            node.slow_disk = draw.random() < 0.7
            for other in range(self.size):
                node.believes[other] = "dead"
        self.world.run(1.2)
        self.adopt(draw)
        self.world.run(draw.choice([0.05, 0.1, 0.2, 0.4]))
        for _ in range(draw.randrange(3)):
            self.crash(draw)
        self.adopt(draw)
        self.world.run(draw.choice([0.1, 1.0, 3.0]))

    def heal(self, draw: random.Random) -> None:
        self.world.heal()

    def pause(self, draw: random.Random) -> None:
        who = draw.randrange(self.size)
        if self.world.nodes[who].alive:
            self.world.pause(who)

    def resume(self, draw: random.Random) -> None:
        self.world.resume(draw.randrange(self.size))

    def crash(self, draw: random.Random) -> None:
        who = draw.randrange(self.size)
        if self.world.nodes[who].alive:
            self.world.crash(who)
            if draw.random() < 0.7:
                self.world.restart(who)

    def restart(self, draw: random.Random) -> None:
        for node in self.world.nodes:
            if not node.alive:
                self.world.restart(node.number)

    def misjudge(self, draw: random.Random) -> None:
        """Let failure detectors be wrong about one peer: safety must not lean on them."""
        whom, what = draw.randrange(self.size), draw.choice(["dead", "dead", "alive", "left", ""])
        for node in self.world.nodes:
            if draw.random() < 0.7:
                node.believes[whom] = what

    def disk(self, draw: random.Random) -> None:
        self.world.nodes[draw.randrange(self.size)].slow_disk = draw.random() < 0.5

    def clock(self, draw: random.Random) -> None:
        self.world.skew_ms[draw.randrange(self.size)] += draw.choice([-86_400_000, -5_000, 5_000, 86_400_000])

    def adopt(self, draw: random.Random) -> None:
        """Let several standbys try at once, as their operators may wish."""
        for who in SHAPES[self.size][0]:
            if draw.random() < 0.6:
                self.world.tell(who, lambda token: wants.Adopt(token, self.world.agent, False))

    def declare(self, draw: random.Random) -> None:
        """Replace the plan, whatever goes on; the answer may well be no."""
        if draw.random() < 0.3:
            standbys, witnesses = SHAPES[self.size]
            chosen = draw.sample(standbys, draw.randrange(1, len(standbys) + 1))
            names = tuple(f"peer-{number}" for number in chosen), tuple(f"peer-{n}" for n in witnesses)
            self.world.tell(0, lambda token: wants.Declare(token, *names, ("session",), 1_000))

    def hand_on(self, draw: random.Random) -> None:
        name = f"peer-{draw.randrange(self.size)}"
        for who in range(self.size):
            self.world.tell(who, lambda token: wants.HandOn(token, self.world.agent, name))

    @invariant()
    def no_epoch_has_two_holders(self) -> None:
        if hasattr(self, "world"):
            assert {key: who for key, who in self.world.held.items() if len(who) > 1} == {}
            assert {key: who for key, who in self.world.accepted.items() if len(who) > 1} == {}

    @invariant()
    def what_was_acknowledged_is_not_lost(self) -> None:
        if not hasattr(self, "world"):
            return
        for term in self.world.terms:
            for epoch, write in self.world.acknowledged.items():
                if epoch < term.epoch and term.why in ("failed", "released"):
                    assert write == 0 or term.mark >= (epoch, write), (term, epoch, write)

    def teardown(self) -> None:
        """Let the world be kind to a majority, its owner not among it; then somebody goes on."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.loss, world.delay_seconds = 0.0, 0.05
        for node in world.nodes:
            node.believes.clear()
            node.slow_disk = False
            world.resume(node.number)
            if not node.alive:
                world.restart(node.number)
        world.heal()
        world.run(30.0)
        holder = next(iter(world.holders().values()))[1]
        assert {name for _, name in world.holders().values()} == {holder}, world.holders()
        closing = any(node.case(world.agent).promise.closing for node in world.nodes)
        world.crash(int(holder.removeprefix("peer-")))
        if not closing:  # a plan half replaced waits for its owner, or for an operator
            assert world.run(120.0, lambda: self.goes_on(holder)), world.holders()
        self.no_epoch_has_two_holders()
        self.what_was_acknowledged_is_not_lost()

    def goes_on(self, before: str) -> bool:
        found = {name for _, name in self.world.holders().values()}
        return len(found) == 1 and before not in found


ContinuityMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=5, deadline=None)
TestContinuity = ContinuityMachine.TestCase
