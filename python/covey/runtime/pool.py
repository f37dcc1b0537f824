"""A pool of agents on one bus: turns with a real time limit, rounds of many at once, export, shutdown.

Rules: on the loop's thread. A turn that fails or is late is a result that says so, never an exception. A
coroutine is cancelled when its time is up; a plain function runs on a thread that nobody can stop, so its
agent is busy until it returns, and what it then says counts for nothing.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import field
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.errors import UsageError
from covey.fleet import arguments as args
from covey.fleet.message import EVERYBODY, Message, MessageError
from covey.fleet.notebook import Draft
from covey.fleet.pooled import Action, PooledAgent, Turn, TurnResult
from covey.fleet.topics import TopicError
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.ports import Clock
    from covey.runtime.bus.local import Logger
    from covey.runtime.bus.port import Bus, Cancel


class UnknownAgentError(UsageError, KeyError):
    """There is no agent of that name in the pool."""

    __str__ = UsageError.__str__


@dataclass(frozen=True, slots=True)
class _Work:
    """A turn under way; `stops` says whether cancelling it ends it."""

    ended: asyncio.Future[Any]
    stops: bool


@dataclass(slots=True)
class _Place:
    """One agent's place in the pool."""

    agent: PooledAgent
    end: Cancel
    waiting: deque[Message] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    running: _Work | None = None
    failures: int = 0


