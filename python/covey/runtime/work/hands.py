"""What agents of one peer do: they take leases, run, say how far they are and how it ended.

Rules: on the loop's thread. A run that nobody wants any more is cancelled, and says nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.errors import CoveyError, UsageError
from covey.fleet import arguments as args
from covey.fleet.work import worker as done
from covey.fleet.work.task import Award, Revoked, TaskError, WorkError, text_of
from covey.fleet.work.worker import Worker
from covey.runtime.work.job import (
    Accepts,
    AgentOffer,
    Handler,
    Job,
    TaskImpossibleError,
    TaskRefusedError,
    perform,
)

if TYPE_CHECKING:
    from covey.proto.effects import Now
    from covey.runtime.work.desk import Desk
    from covey.runtime.work.port import Room
    from covey.runtime.work.post import Post

Say = Callable[..., None]
FORWARD: Final = "tasks"
"""Whom a lease names that is to be handed on, whoever does it then."""


class Hands:
    """The agents of one desk, and their runs.

    Args:
        desk: Hands tasks on.
        room: Hears what agents here can do, and how busy they are.
        post: Carries their words.
        now: Returns both clocks.
        say: Writes a line of the log.
        wake: Called when there is something to look after.
    """

    def __init__(
        self,
        desk: Desk,
        room: Room,
        post: Post,
        *,
        now: Callable[[], Now],
        say: Say,
        wake: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._room = room
        self._post = post
        self._now = now
        self._say = say
        self._wake = wake
        self.worker = Worker()
        self._offers: dict[str, AgentOffer] = {}
        self._runs: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._handing: set[tuple[str, str]] = set()

    async def stop(self) -> None:
        """End every run; whoever wanted it hears that this agent stops, and asks another."""
        for agent in list(self._offers):
            self.withdraw(agent)
        runs = dict(self._runs)
        for owner, task in runs:
            self.does(self.worker.finished(owner, task, "refused", detail="its agent stops"))
        for run in runs.values():
            run.cancel()
        await asyncio.gather(*runs.values(), return_exceptions=True)

    def offer(
        self,
        agent: str,
        handlers: Mapping[str, Handler],
        *,
        capacity: int = 1,
        accepts: Accepts | None = None,
        hand_on: bool = False,
    ) -> Callable[[], None]:
        """Have an agent do tasks: by capability a function that gets a `Job` and returns a JSON value.

        Args:
            agent: Its nickname.
            handlers: What it can do. A plain function runs on a thread, which nothing can end.
            capacity: How many at once.
            accepts: Asked before each; False or a reason refuses it, and another agent is asked.
            hand_on: Hand tasks on to others while it is full, where their submitters allow that.

        Returns:
            What withdraws it.

        Raises:
            UsageError: A name, a word or the capacity cannot be.
        """
        args.whole("offer", "capacity", capacity, 1, limits.TASK_CAPACITY_MOST)
        if agent == FORWARD or not isinstance(handlers, Mapping) or not handlers:
            raise UsageError(
                f"offer {str(agent)[:64]}: expected a name other than {FORWARD}, and at least one capability "
                "with its function",
                hint='write tasks.offer({"translate": translate})',
            )
        for word, handler in handlers.items():
            args.function("offer", args.capability("offer", word), handler)
        args.function("offer", "accepts", accepts, optional=True)
        self._room.announce(agent, tuple(handlers), capacity)
        self._offers[agent] = AgentOffer(dict(handlers), capacity, accepts, hand_on)
        self.worker.offer(self._address(agent), capacity)
        self._wake()
        return lambda: self.withdraw(agent)

    def withdraw(self, agent: str) -> None:
        """Take no further task for an agent; what runs is finished."""
        if self._offers.pop(agent, None) is not None:
            self.worker.offer(self._address(agent), 0)
            self._room.withdraw(agent)

    def progressed(self, owner: str, task: str, share: float | None, detail: str) -> None:
        """Tell a submitter how far a run is."""
        self.does(self.worker.progress(owner, task, share, detail, self._now()))

    def tick(self) -> None:
        """Say of every run that it is alive, when its time has come."""
        self.does(self.worker.tick(self._now()))

    def revoked(self, origin: str, revoked: Revoked) -> None:
        """Stop a run whose fence is void."""
        self.does(self.worker.revoked(origin, revoked))

    # --- what comes -----------------------------------------------------------------------------

    def awarded(self, origin: str, award: Award) -> None:
        """Take a lease, or say why not."""
        agent, _, node_id = award.to.rpartition("@")
        if node_id != self._room.node_id:  # another peer of this name
            self.worker.counts["not-for-us"] += 1
            return
        key = (origin, award.task.id)
        refuses, hands_on = "", False
        if not self.worker.knows(*key):
            refuses, hands_on = self._judged(origin, award, agent)
        effects = self.worker.awarded(origin, award, self._now(), refuses=refuses, slot=not hands_on)
        if hands_on:
            self._handing.add(key)
        self.does(effects)

    def _judged(self, origin: str, award: Award, agent: str) -> tuple[str, bool]:
        """Return why an agent will not do a task, or "", and whether it is to be handed on."""
        offer, can_hand_on = self._offers.get(agent), award.task.hops > 0
        if agent == FORWARD:
            return ("" if can_hand_on else "no hand-on is left"), can_hand_on
        if offer is None or award.task.capability not in offer.handlers:
            return "not offered here", False
        if not self.worker.has_room(award.to):
            hands_on = offer.hand_on and can_hand_on
            return ("" if hands_on else "busy"), hands_on
        if offer.accepts is None:
            return "", False
        try:
            verdict = offer.accepts(Job(self._desk, origin, award.task, award.to))
        except Exception as error:  # contained: an agent that cannot say whether it will, will not
            self._say("error", "task-accepts-failed", agent=agent, error=repr(error))
            return f"could not say: {type(error).__name__}", False
        return (verdict if isinstance(verdict, str) else "" if verdict else "will not"), False

    def does(self, effects: Sequence[done.Effect]) -> None:
        """Do what the engine wants."""
        for effect in effects:
            match effect:
                case done.Run():
                    self._begin(effect)
                case done.Stop():
                    self._say("info", "task-stopped", task=effect.task_id, reason=effect.why)
                    run = self._runs.pop((effect.owner, effect.task_id), None)
                    if run is not None:
                        run.cancel()
                case done.Say():
                    self._post.say(effect.owner, effect.said)
                case done.Busy():
                    agent = effect.agent.rpartition("@")[0]
                    if agent in self._offers:
                        self._room.busy(agent, effect.running)
        self._wake()

    def _begin(self, run: done.Run) -> None:
        key, loop = (run.owner, run.task.id), asyncio.get_running_loop()
        hands_on = key in self._handing
        self._handing.discard(key)
        task = self._runs[key] = loop.create_task(self._run(run, hands_on=hands_on))
        task.add_done_callback(lambda ended: self._ended(key, ended))

    def _ended(self, key: tuple[str, str], run: asyncio.Task[None]) -> None:
        if self._runs.get(key) is run:
            del self._runs[key]

    async def _run(self, run: done.Run, *, hands_on: bool) -> None:
        """Let an agent do a task, and say how it ended. Cancelled, it says nothing: nobody wants to know."""
        job = Job(self._desk, run.owner, run.task, run.agent)
        finished = self.worker.finished
        try:
            async with asyncio.timeout(run.seconds):
                if hands_on:
                    sub = await self._desk.delegate(
                        run.owner, run.task, run.agent, run.task.capability, run.task.payload, patience="free"
                    )
                    effects = finished(run.owner, run.task.id, "done", value=sub.value, by=sub.by)
                else:
                    agent = self._offers[run.agent.rpartition("@")[0]]
                    value = await perform(agent.handlers[run.task.capability], job)
                    text_of(value)
                    effects = finished(run.owner, run.task.id, "done", value=value)
        except TaskRefusedError as error:
            effects = finished(run.owner, run.task.id, "refused", detail=error.message)
        except Exception as error:  # contained: the submitter hears what went wrong, and tries again
            effects = self._failed(run, error, hands_on=hands_on)
        self.does(effects)

    def _failed(self, run: done.Run, error: Exception, *, hands_on: bool) -> list[done.Effect]:
        said = error.message if isinstance(error, CoveyError) else f"{type(error).__name__}: {error}"
        said = f"not over within {run.seconds:g} s" if isinstance(error, TimeoutError) else said
        if hands_on and isinstance(error, WorkError):
            return self.worker.finished(run.owner, run.task.id, "refused", detail=said)
        self._say("warn", "task-run-failed", task=run.task.id, agent=run.agent, error=said)
        final = isinstance(error, TaskImpossibleError | TaskError)
        return self.worker.finished(run.owner, run.task.id, "failed", detail=said, final=final)

    def _address(self, agent: str) -> str:
        return f"{agent}@{self._room.node_id}"
