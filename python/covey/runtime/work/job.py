"""A task as the one who does it sees it, and as the one who wants it done."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from covey.fleet.work.task import NoCapableAgentError, Task, WorkError
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.runtime.work.desk import Desk


class TaskRefusedError(WorkError):
    """Raised by a handler: this agent will not do it, another may. It costs no try."""

    default_code = "refused"


class TaskImpossibleError(WorkError):
    """Raised by a handler: nobody need try this again."""

    default_code = "impossible"


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a task: the value, who did it (`nickname@nodeId`), after how many bad tries."""

    value: Any
    by: str
    task_id: str
    fence: int
    tries: int


class Job:
    """One task under way at an agent. `id` stays the same over all tries: effects should carry it."""

    def __init__(self, desk: Desk, owner: str, task: Task, agent: str) -> None:
        self._desk = desk
        self._task = task
        self.id = task.id
        self.capability = task.capability
        self.payload: Any = task.payload
        self.owner = owner
        """The peer whose task it is."""
        self.agent = agent
        """The address it was given to."""

    def progress(self, share: float | None = None, detail: str = "") -> None:
        """Tell the submitter how far it is: a share from 0 to 1, a line, or both."""
        self._desk.progress(self.owner, self.id, share, detail)

    async def delegate(self, capability: str, payload: Any = None, **options: Any) -> Done:
        """Have a part of it done by another agent, and wait: a task of its own, in the tree of this one.

        Options as for `Desk.submit`; its time is what is left of this one's at most.

        Raises:
            WorkError: `too_many_hops` where its submitter allows no further hand-on; else as `Handle.result`.
        """
        return await self._desk.delegate(self.owner, self._task, self.agent, capability, payload, **options)


Handler = Callable[[Job], Any]
"""Does a task; a coroutine function, or a plain one that runs on a thread. Returns a JSON value."""
Accepts = Callable[[Job], bool | str]
"""Says whether an agent will do a task: True, False, or why not."""


@dataclass(frozen=True, slots=True)
class AgentOffer:
    """What one agent of a desk does: handlers by capability, how many at once, and what it will not do."""

    handlers: Mapping[str, Handler]
    capacity: int
    accepts: Accepts | None
    hand_on: bool


class Handle:
    """One submitted task."""

    def __init__(self, desk: Desk, task_id: str) -> None:
        self._desk = desk
        self.id = task_id

    def view(self) -> dict[str, Any]:
        """Return where it stands: state, at whom, how far, and its story."""
        return self._desk.show(self.id)

    async def result(self) -> Done:
        """Wait for its end; a deadline always comes.

        Raises:
            NoCapableAgentError: Nobody could, or everybody refused.
            WorkError: `failed`, `expired` or `cancelled`; the message says why.
        """
        found = await self._desk.ended(self.id)
        if found["state"] == "done":
            return Done(found["value"], found["by"], self.id, found["fence"], found["tries"])
        message = f"task {found['capability']}: {found['state']}: {found['detail'] or 'no reason given'}"
        if found["state"] == "failed" and any(each["what"] == "no_capable_agent" for each in found["story"]):
            raise NoCapableAgentError(
                message, hint="covey capabilities shows who can do what; without --no-queue a task waits"
            )
        raise WorkError(
            message, code=found["state"], hint=f"covey trace … {self.id[:12]} shows what happened"
        )

    async def cancel(self, why: str = "not wanted any more") -> None:
        """End it without a result; its worker is told to stop. Over already: nothing happens."""
        await self._desk.cancel(self.id, why)

    async def news(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield its view now and after each change, up to its end; a slow reader misses steps between."""
        changed = asyncio.Event()
        end = self._desk.watch(lambda task_id: changed.set() if task_id == self.id else None)
        try:
            while True:
                view = self.view()
                yield view
                if view["state"] not in ("waiting", "leased"):
                    return
                await changed.wait()
                changed.clear()
        finally:
            end()


async def perform(handler: Handler, job: Job) -> Any:
    """Run a handler: on the loop where it is a coroutine function, else on a thread: nothing can end that."""
    if inspect.iscoroutinefunction(handler):
        return await handler(job)
    made = await asyncio.to_thread(handler, job)
    return await made if isinstance(made, Awaitable) else made
