"""The worker's half of tasks, sans-IO: what runs under which fence, what was done already, when to say so.

Rules: one run of a task at a time, whoever asks how often. A lease that comes again under a later fence takes
over the run that is under way, or gets the result that is there; nothing is done twice that was done once.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import replace
from typing import Any, Literal

from covey import limits
from covey.fleet.work.task import Award, Revoked, Said, Task, line_of
from covey.proto.effects import Now
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """Begin a task. `owner` is the peer whose task it is, proven; "" in a bus of one process."""

    owner: str
    task: Task
    agent: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Cancel a run: nobody wants its result any more."""

    owner: str
    task_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Say:
    """Say something of a task to its owner; a result is signed, all else is a frame."""

    owner: str
    said: Said


@dataclass(frozen=True, slots=True)
class Busy:
    """Tell the room how many tasks an agent has now."""

    agent: str
    running: int


Effect = Run | Stop | Say | Busy


@dataclass(slots=True)
class _Running:
    task: Task
    agent: str
    fence: int
    beat_seconds: float
    beat_at: float
    slot: bool
    share: float | None = None
    detail: str = ""


class Worker:
    """The runs of all agents of one peer."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._capacity: dict[str, int] = {}
        self._running: dict[tuple[str, str], _Running] = {}
        self._done: OrderedDict[tuple[str, str], tuple[Task, Said]] = OrderedDict()
        self._taken: Counter[str] = Counter()

    def offer(self, agent: str, capacity: int) -> None:
        """Let an agent take that many tasks at once; 0 is none any more."""
        if capacity:
            self._capacity[agent] = capacity
        else:
            self._capacity.pop(agent, None)

    def has_room(self, agent: str) -> bool:
        """Tell whether an agent could take one more."""
        return self._taken[agent] < self._capacity.get(agent, 0)

    def knows(self, owner: str, task_id: str) -> bool:
        """Tell whether a task runs here, or was done."""
        return (owner, task_id) in self._running or (owner, task_id) in self._done

    def running(self, agent: str) -> int:
        """Return how many tasks an agent has."""
        return self._taken[agent]

    @property
    def busy(self) -> bool:
        """Tell whether anything runs, so that time matters."""
        return bool(self._running)

    def awarded(
        self, owner: str, award: Award, now: Now, *, refuses: str = "", slot: bool = True
    ) -> list[Effect]:
        """Take a lease.

        Args:
            owner: The peer that sent it, proven.
            award: It.
            now: Both clocks.
            refuses: Why the agent will not do it, or "".
            slot: False for what is handed on: it takes none of the agent's capacity.
        """
        key, agent = (owner, award.task.id), award.to
        done, run = self._done.get(key), self._running.get(key)
        if done is not None and done[0].same_work(award.task):
            self.counts["replayed"] += 1
            by, running = done[1].by or done[1].agent, self._taken[agent]
            return [Say(owner, replace(done[1], agent=agent, fence=award.fence, running=running, by=by))]
        if run is not None:
            return self._taken_over(owner, run, award, now)
        if not refuses and slot and not self.has_room(agent):
            refuses = "busy"
        if refuses:
            self.counts["refused"] += 1
            return [Say(owner, self._word("refused", award.task.id, award.fence, agent, detail=refuses))]
        beat = award.lease_seconds / limits.TASK_BEATS_PER_LEASE
        self._running[key] = _Running(award.task, agent, award.fence, beat, now.monotonic + beat, slot)
        self._taken[agent] += slot
        self.counts["begun"] += 1
        seconds = min(award.task.try_seconds, award.left_seconds)
        return [
            Busy(agent, self._taken[agent]),
            Say(owner, self._word("alive", award.task.id, award.fence, agent)),
            Run(owner, award.task, agent, seconds),
        ]

    def progress(self, owner: str, task_id: str, share: float | None, detail: str, now: Now) -> list[Effect]:
        """Take note of how far a run is, and say so."""
        run = self._running.get((owner, task_id))
        if run is None:
            return []
        run.share, run.detail = share, detail
        run.beat_at = now.monotonic + run.beat_seconds
        return [Say(owner, self._alive(run))]

    def finished(
        self,
        owner: str,
        task_id: str,
        what: Literal["done", "failed", "refused"],
        *,
        value: Any = None,
        detail: str = "",
        final: bool = False,
        by: str = "",
    ) -> list[Effect]:
        """Take the end of a run, and say it under the newest fence; one that was called off says nothing."""
        run = self._running.pop((owner, task_id), None)
        if run is None:
            return []
        self._taken[run.agent] -= run.slot
        self.counts[what] += 1
        said = self._word(what, task_id, run.fence, run.agent, detail=detail)
        said = replace(said, value=value, final=final, by=by)
        if what == "done":
            self._done[owner, task_id] = run.task, said
            if len(self._done) > limits.TASK_RESULTS_REMEMBERED:
                self._done.popitem(last=False)
        return [Busy(run.agent, self._taken[run.agent]), Say(owner, said)]

    def revoked(self, owner: str, revoked: Revoked) -> list[Effect]:
        """Take the owner's word that a fence is void: stop, unless a later one holds."""
        key = (owner, revoked.task_id)
        run = self._running.get(key)
        if run is None or revoked.fence < run.fence:
            self.counts["results-not-wanted"] += run is None
            return []
        del self._running[key]
        self._taken[run.agent] -= run.slot
        self.counts["called-off"] += 1
        return [Busy(run.agent, self._taken[run.agent]), Stop(owner, revoked.task_id, revoked.why)]

    def tick(self, now: Now) -> list[Effect]:
        """Say of everything that runs that it does, when its time has come."""
        effects: list[Effect] = []
        for (owner, _), run in self._running.items():
            if now.monotonic >= run.beat_at:
                run.beat_at = now.monotonic + run.beat_seconds
                effects.append(Say(owner, replace(self._alive(run), share=None, detail="")))
        return effects

    def next_beat(self) -> float | None:
        """Return when `tick` is wanted (monotonic), or None while nothing runs."""
        return min((run.beat_at for run in self._running.values()), default=None)

    # --- below ----------------------------------------------------------------------------------

    def _taken_over(self, owner: str, run: _Running, award: Award, now: Now) -> list[Effect]:
        """Let a run that is under way go on under a later fence."""
        if award.fence > run.fence:
            self.counts["taken-over"] += 1
            self._taken[run.agent] -= run.slot
            self._taken[award.to] += run.slot
            run.fence, run.agent = award.fence, award.to
        run.beat_at = now.monotonic + run.beat_seconds
        return [Say(owner, self._word("alive", award.task.id, run.fence, run.agent))]

    def _alive(self, run: _Running) -> Said:
        said = self._word("alive", run.task.id, run.fence, run.agent, detail=run.detail)
        return replace(said, share=run.share)

    def _word(
        self,
        what: Literal["alive", "done", "failed", "refused"],
        task_id: str,
        fence: int,
        agent: str,
        *,
        detail: str = "",
    ) -> Said:
        return Said(what, task_id, fence, agent, self._taken[agent], detail=line_of(detail))
