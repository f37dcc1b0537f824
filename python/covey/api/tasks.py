"""Tasks from Python: have something done by whoever can, exactly once counted, and do what others want."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from covey import limits
from covey.fleet import arguments as args

if TYPE_CHECKING:
    from covey.fleet.work.choice import Strategy
    from covey.runtime.work.desk import Desk
    from covey.runtime.work.job import Accepts, Done, Handle, Handler


class Tasks:
    """The tasks of a peer's room."""

    def __init__(self, desk: Desk, name: str) -> None:
        self._desk = desk
        self._name = name

    async def submit(
        self,
        capability: str,
        payload: Any = None,
        *,
        key: str | None = None,
        within_seconds: float = limits.TASK_SECONDS,
        try_seconds: float | None = None,
        tries: int = limits.TASK_TRIES,
        choose: str | Strategy = "least-loaded",
        if_nobody: Literal["wait", "fail"] = "wait",
        hops: int = 0,
    ) -> Handle:
        """Have a task done by an agent that can; when this returns it is on the disk, and survives `kill -9`.

        Args:
            capability: What is needed, as `covey capabilities` shows it.
            payload: A JSON value for whoever does it, 128 KiB at most.
            key: The same key is the same task: submitted again it is found, and not done again.
            within_seconds: After that nobody wants the result; a day at most.
            try_seconds: The longest one try may take; half of the above where nothing is said.
            tries: How often it may end badly before it has failed.
            choose: least-loaded, power-of-two, round-robin, latency, own-first, or a function of its own.
            if_nobody: `wait` for somebody who can, or `fail` with `NoCapableAgentError`.
            hops: How often it may be handed on, also to agents this peer would not ask itself.

        Returns:
            The task: `.result()` waits, `.view()` looks, `.news()` follows, `.cancel()` ends it.

        Raises:
            UsageError: A value is past its bound.
            WorkError: Too many are open (`queue_full`), or the key names other work (`key_conflict`).
            StoreError: It could not be made durable, and so is not submitted.
        """
        args.one_of("task", "if_nobody", if_nobody, ("wait", "fail"))
        return await self._desk.submit(
            capability,
            payload,
            key=key,
            within_seconds=within_seconds,
            try_seconds=try_seconds,
            tries=tries,
            choose=choose,
            patience="queue" if if_nobody == "wait" else "capable",
            hops=hops,
        )

    async def do(self, capability: str, payload: Any = None, **options: Any) -> Done:
        """Submit a task and wait for what comes of it: `.value`, and `.by` whom. Options as for `submit`.

        Raises:
            NoCapableAgentError: Nobody can, or all who can refused.
            WorkError: It failed, was cancelled, or its time is over.
        """
        return await (await self.submit(capability, payload, **options)).result()

    def offer(
        self,
        handlers: Mapping[str, Handler],
        *,
        agent: str | None = None,
        capacity: int = 1,
        accepts: Accepts | None = None,
        hand_on: bool = False,
    ) -> Callable[[], None]:
        """Do tasks: whoever is trusted here may give them, one function for each capability.

        A function gets a `Job` (`.payload`, `.id`, `.progress(0.5, "half")`, `.delegate(…)`) and returns a
        JSON value. It may run again after it has begun elsewhere: effects should carry `job.id`.

        Args:
            handlers: By capability a coroutine function, or a plain one, which runs on a thread.
            agent: Whose offer it is; the peer's own name where nothing is said. Again replaces what it said.
            capacity: How many at once.
            accepts: Asked before each; False, or why not, sends it to the next agent.
            hand_on: Hand tasks on while this agent is full, where their submitters allow it.

        Returns:
            What withdraws it.

        Raises:
            UsageError: A name, a word or the capacity cannot be.
        """
        return self._desk.hands.offer(
            agent or self._name, handlers, capacity=capacity, accepts=accepts, hand_on=hand_on
        )

    def list(self) -> Sequence[Mapping[str, Any]]:
        """Return every task submitted here that is kept, oldest first."""
        return self._desk.listed()

    def show(self, task_id: str) -> Mapping[str, Any]:
        """Return everything known of one task, its story and what it came to.

        Raises:
            WorkError: There is none of that id here.
        """
        return self._desk.show(task_id)

    def counters(self) -> Mapping[str, int]:
        """Return how many stand where, and what was refused, lost, fenced off and retried so far."""
        return self._desk.counters()