class AgentPool:
    """Agents that live on one bus, in one process or over the mesh. Make it where its loop runs.

    Args:
        bus: Carries their messages.
        clock: How long a turn took.
        workers: Turns at once.
        turn_seconds: The most a turn may take, where a caller says nothing else.
        log: Called with level, event word and facts; None keeps silent.
    """

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        *,
        workers: int = limits.POOL_WORKERS,
        turn_seconds: float = limits.POOL_TURN_SECONDS,
        log: Logger | None = None,
    ) -> None:
        if workers < 1:
            raise UsageError("pool: expected at least one worker")
        _bounded(turn_seconds)
        self._bus = bus
        self._clock = clock
        self._turn_seconds = turn_seconds
        self._log = log
        self._places: dict[str, _Place] = {}
        self._slots = asyncio.Semaphore(workers)
        self.counts: Counter[str] = Counter()
        """Turns by how they ended; messages and percepts that reached nobody."""

    # --- who is in it ---------------------------------------------------------------------------

    def add(self, agent: PooledAgent) -> None:
        """Let an agent in: it hears what is sent to its nickname from now on.

        Raises:
            UsageError: There is one of that name, or the pool is full.
            MessageError: The bus has no room for another nickname.
        """
        if agent.id in self._places:
            raise UsageError(f"agent: {agent.id} is in the pool already")
        if len(self._places) >= limits.POOL_AGENTS:
            raise UsageError(f"pool: it holds {limits.POOL_AGENTS} agents, which is the most")

        async def hear(message: Message) -> None:
            self._hear(agent.id, message)

        self._places[agent.id] = _Place(agent, self._bus.register(agent.id, hear))

    def remove(self, agent_id: str) -> PooledAgent:
        """Let an agent go: it hears nothing more, a turn under way is given up.

        Raises:
            UnknownAgentError: It is not in the pool.
        """
        place = self._place(agent_id)
        del self._places[agent_id]
        place.end()
        if place.running is not None and place.running.stops:
            place.running.ended.cancel()
        place.news.set()
        return place.agent

    def get_agent(self, agent_id: str) -> PooledAgent:
        """Return an agent.

        Raises:
            UnknownAgentError: It is not in the pool; a KeyError too.
        """
        return self._place(agent_id).agent

    @property
    def agent_ids(self) -> list[str]:
        """Return the names of all agents, sorted."""
        return sorted(self._places)

    @property
    def size(self) -> int:
        """Return how many agents there are."""
        return len(self._places)

    def export_memories(self) -> dict[str, dict[str, Any]]:
        """Return everybody's notes, as values that nobody else holds."""
        return {agent_id: self._places[agent_id].agent.memory.export() for agent_id in self.agent_ids}

    # --- turns ----------------------------------------------------------------------------------

    async def run_turn(
        self, agent_id: str, percept: Any = None, *, timeout_seconds: float | None = None
    ) -> TurnResult:
        """Let one agent take a turn; what goes wrong stands in the result.

        Args:
            agent_id: Whose turn it is.
            percept: What the agent is given; any value.
            timeout_seconds: The most it may take, waiting for a worker not counted.

        Raises:
            UsageError: The time is none: not more than 0, or more than a day.
        """
        if timeout_seconds is not None:
            _bounded(timeout_seconds)
        place = self._places.get(agent_id)
        if place is None:
            return self._ended(TurnResult(agent_id, error="no such agent in the pool"))
        async with self._slots:
            if place.running is not None:
                return self._ended(TurnResult(agent_id, error="busy: its last turn has not returned"))
            seconds = self._turn_seconds if timeout_seconds is None else timeout_seconds
            return self._ended(await self._turn(place, percept, seconds))

    async def run_round(
        self,
        percepts: Mapping[str, Any],
        *,
        concurrent: bool = True,
        timeout_seconds: float | None = None,
    ) -> dict[str, TurnResult]:
        """Let several agents take a turn, at once or one after another; who is not in the pool is skipped."""
        known = [each for each in percepts if each in self._places]
        self.counts["percepts-of-nobody"] += len(percepts) - len(known)
        if concurrent:
            turns = [self.run_turn(e, percepts[e], timeout_seconds=timeout_seconds) for e in known]
            return dict(zip(known, await asyncio.gather(*turns), strict=True))
        found = {}
        for each in known:
            found[each] = await self.run_turn(each, percepts[each], timeout_seconds=timeout_seconds)
        return found

    async def broadcast_percept(
        self, percept: Any, *, timeout_seconds: float | None = None
    ) -> dict[str, TurnResult]:
        """Let every agent take a turn with the same percept."""
        return await self.run_round(dict.fromkeys(self.agent_ids, percept), timeout_seconds=timeout_seconds)

    @asynccontextmanager
    async def attending(self) -> AsyncIterator[None]:
        """Let every agent that is in the pool now take a turn whenever a message has come for it."""
        tasks = [asyncio.ensure_future(self._attend(place)) for place in self._places.values()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def shutdown(self) -> None:
        """Let every agent go; what fails on the way stops nothing. Harmless a second time."""
        running = [each.running for each in self._places.values() if each.running is not None]
        ending = [each.ended for each in running if each.stops]
        for agent_id in self.agent_ids:
            try:
                self.remove(agent_id)
            except Exception as error:  # contained: the others are let go all the same
                self._say("error", "pool-agent-not-let-go", agent=agent_id, error=repr(error))
        if ending:
            await asyncio.wait(ending, timeout=limits.POOL_LEAVE_SECONDS)

    # --- below ----------------------------------------------------------------------------------

    def _place(self, agent_id: str) -> _Place:
        place = self._places.get(agent_id)
        if place is None:
            raise UnknownAgentError(f"agent: {agent_id} is not in the pool", hint="see agent_ids")
        return place

    def _hear(self, agent_id: str, message: Message) -> None:
        place = self._places.get(agent_id)
        if place is None:
            return
        place.waiting.append(message)
        if len(place.waiting) > limits.POOL_INBOX:
            lost = place.waiting.popleft()
            self.counts["messages-dropped"] += 1
            self._say("warn", "pool-message-dropped", agent=agent_id, id=lost.id, waiting=limits.POOL_INBOX)
        place.news.set()

    async def _attend(self, place: _Place) -> None:
        while self._places.get(place.agent.id) is place:
            await place.news.wait()
            place.news.clear()
            if place.running is not None:
                await asyncio.wait([place.running.ended])
            while place.waiting and self._places.get(place.agent.id) is place:
                result = await self.run_turn(place.agent.id)
                if place.running is not None:  # a function that nobody can stop: its agent is busy
                    await asyncio.wait([place.running.ended])
                elif result.error.startswith("busy"):
                    break

    async def _turn(self, place: _Place, percept: Any, seconds: float) -> TurnResult:
        """Run one turn to its end, or to the end of its time."""
        agent, began = place.agent, self._clock.monotonic()
        turn = Turn(agent.id, percept, tuple(place.waiting), Draft(agent.memory))
        work = place.running = _started(agent, turn)
        work.ended.add_done_callback(lambda ended: _free(place, ended))
        in_time = await self._wait(work, turn, seconds)
        turn.over = True
        took = round((self._clock.monotonic() - began) * 1000)
        if not in_time:
            self._failed(place, turn)
            return TurnResult(
                agent.id, timed_out=True, error=f"no end within {seconds:g} s", duration_ms=took
            )
        ended = work.ended
        error = asyncio.CancelledError("it was let go") if ended.cancelled() else ended.exception()
        if error is not None:
            self._failed(place, turn)
            return TurnResult(agent.id, error=f"{type(error).__name__}: {error}", duration_ms=took)
        for message in turn.messages:
            if message in place.waiting:
                place.waiting.remove(message)
        place.failures = 0
        agent.memory.commit(turn.memory.changes)
        unsent = [why for each in turn.actions if (why := self._act(agent, each))]
        return TurnResult(
            agent.id, ended.result(), tuple(turn.actions), error="; ".join(unsent), duration_ms=took
        )

    async def _wait(self, work: _Work, turn: Turn, seconds: float) -> bool:
        """Wait for the end of a turn; False where its time is up. A cancelled wait cancels the turn."""
        try:
            done, _ = await asyncio.wait([work.ended], timeout=seconds)
        except asyncio.CancelledError:
            turn.over = True
            if work.stops:
                work.ended.cancel()
            raise
        if not done and work.stops:
            turn.over = True
            work.ended.cancel()
            await asyncio.wait([work.ended], timeout=limits.POOL_LEAVE_SECONDS)
        return bool(done)

    def _failed(self, place: _Place, turn: Turn) -> None:
        """Hand a failed turn's messages out again, so often and no more."""
        place.failures += 1
        if place.failures < limits.POOL_TRIES or not turn.messages:
            return
        for message in turn.messages:
            if message in place.waiting:
                place.waiting.remove(message)
        place.failures = 0
        self.counts["messages-given-up"] += len(turn.messages)
        self._say("warn", "pool-messages-given-up", agent=turn.agent_id, count=len(turn.messages))

    def _act(self, agent: PooledAgent, action: Action) -> str:
        """Send what a turn said; return why it could not be, or ""."""
        to = EVERYBODY if action.topic else action.recipient
        try:
            message = self._bus.make(agent.id, to, action.kind, action.payload, answers=action.answers)
            if action.topic:
                self._bus.publish(action.topic, message, proof=action.proof)
            else:
                self._bus.send(message, proof=action.proof)
        except (MessageError, TopicError) as error:
            return f"not sent: {error}"
        return ""

    def _ended(self, result: TurnResult) -> TurnResult:
        word = "timed-out" if result.timed_out else "failed" if result.error else "well"
        self.counts[f"turns-{word}"] += 1
        if not result.well:
            self._say("warn", "pool-turn-failed", agent=result.agent_id, error=result.error)
        return result

    def _say(self, level: str, event: str, **facts: Any) -> None:
        if self._log is not None:
            self._log(level, event, facts)


def _free(place: _Place, ended: asyncio.Future[Any]) -> None:
    """Let an agent's next turn begin."""
    if not ended.cancelled():
        ended.exception()  # looked at, whoever waited for it: a late one is nobody's news
    place.running = None
    place.news.set()


def _started(agent: PooledAgent, turn: Turn) -> _Work:
    """Begin a turn: a coroutine on this loop, a plain function on a thread of its own."""
    take = agent.take_turn
    if inspect.iscoroutinefunction(take) or inspect.iscoroutinefunction(getattr(take, "__call__", None)):  # noqa: B004  # asked whether it is a coroutine, not whether it can be called
        return _Work(asyncio.ensure_future(take(turn)), stops=True)
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Any] = loop.create_future()

    def end(found: Any, error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(found)
        else:
            ended.set_exception(error)

    def run() -> None:
        found, failed = None, None
        try:
            found = take(turn)
        except Exception as error:  # handed on: the turn's result says it
            failed = error
        try:
            loop.call_soon_threadsafe(end, found, failed)
        except RuntimeError:  # the loop is closed: nobody is left to tell
            return

    # a daemon: a function that never returns must not keep the program from ending
    threading.Thread(target=run, name=f"turn-{agent.id}", daemon=True).start()
    return _Work(ended, stops=False)


def _bounded(seconds: float) -> None:
    most, usual = limits.POOL_TURN_SECONDS_MOST, limits.POOL_TURN_SECONDS
    args.seconds("pool", "seconds for a turn", seconds, most, usual=usual)
