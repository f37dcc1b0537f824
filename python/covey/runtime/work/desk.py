"""A desk: one peer's tasks, those it wants done and those its agents do, over any bus.

Rules: on the loop's thread. Both engines decide, this performs: messages, runs, rows, time. A result is told
to whoever waits once it is durable.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, get_args

from covey import limits
from covey.errors import StoreError, UsageError
from covey.fleet import arguments as args
from covey.fleet.message import Message
from covey.fleet.work import owner as wanted
from covey.fleet.work.choice import Strategy
from covey.fleet.work.owner import Owner
from covey.fleet.work.task import Award, Patience, Revoked, Said, Task, TaskError, WorkError, task_id
from covey.ports import Clock, Entropy
from covey.proto.effects import Now
from covey.proto.link import Lane
from covey.runtime.bus.port import Bus, Cancel
from covey.runtime.bus.values import Fate
from covey.runtime.work.flow import Flow
from covey.runtime.work.hands import FORWARD, Hands
from covey.runtime.work.job import Done, Handle
from covey.runtime.work.port import Keeper, Room
from covey.runtime.work.post import Post

Logger = Callable[[str, str, Mapping[str, Any]], None]
_STOP_SECONDS: Final = 5.0


class Desk:
    """Tasks of one peer.

    Args:
        bus: Carries what is said of them.
        room: Who can do what.
        keeper: Where they survive.
        clock: Deadlines by the wall, leases by the monotonic clock.
        entropy: Keys of tasks that have none, jitter, and what strategies leave to chance.
        log: Called with level, event word and facts; None keeps silent.
        lease_seconds: How long a worker may be silent.
    """

    def __init__(
        self,
        bus: Bus,
        room: Room,
        keeper: Keeper,
        *,
        clock: Clock,
        entropy: Entropy,
        log: Logger | None = None,
        lease_seconds: float = limits.TASK_LEASE_SECONDS,
    ) -> None:
        self.room = room
        self._bus = bus
        self._keeper = keeper
        self._clock = clock
        self._entropy = entropy
        self._log = log
        self._owner = Owner(self._random, lease_seconds)
        self._post = Post(bus, room)
        self._wake = asyncio.Event()
        self.hands = Hands(self, room, self._post, now=self._now, say=self._say, wake=self._look_soon)
        self._flow = Flow(keeper, self._perform, lambda why: self._say("error", "tasks-not-kept", reason=why))
        self._causes: dict[str, Message] = {}
        self._sent: OrderedDict[str, tuple[str, int]] = OrderedDict()
        """By message of a lease: its task and fence."""
        self._waiters: dict[str, list[asyncio.Future[None]]] = {}
        self._watchers: list[Callable[[str], None]] = []
        self._counts: Counter[str] = Counter()
        self._lines = Lane(limits.BUS_LOGGED_PER_SECOND, limits.BUS_LOGGED_BURST)
        self._looking = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ends: list[Cancel] = []
        self._tending: asyncio.Task[None] | None = None

    # --- life -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Go on with what survived, and listen.

        Raises:
            StoreError: What survived cannot be read.
        """
        self.begin(await self._keeper.load())
        self._ends.append(
            self._bus.register(self.room.nickname, self.hear, capacity=limits.BUS_OUTGOING, policy="block")
        )

    def begin(self, rows: Sequence[bytes]) -> None:
        """Go on with what survived; what comes to the nickname is brought by whoever listens: see `hear`."""
        self._loop = asyncio.get_running_loop()
        bad = self._owner.restore(rows, self._now())
        if bad:
            self._counts["unreadable-rows"] += bad
            self._say("warn", "tasks-unreadable", rows=bad)
        for entry in list(self._owner.entries.values()):
            if entry.open and entry.task.visited:  # the run that wanted it ended with its process
                self._flow.do(self._owner.cancel(entry.task.id, "whoever handed it on is gone", self._now()))
        self._ends = [self._bus.watch(self._fate)]
        self._tending = self._loop.create_task(self._tend())
        self._look_soon()

    async def stop(self) -> None:
        """End the runs of agents here, keep what is under way, listen no more."""
        await self.hands.stop()
        if self._tending is not None:
            self._tending.cancel()
        await self._flow.stop(_STOP_SECONDS)
        for end in self._ends:
            end()
        for waiters in self._waiters.values():
            for each in waiters:
                each.cancel()
        self._loop = None

    def progress(self, owner: str, task: str, share: float | None, detail: str) -> None:
        """Tell a submitter how far a run of an agent here is; may be called from any thread.

        Raises:
            UsageError: The share is none.
        """
        if share is not None:
            args.share("progress", "share", share)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.hands.progressed, owner, task, share, detail)

    # --- what is wanted -------------------------------------------------------------------------

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
        patience: Patience = "queue",
        hops: int = 0,
    ) -> Handle:
        """Have something done by one agent that can; when this returns, it survives this process.

        Args:
            capability: What is needed.
            payload: A JSON value for whoever does it.
            key: The same key is the same task: submitted again it is found, not done again.
            within_seconds: After that nobody wants the result; a day at most.
            try_seconds: The longest one try may take; half of the above where nothing is said.
            tries: How often it may end badly.
            choose: Among those that can: least-loaded, power-of-two, round-robin, latency, own-first, or a
                function (`fleet.work.choice.Strategy`).
            patience: `queue` waits for a worker; `capable` not where nobody can; `free` not where nobody is
                free now.
            hops: How often it may be handed on to agents that this peer cannot ask itself; those who hand it
                on see it.

        Raises:
            UsageError: A value is past its bound.
            WorkError: `queue_full`, or `key_conflict`.
            StoreError: It could not be made durable, and so is not submitted.
        """
        task = self._task(capability, payload, key, within_seconds, try_seconds, tries, hops)
        return await self._submit(task, choose, patience, None)

    async def delegate(
        self, owner: str, parent: Task, agent: str, capability: str, payload: Any, **options: Any
    ) -> Done:
        """Have a task done on behalf of one that came here; see `Job.delegate`."""
        if parent.hops < 1:
            raise WorkError(
                "no hand-on is left: its submitter allows no more",
                code="too_many_hops",
                hint="submit with hops=",
            )
        left = self._post.left(owner, parent.id)
        patience, choose = options.pop("patience", "queue"), options.pop("choose", "least-loaded")
        most = limits.TASK_SECONDS_MOST
        within = args.seconds("delegate", "within_seconds", options.pop("within_seconds", left), most)
        sub = self._task(
            capability,
            payload,
            options.pop("key", None),
            min(within, left),
            options.pop("try_seconds", None),
            options.pop("tries", limits.TASK_TRIES),
            parent.hops - 1,
            visited=(*parent.visited, f"{FORWARD}@{owner}", agent, self._address(FORWARD)),
            trace=parent.trace or parent.id,
        )
        if options:
            raise UsageError(f"delegate: unknown option {sorted(options)[0]}")
        handle = await self._submit(sub, choose, patience, self._post.cause(owner, parent.id))
        try:
            return await handle.result()
        finally:
            await handle.cancel("whoever handed it on stopped")

    async def cancel(self, task: str, why: str) -> None:
        """End a task without a result."""
        self._flow.do(self._owner.cancel(task, why, self._now()))
        await self._flow.done()

    def show(self, task: str) -> dict[str, Any]:
        """Return everything that is known of a task.

        Raises:
            WorkError: There is none of that id here.
        """
        entry = self._owner.entries.get(task)
        if entry is None:
            raise WorkError(f"no task {task[:64]} here", code="unknown", hint="covey task list shows them")
        return entry.whole()

    def listed(self) -> list[dict[str, Any]]:
        """Return every task of this peer that is kept, oldest first."""
        return [entry.view() for entry in self._owner.entries.values()]

    async def ended(self, task: str) -> dict[str, Any]:
        """Wait for a task's end, and return everything that is known of it.

        Raises:
            WorkError: There is none of that id here, or it was forgotten meanwhile.
        """
        while self.show(task)["state"] in ("waiting", "leased"):
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.setdefault(task, []).append(waiter)
            await waiter
        await self._flow.done()  # what is told is durable
        return self.show(task)

    def watch(self, listener: Callable[[str], None]) -> Cancel:
        """Call `listener` with the id of each task that has changed; return what ends it."""
        self._watchers.append(listener)
        return lambda: self._watchers.remove(listener) if listener in self._watchers else None

    def counters(self) -> dict[str, int]:
        """Return how many tasks stand where, and what happened so far, at both ends."""
        own = {f"task.{name}": count for name, count in self._owner.status().items()}
        runs = {f"task.run.{name}": count for name, count in self.hands.worker.counts.items()}
        return {**own, **runs, **{f"task.{name}": count for name, count in self._counts.items()}}

    # --- below: submitting ----------------------------------------------------------------------

    def _task(
        self,
        capability: str,
        payload: Any,
        key: str | None,
        within_seconds: float,
        try_seconds: float | None,
        tries: int,
        hops: int,
        *,
        visited: tuple[str, ...] = (),
        trace: str = "",
    ) -> Task:
        most = limits.TASK_SECONDS_MOST
        within_seconds = args.seconds(
            "task", "within_seconds", within_seconds, most, usual=limits.TASK_SECONDS
        )
        if try_seconds is not None:
            try_seconds = args.seconds("task", "try_seconds", try_seconds, most, usual=within_seconds / 2)
        args.capability("task", capability)
        if key is not None:
            args.text("task", "key", key, limits.TASK_KEY_CHARS)
        args.whole("task", "tries", tries, 1, limits.TASK_TRIES_MOST)
        args.whole("task", "hops", hops, 0, limits.TASK_HOPS)
        chosen = self._entropy.bytes(16).hex() if key is None else key
        return Task(
            task_id(self.room.node_id, chosen),
            chosen,
            capability,
            payload,
            self._clock.now_ms() + int(within_seconds * 1_000),
            within_seconds / 2 if try_seconds is None else try_seconds,
            tries,
            hops,
            visited,
            trace,
        )

    async def _submit(
        self, task: Task, choose: str | Strategy, patience: Patience, cause: Message | None
    ) -> Handle:
        if self._loop is None:
            raise UsageError("tasks: this desk is not open")
        args.one_of("task", "patience", patience, get_args(Patience))
        if self._flow.full:
            raise WorkError(
                "the disk is behind: too many changes wait", code="queue_full", hint="try again soon"
            )
        if not isinstance(choose, str):
            args.function("task", "choose", choose)
            self._owner.strategies[f"own-{task.id}"], choose = choose, f"own-{task.id}"
        entry, effects = self._owner.submit(task, self._now(), choose=choose, patience=patience)
        if cause is not None:
            self._causes[task.id] = cause
        self._flow.do(effects)
        try:
            async with asyncio.timeout(limits.STATE_ANSWER_SECONDS):
                await self._flow.done()
        except TimeoutError as error:
            self._owner.drop(task.id)
            self._flow.do([wanted.Forget(task.id)])
            raise StoreError(
                "task: the store does not answer; it is not submitted", code="tasks_not_kept"
            ) from error
        self._look_soon()
        return Handle(self, entry.task.id)

    # --- below: time and looks ------------------------------------------------------------------

    async def _tend(self) -> None:
        """Look around while anything is under way."""
        while True:
            if not (self._owner.busy or self.hands.worker.busy):
                self._wake.clear()
                await self._wake.wait()
            self.hands.tick()
            for node_id in self._owner.held_nodes:
                if self.room.gone(node_id):
                    self._flow.do(self._owner.gone(node_id, self._now()))
            self._look()
            await asyncio.sleep(limits.TASK_LOOK_SECONDS)

    def _look_soon(self) -> None:
        if not self._looking and self._loop is not None:
            self._looking = True
            self._wake.set()
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._looking = False
        if self._owner.busy and self._loop is not None:
            self._flow.do(self._owner.look(self.room.candidates(), self._now()))

    def _now(self) -> Now:
        return Now(self._clock.now_ms(), self._clock.monotonic())

    def _random(self) -> float:
        return int.from_bytes(self._entropy.bytes(6)) / 2**48

    # --- below: what is heard -------------------------------------------------------------------

    async def hear(self, message: Message) -> None:
        """Take what came to the nickname: a lease, its end, or a worker's word."""
        try:
            origin, said = self._post.read(message)
        except TaskError as error:
            self._counts["unreadable"] += 1
            self._say("warn", "task-unreadable", id=message.id, sender=message.sender, reason=str(error))
            return
        match said:
            case Award():
                self.hands.awarded(origin, said)
            case Revoked():
                self.hands.revoked(origin, said)
            case Said():
                self._told(origin, said, message)

    def _told(self, origin: str, said: Said, message: Message) -> None:
        """Take a worker's word; over the mesh a result counts only with the signature that proves it."""
        proof = self.room.proof(message) if said.what in ("done", "failed") else ""
        if said.what in ("done", "failed") and not proof and self.room.must_prove(origin):
            self._counts["unsigned"] += 1
            self._say("warn", "task-unsigned", id=message.id, sender=message.sender, task=said.task_id)
            return
        _, effects = self._owner.heard(said, origin, proof, self._now())
        self._flow.do(effects)
        if said.what != "alive":
            self._look_soon()

    # --- below: what the submitter's engine wants -----------------------------------------------

    def _perform(self, effect: wanted.Effect) -> None:
        match effect:
            case wanted.Grant():
                self._grant(effect)
            case wanted.Revoke():
                self._post.revoke(effect)
            case wanted.Changed():
                self._changed(effect.task_id)
            case wanted.Note():
                self._note(effect)

    def _grant(self, grant: wanted.Grant) -> None:
        task, fence = grant.award.task.id, grant.award.fence
        message_id, reached = self._post.grant(grant, self._causes.get(task))
        self._sent[message_id] = (task, fence)
        if len(self._sent) > limits.TASKS_OPEN:
            self._sent.popitem(last=False)
        if not reached:
            self._flow.do(self._owner.undelivered(task, fence, "nobody answers there", self._now()))

    def _fate(self, fate: Fate) -> None:
        found = self._sent.get(fate.message_id)
        if found is not None and fate.lost:
            why = f"{fate.state} {fate.reason}".strip()
            self._flow.do(self._owner.undelivered(*found, why, self._now()))

    def _changed(self, task: str) -> None:
        for waiter in self._waiters.pop(task, []):
            if not waiter.done():
                waiter.set_result(None)
        entry = self._owner.entries.get(task)
        if entry is None or not entry.open:
            self._causes.pop(task, None)
            self._owner.strategies.pop(f"own-{task}", None)
        for watcher in list(self._watchers):
            try:
                watcher(task)
            except Exception as error:  # a watcher's fault must not stop the desk
                self._say("error", "task-watcher-failed", error=repr(error))

    def _note(self, note: wanted.Note) -> None:
        """Leave a line under which the leases of a task hang in its trace."""
        entry = self._owner.entries.get(note.task_id)
        cause = self._causes.get(note.task_id)
        about = {
            "trace": (entry.task.trace if entry is not None else "") or note.task_id,
            "id": note.task_id,
            "re": "" if cause is None else cause.id,
            "type": "TASK",
            "sender": self.room.nickname,
            "recipient": "" if entry is None else entry.task.capability,
        }
        self._say(note.level, note.event, **about, **note.facts)

    def _address(self, agent: str) -> str:
        return f"{agent}@{self.room.node_id}"

    def _say(self, level: str, event: str, **facts: Any) -> None:
        if self._log is None:
            return
        self._lines.refill(self._clock.monotonic())
        if self._lines.tokens < 1.0:
            self._counts["unlogged"] += 1
            return
        self._lines.tokens -= 1.0
        self._log(level, event, facts)
