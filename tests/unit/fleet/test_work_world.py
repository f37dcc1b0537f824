"""Tasks in a whole room: whoever dies, hangs or comes back late, each has exactly one accepted result."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.unit.fleet.work_world import World


def test_s17_fifty_nodes_that_lose_a_third_mid_task_end_with_every_task_exactly_once() -> None:
    world = World(7, loss=0.05)
    for index in range(50):
        world.add(f"n{index:02}", "work", *(["rare"] if index % 5 == 0 else []), capacity=1 + index % 3)
    tasks = [
        world.submit(f"n{index % 10:02}", f"k{index}", "rare" if index % 7 == 0 else "work", tries=10)
        for index in range(400)
    ]
    world.run(1.5)
    running = {node.name for node in world.nodes.values() if node.worker.busy}
    dead = sorted(running)[::3][:17]
    assert len(dead) == 17, "a third of the nodes, each in the middle of a task"
    for name in dead:
        world.kill(name)
    submitters = {f"n{index:02}" for index in range(10)}
    world.run(20.0)
    for name in set(dead) & submitters:
        world.revive(name)
    world.run_until(lambda: all(world.accepted[each] == 1 for each in tasks))
    world.run(60.0)
    assert world.accepted == dict.fromkeys(tasks, 1)
    lost = sum(node.owner.counts["tries-lost"] for node in world.nodes.values() if node.alive)
    assert lost >= 17, "what the dead had was given to others"
    for node in world.nodes.values():
        assert not node.alive or all(each.state == "done" for each in node.owner.entries.values())


def test_s17_a_worker_that_comes_back_late_is_fenced_off_counted_and_told_why() -> None:
    world = World(1)
    world.add("lead")
    world.add("slow", "work")
    world.seconds = lambda task, node: 2.0
    task = world.submit("lead", "k", "work")
    world.run(1.0)
    world.stop("slow")
    world.add("other", "work")
    world.run_until(lambda: world.accepted[task] == 1)
    assert world.values[task] == "other did k"
    world.resume("slow")
    world.run(5.0)
    owner = world.nodes["lead"].owner
    assert world.accepted[task] == 1 and owner.counts["fenced-done"] == 1
    late = [step for step in owner.entries[task].story if step.what == "fenced"]
    assert [step.who for step in late] == ["agent@slow"] and "done by agent@other under fence 2" in late[
        0
    ].detail
    assert owner.entries[task].by == "agent@other"


def test_s17_a_submitter_that_is_killed_goes_on_from_its_disk_and_takes_the_result_of_meanwhile() -> None:
    world = World(2)
    world.add("lead")
    world.add("worker", "work")
    world.seconds = lambda task, node: 3.0
    task = world.submit("lead", "k", "work")
    world.run(1.0)
    world.kill("lead")
    world.run(6.0)
    world.revive("lead")
    world.run(5.0)
    assert world.accepted[task] == 1 and world.begun["lead", task] == 1


def test_s18_what_waits_is_bounded_and_visible_and_starts_when_somebody_who_can_joins() -> None:
    world = World(3)
    lead = world.add("lead")
    tasks = [world.submit("lead", f"k{index}", "work") for index in range(20)]
    world.run(5.0)
    assert [lead.owner.entries[each].state for each in tasks] == ["waiting"] * 20
    world.add("late", "work", capacity=4)
    world.run_until(lambda: sum(world.accepted.values()) == 20)


def test_s14_who_is_busy_or_unwilling_is_passed_over_and_nobody_does_it_twice() -> None:
    world = World(4)
    world.add("lead")
    for name in ("a", "b", "c"):
        world.add(name, "work")
    world.refuses = lambda task, node: "not my kind" if node.name != "c" else ""
    tasks = [world.submit("lead", f"k{index}", "work") for index in range(5)]
    world.run_until(lambda: all(world.accepted[each] == 1 for each in tasks))
    assert {world.values[each].split()[0] for each in tasks} == {"c"}


@pytest.mark.parametrize("choose", ["least-loaded", "power-of-two", "round-robin"])
def test_s10_the_load_is_spread(choose: str) -> None:
    world = World(5)
    world.add("lead")
    for index in range(10):
        world.add(f"n{index}", "work", capacity=50)
    for index in range(400):
        world.submit("lead", f"k{index}", "work", choose=choose)
    done = [world.nodes[f"n{index}"].worker.counts["begun"] for index in range(10)]
    world.run(1.0)
    done = [world.nodes[f"n{index}"].worker.counts["begun"] for index in range(10)]
    assert sum(done) == 400
    most = {"least-loaded": 1.05, "power-of-two": 1.25, "round-robin": 1.0}[choose]
    assert max(done) / 40 <= most


class Room(RuleBasedStateMachine):
    """Anything happens to five nodes; a task is accepted once at most, and in the end once."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(11, loss=0.2)
        for index in range(5):
            self.world.add(f"n{index}", "work", capacity=2)
        self.tasks: dict[str, str] = {}

    nodes = st.sampled_from([f"n{index}" for index in range(5)])

    @rule(at=nodes, key=st.integers(0, 5))
    def submit(self, at: str, key: int) -> None:
        node = self.world.nodes[at]
        if node.alive and not node.stopped:
            task = self.world.submit(at, f"k{key}", "work", seconds=80_000.0, tries=100)
            if task in node.disk:  # else it died before it had said yes
                self.tasks[task] = at

    @rule(name=nodes)
    def kill_or_revive(self, name: str) -> None:
        if self.world.nodes[name].alive:
            self.world.kill(name)
        else:
            self.world.revive(name)

    @rule(name=nodes)
    def stop_or_resume(self, name: str) -> None:
        node = self.world.nodes[name]
        if node.alive and node.stopped:
            self.world.resume(name)
        elif node.alive:
            self.world.stop(name)

    @rule(name=nodes, steps=st.integers(0, 4))
    def crash_soon(self, name: str, steps: int) -> None:
        self.world.crash_at = (name, steps)

    @rule(one=nodes, other=nodes)
    def cut_or_heal(self, one: str, other: str) -> None:
        if one != other:
            self.world.cut ^= {frozenset({one, other})}

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.world.run(seconds)

    @invariant()
    def accepted_once_at_most(self) -> None:
        assert all(count == 1 for count in self.world.accepted.values())

    def teardown(self) -> None:
        self.world.cut.clear()
        self.world.crash_at = None
        for name, node in self.world.nodes.items():
            if not node.alive:
                self.world.revive(name)
            elif node.stopped:
                self.world.resume(name)
        ids = set(self.tasks)
        self.world.run_until(lambda: all(self.world.accepted[each] for each in ids), most=3_000.0)
        self.world.run(30.0)
        assert {each: self.world.accepted[each] for each in ids} == dict.fromkeys(ids, 1)


TestRoom = Room.TestCase
TestRoom.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
