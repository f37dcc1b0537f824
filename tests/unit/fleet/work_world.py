"""A room of submitters and workers in virtual time: frames get lost, records wait, nodes die and return."""

from __future__ import annotations

import heapq
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from covey.fleet.work import owner as owners
from covey.fleet.work import worker as workers
from covey.fleet.work.choice import Candidate
from covey.fleet.work.owner import Owner
from covey.fleet.work.task import Task, read_award, read_revoked, read_said, task_id
from covey.fleet.work.worker import Worker
from covey.proto.effects import Now

LOOK = 0.25
FOUND_DEAD = 4.0
"""Seconds until membership has found a dead node."""


@dataclass
class Node:
    """One node: what it has in memory, and on its disk."""

    name: str
    owner: Owner
    worker: Worker
    capabilities: frozenset[str] = frozenset()
    capacity: int = 1
    alive: bool = True
    stopped: bool = False
    died_at: float = 0.0
    life: int = 0
    disk: dict[str, bytes] = field(default_factory=dict)
    heard: list[Callable[[], None]] = field(default_factory=list)
    """What came while it was stopped."""

    @property
    def address(self) -> str:
        return f"agent@{self.name}"


class World:
    """All of them, one clock."""

    def __init__(self, seed: int = 0, *, loss: float = 0.0, delay: float = 0.01) -> None:
        self.random = random.Random(seed)
        self.loss, self.delay = loss, delay
        self.now = 1_000.0
        self.nodes: dict[str, Node] = {}
        self.cut: set[frozenset[str]] = set()
        self.begun: Counter[tuple[str, str]] = Counter()
        self.accepted: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.values: dict[str, Any] = {}
        self.seconds: Callable[[Task, Node], float] = lambda task, node: self.random.uniform(0.5, 3.0)
        self.refuses: Callable[[Task, Node], str] = lambda task, node: ""
        self.crash_at: tuple[str, int] | None = None
        """Who dies in the middle of what it does, after how many steps of it."""
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0

    def clock(self) -> Now:
        return Now(int(self.now * 1_000), self.now)

    def add(self, name: str, *capabilities: str, capacity: int = 1) -> Node:
        node = Node(name, Owner(self.random.random), Worker(), frozenset(capabilities), capacity)
        node.worker.offer(node.address, capacity)
        self.nodes[name] = node
        self.at(self.random.uniform(0, LOOK), lambda: self._beat(node))
        return node

    # --- what happens to nodes ------------------------------------------------------------------

    def kill(self, name: str) -> None:
        node = self.nodes[name]
        node.alive, node.died_at, node.life = False, self.now, node.life + 1
        node.heard.clear()

    def revive(self, name: str) -> None:
        node = self.nodes[name]
        node.owner, node.worker = Owner(self.random.random), Worker()
        node.worker.offer(node.address, node.capacity)
        assert node.owner.restore(node.disk.values(), self.clock()) == 0
        node.alive, node.stopped = True, False

    def stop(self, name: str) -> None:
        self.nodes[name].stopped, self.nodes[name].died_at = True, self.now

    def resume(self, name: str) -> None:
        node = self.nodes[name]
        node.stopped = False
        heard, node.heard = node.heard, []
        for each in heard:
            each()

    def submit(self, at: str, key: str, capability: str, **options: Any) -> str:
        node = self.nodes[at]
        wanted = options.pop("seconds", 300.0)
        deadline_ms = int((self.now + wanted) * 1_000)
        task = Task(
            task_id(at, key),
            key,
            capability,
            {"key": key},
            deadline_ms,
            options.pop("try_seconds", 60.0),
            options.pop("tries", 5),
        )
        entry, effects = node.owner.submit(task, self.clock(), **options)
        self.owner_does(node, effects)
        self._look(node)
        return entry.task.id

    # --- time -----------------------------------------------------------------------------------

    def at(self, seconds: float, what: Callable[[], None]) -> None:
        self._serial += 1
        heapq.heappush(self._heap, (self.now + seconds, self._serial, what))

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self._heap and self._heap[0][0] <= until:
            self.now, _, what = heapq.heappop(self._heap)
            what()
        self.now = until

    def run_until(self, enough: Callable[[], bool], most: float = 600.0) -> None:
        until = self.now + most
        while not enough():
            assert self.now < until, "not within its time"
            self.run(LOOK)

    # --- what nodes do --------------------------------------------------------------------------

    def candidates(self, at: Node) -> list[Candidate]:
        found = []
        for node in self.nodes.values():
            unwell = not node.alive or node.stopped
            if node.capabilities and not (unwell and self.now - node.died_at > FOUND_DEAD):
                running = node.worker.running(node.address)
                found.append(Candidate(node.address, node.name, node.capabilities, node.capacity, running))
        return found

    def owner_does(self, node: Node, effects: list[owners.Effect]) -> None:
        for effect in effects:
            if not node.alive:
                return
            if self.crash_at == (node.name, 0):
                self.crash_at = None
                self.kill(node.name)
                return
            if self.crash_at is not None and self.crash_at[0] == node.name:
                self.crash_at = (node.name, self.crash_at[1] - 1)
            match effect:
                case owners.Keep():
                    self._keep(node, effect)
                case owners.Forget():
                    node.disk.pop(effect.task_id, None)
                case owners.Grant():
                    payload = effect.award.payload()
                    self._send(
                        node, effect.to.node_id, lambda n, p=payload: self._awarded(n, node.name, p), 10.0
                    )
                case owners.Revoke():
                    payload = effect.revoked.payload()
                    self._send(
                        node, effect.node_id, lambda n, p=payload: self._revoked(n, node.name, p), None
                    )
                case _:
                    pass

    def _keep(self, node: Node, keep: owners.Keep) -> None:
        """Write a row; a task is accepted when its disk says so, and stays as it was accepted."""
        before, row = json.loads(node.disk.get(keep.task_id, b"{}")), json.loads(keep.row)
        node.disk[keep.task_id] = keep.row
        if before.get("state") == "done":
            assert (row["state"], row["value"], row["fence"]) == ("done", before["value"], before["fence"])
        elif row["state"] == "done":
            self.accepted[keep.task_id] += 1
            self.values[keep.task_id] = row["value"]

    def worker_does(self, node: Node, effects: list[workers.Effect]) -> None:
        for effect in effects:
            match effect:
                case workers.Run():
                    self.begun[effect.owner, effect.task.id] += 1
                    self._run_task(node, effect)
                case workers.Say():
                    ttl = 3_600.0 if effect.said.what in ("done", "failed") else None
                    payload = effect.said.payload()
                    self._send(node, effect.owner, lambda n, p=payload: self._said(n, node.name, p), ttl)
                case _:
                    pass

    def _run_task(self, node: Node, run: workers.Run) -> None:
        life = node.life

        def end() -> None:
            if node.life != life or not node.alive:
                return
            if node.stopped:
                node.heard.append(end)
                return
            value = f"{node.name} did {run.task.key}"
            self.worker_does(node, node.worker.finished(run.owner, run.task.id, "done", value=value))

        self.at(self.seconds(run.task, node), end)

    def _awarded(self, node: Node, owner: str, payload: dict[str, Any]) -> None:
        award = read_award(payload)
        refuses = self.refuses(award.task, node)
        self.worker_does(node, node.worker.awarded(owner, award, self.clock(), refuses=refuses))

    def _revoked(self, node: Node, owner: str, payload: dict[str, Any]) -> None:
        self.worker_does(node, node.worker.revoked(owner, read_revoked(payload)))

    def _said(self, node: Node, worker: str, payload: dict[str, Any]) -> None:
        said = read_said(payload)
        verdict, effects = node.owner.heard(said, worker, "", self.clock())
        self.verdicts[f"{said.what}-{verdict}"] += 1
        self.owner_does(node, effects)
        self._look(node)

    def _look(self, node: Node) -> None:
        if node.alive:
            self.owner_does(node, node.owner.look(self.candidates(node), self.clock()))

    def _beat(self, node: Node) -> None:
        self.at(LOOK, lambda: self._beat(node))
        if not node.alive or node.stopped:
            return
        self.worker_does(node, node.worker.tick(self.clock()))
        for each in self.nodes.values():
            if not each.alive and self.now - each.died_at > FOUND_DEAD:
                self.owner_does(node, node.owner.gone(each.name, self.clock()))
        self._look(node)

    def _send(self, node: Node, to: str, take: Callable[[Node], None], ttl: float | None) -> None:
        """Carry a frame (no ttl), or a record: tried again until it is too old, also after a death."""
        until = self.now + (ttl or 0.0)

        def arrive() -> None:
            there = self.nodes[to]
            lost = not there.alive or frozenset({node.name, to}) in self.cut
            if not lost and ttl is None:
                lost = self.random.random() < self.loss
            if lost:
                if self.now < until:
                    self.at(1.0, arrive)
            elif there.stopped:
                there.heard.append(lambda: take(there))
            else:
                take(there)

        self.at(self.delay * self.random.uniform(0.5, 1.5), arrive)
