"""The agent's shell: feeds the pure engine with what the node delivers, and does what it wants.

Everything here runs on one event loop. The model is called in its own task; the store is asked on a thread,
so a slow disk never holds up the mesh. Notes go to every listener in the order they were made.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from covey import limits
from covey.agent import effects as fx
from covey.agent.engine import AgentEngine
from covey.agent.guards import Guards
from covey.agent.options import EngineOptions
from covey.agent.prompt import Persona
from covey.agent.waiting import STATE_NAME as WAITING
from covey.agent.waiting import Kept, unpack
from covey.errors import CoveyError, ModelError, ModelErrorKind
from covey.model import Delivery, Minted, PeerSend, SendState
from covey.ports import Clock, Entropy, Memory, Mesh, Model, Purse, Tools
from covey.proto.effects import Now
from covey.proto.news import Delivered, Gap, News, SendSettled
from covey.runtime.hands import HandsShell
from covey.runtime.keeping import SINCE, Keeper, WakeStore
from covey.safety import Moment
from covey.values import dataclass

_BESIDE_THE_LEDGER = ("heard", "silent", "skipped", "duplicates", "refused", "retries")
"""What `status` shows of the engine's own counts; the ledger has the rest, for this run and ever."""

Note = fx.Note
"""One line of the run's record: level, stable event word, facts."""

NoteListener = Callable[[Note], None]


def as_event(note: Note) -> dict[str, Any]:
    """Return a note as subscribers and `--json` get it: `{"event": "agent-…", "level": …, **facts}`.

    The prefix keeps it apart from the node's own news: the node's `emitted` is a fact of the mesh, the
    agent's says which wake it answers.
    """
    return {"event": f"agent-{note.event}", "level": note.level, **note.facts}


class NewsMesh(Mesh, Protocol):
    """The node, as an agent uses it."""

    def subscribe(self, listener: Callable[[News], None]) -> Callable[[], None]:
        """Call `listener` with all news; return the way to end it."""
        ...

    def ended(self, assertion_id: str, how: str, why: str | None = None) -> None:
        """Say that a block addressed to this peer is finished with; its sender hears it."""
        ...


@dataclass(frozen=True, slots=True)
class RunEnd:
    """Why a run is over, in a stable word and a sentence."""

    reason: str
    detail: str


class AgentRuntime:
    """One agent on one node.

    Args:
        node: Where blocks come from and go to.
        model: Who thinks.
        persona: Who the agent is.
        options: How it behaves.
        guards: Safety.
        memory: What it may read of its store.
        store: Where wakes and budgets survive a restart.
        clock: Wall and monotonic time.
        entropy: The system's secure randomness.
        tools: What its model may use, where it has any.
        ask_seconds: How long a tool's call waits for a person.
        purse: The money of its team, where it has one.
    """

    def __init__(
        self,
        node: NewsMesh,
        model: Model,
        *,
        persona: Persona,
        options: EngineOptions,
        guards: Guards,
        memory: Memory,
        store: WakeStore,
        clock: Clock,
        entropy: Entropy,
        tools: Tools | None = None,
        ask_seconds: float = limits.TOOL_ASK_SECONDS,
        purse: Purse | None = None,
    ) -> None:
        """Join the parts; nothing happens before `start`."""
        self.persona = persona
        self.model = model
        self._node = node
        self._options = options
        self._guards = guards
        self._memory = memory
        self._clock = clock
        self._hands = None if tools is None else HandsShell(tools, ask_seconds, clock, self.note)
        self._engine = AgentEngine(
            persona, options, memory=memory, guards=guards, peers=node.peers, secret=entropy.bytes(32)
        )
        self._listeners: list[NoteListener] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._keeper = Keeper(store, self._state, purse, self.note)
        self._bookings: set[asyncio.Task[None]] = set()
        self._decisions: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._next_ref = 1
        self._timer: asyncio.TimerHandle | None = None
        self._owed = False
        """The state changed, and nothing was asked to keep it yet."""
        self._end: asyncio.Future[RunEnd] | None = None
        self._open: set[tuple[str, str]] = set()
        self._settled: dict[tuple[str, str], None] = {}
        self._quiet = asyncio.Event()
        self._unsubscribe: Callable[[], None] = lambda: None
        self._started = False
        self._since = self._heard_upto = 0
        """Wall milliseconds: up to where everything heard is decided; and the newest that was heard."""
        self._early: deque[News] = deque(maxlen=limits.AGENT_EARLY_NEWS)

    # --- what the peer's process does -----------------------------------------------------------

    def subscribe(self, listener: NoteListener) -> Callable[[], None]:
        """Call `listener` with every note, on the loop's thread; return the way to end it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def attach(self) -> None:
        """Listen to the node; what it says before `start` is kept and taken up then."""
        self._unsubscribe = self._node.subscribe(self._on_news)

    async def start(self) -> None:
        """Restore budgets and threads, take up what was heard since `attach`, and warm the model on a thread.

        Raises:
            StoreError: What an earlier run saved cannot be read; going on would forget what was spent.
        """
        self._end = asyncio.get_running_loop().create_future()
        saved = await self._keeper.read()
        self._guards.restore(saved.get, self._now())
        self._guards.ledger.started()
        moment = self._guards.moment(self._now())
        kept = await asyncio.to_thread(self._kept, saved[WAITING], moment)
        recent = await asyncio.to_thread(
            self._memory.recent, limits.AGENT_RECALLED_BLOCKS, room=self.persona.room
        )
        self._feed(fx.Recalled(tuple(recent), tuple(kept)))
        await self._take_up_inbox(saved[SINCE])
        self._started = True
        while self._early:
            self._on_news(self._early.popleft())
        self._spawn(self._warm())
        if self._hands is not None:
            self._spawn(self._equip(self._hands))

    async def finished(self) -> RunEnd:
        """Wait for the end of the run, and then until every own block has its end at every peer.

        Returns:
            Why the run ended: thread-closed, budget, idle, or what `stop` said.
        """
        assert self._end is not None, "start comes first"
        end = await asyncio.shield(self._end)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_settled(), limits.AGENT_SETTLE_SECONDS)
        return end

    def stop(self, reason: str, drain_seconds: float | None = None) -> None:
        """Take no new wake, let what is in flight finish, then end with `reason`.

        Args:
            reason: Why.
            drain_seconds: How long it may take; None for the usual time.
        """
        if self._end is None or self._end.done():
            return
        if self._hands is not None:
            self._hands.give_up()
        self._feed(fx.Stop(reason))
        if not self._end.done():
            loop = asyncio.get_running_loop()
            seconds = limits.AGENT_DRAIN_SECONDS if drain_seconds is None else drain_seconds
            loop.call_later(seconds, self._cut_off, reason, seconds)

    async def close(self) -> None:
        """Let go of the node and the model; keep what a restart needs."""
        self._unsubscribe()
        if self._timer is not None:
            self._timer.cancel()
        if self._bookings:  # what is paid for is booked; what the disk does not take in time stays set aside
            await asyncio.wait(self._bookings, timeout=limits.AGENT_SETTLE_SECONDS)
        for task in (*self._tasks, *self._bookings):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._bookings, return_exceptions=True)
        for asked in self._decisions.values():
            if not asked.done():
                detail = "the peer stopped before it was decided: look again when it runs"
                asked.set_result({"result": "refused", "reason": "stopping", "detail": detail})
        if self._started:
            # Before, nothing was restored: saving now would forget what an earlier run spent.
            await self._keeper.close()
        if self._hands is not None:
            await self._hands.close()
        await self.model.close()

    def tools(self) -> dict[str, Any]:
        """Return what the model may use, what is missing, and the calls that wait for a person."""
        if self._hands is None:
            return {"offered": {}, "missing": [], "waiting": []}
        return {**self._hands.status(), "waiting": self._hands.waiting()}

    def decide_call(self, word: str, *, approve: bool) -> dict[str, Any]:
        """Take a person's word on a tool's call that waits.

        Args:
            word: Its id, or a beginning that only it has.
            approve: True lets it be made.

        Returns:
            `result` (allowed, denied or refused) with its facts.
        """
        decided = None if self._hands is None else self._hands.decide(word, approve=approve)
        if decided is None:
            return {"result": "refused", "reason": "unknown", "detail": f"no call waits as {word[:40]}"}
        return decided

    async def decide(self, word: str, *, approve: bool, why: str = "") -> Mapping[str, Any]:
        """Let an answer out of quarantine, or throw it away; return what came of it.

        Args:
            word: Its id, or a beginning that only it has.
            approve: True lets it out.
            why: What a person says to a denial; logged.

        Returns:
            `result` (approved, denied or refused) with its facts; the word is durable by then.
        """
        ref, self._next_ref = self._next_ref, self._next_ref + 1
        asked: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        if self._end is None or self._end.done():
            return {"result": "refused", "reason": "stopping", "detail": "the agent does not run now"}
        self._decisions[ref] = asked
        try:
            self._feed(fx.Decide(ref, word, approve, why))
            return await asked
        finally:
            del self._decisions[ref]

    def quarantined(self) -> dict[str, Any]:
        """Return the answers that wait for a person, and those that were decided lately."""
        quarantine = self._engine.quarantine
        return {
            "waiting": [entry.as_dict() for entry in quarantine.waiting()],
            "decided": [entry.as_dict() for entry in quarantine.decided()],
        }

    def note(self, level: str, event: str, facts: Mapping[str, Any]) -> None:
        """Tell every listener one line of the run's record."""
        self._perform(fx.Note(level, event, facts))

    def status(self) -> dict[str, Any]:
        """Return the agent's part of `status`: model, counts of this run and ever, windows, breaker."""
        tally = self._engine.tally.as_dict()
        return {
            "role": self.persona.role,
            "model": self.model.label,
            "in_flight": self._engine.in_flight,
            "waiting": self._engine.waiting,
            **{name: tally[name] for name in _BESIDE_THE_LEDGER},
            "sends": self._engine.sends.as_dict(),
            "run": self._guards.ledger.run.as_dict(),
            "lifetime": self._guards.ledger.lifetime.as_dict(),
            **self._guards.status(self._now()),
            "team": self._keeper.team,
            "decisions": self._engine.decisions.as_dict(),
            "latest": list(self._engine.decisions.latest),
            **({} if self._hands is None else {"tools": self._hands.status()}),
        }

    # --- events in --------------------------------------------------------------------------------

    async def _take_up_inbox(self, kept: bytes | None) -> None:
        """Take up what an earlier run had not come to when it ended, however it ended.

        The inbox is read from the last moment at which an agent here had decided on everything it had heard;
        a first run begins now. What woke the agent then does not wake it again: its claim says so.
        """
        now_ms = self._clock.now_ms()
        self._since = int.from_bytes(kept, "big") if kept is not None else now_ms
        self._heard_upto = self._since
        if kept is None:
            await self._keeper.save()
            return
        left = await self._keeper.unfinished(max(self._since, now_ms - limits.OUTBOX_SECONDS * 1000))
        if left:
            self._perform(fx.Note("info", "taken-up", {"blocks": len(left)}))
            self._hear(fx.Restored(tuple(left)), *left)

    def _state(self) -> dict[str, bytes]:
        """Return what a restart needs now, by name."""
        return {**self._engine.state(self._now()), SINCE: self._since.to_bytes(8, "big")}

    def _hear(self, event: fx.Event, *deliveries: Delivery) -> None:
        """Feed what was heard, and note how far everything is decided."""
        self._heard_upto = max(self._heard_upto, *(each.received_ms for each in deliveries))
        self._feed(event)

    def _on_news(self, news: News) -> None:
        if not self._started:
            self._early.append(news)
        elif isinstance(news, Delivered):
            self._hear(fx.Heard(news.delivery), news.delivery)
        elif isinstance(news, Gap):
            facts = {"first": news.first, "last": news.last, "reason": news.reason, "late": news.late}
            self._perform(fx.Note("warn", "gap", {"peer": news.from_name, **facts}))
        elif isinstance(news, SendSettled):
            self._on_settled(news.key, news.send)

    def _on_settled(self, key: str, send: PeerSend) -> None:
        place = (key, send.node_id)
        self._open.discard(place)
        # The receipt may come before the emission's own answer; it must not be waited for again.
        self._settled[place] = None
        while len(self._settled) > limits.AGENT_SETTLED:
            del self._settled[next(iter(self._settled))]
        self._feed(fx.Settled(key, send))
        if not self._open:
            self._quiet.set()

    def _feed(self, event: fx.Event) -> None:
        effects = self._engine.handle(event, self._now())
        for effect in effects:
            self._perform(effect)
        self._save_unless(effects)
        if not self._engine.in_flight and not self._engine.waiting:
            self._since = self._heard_upto
        self._arm()

    def _perform(self, effect: fx.Effect) -> None:
        match effect:
            case fx.Note():
                for listener in tuple(self._listeners):
                    listener(effect)
            case fx.Claim():
                self._spawn(self._claim(effect))
            case fx.Secure():
                self._spawn(self._secure(effect))
            case fx.Book(token, usd, usage):
                booking = asyncio.get_running_loop().create_task(self._keeper.book(token, usd, usage))
                self._bookings.add(booking)
                booking.add_done_callback(self._bookings.discard)
            case fx.Decided(ref, result):
                asked = self._decisions.get(ref)
                if asked is not None and not asked.done():
                    asked.set_result(result)
            case fx.Ask():
                self._spawn(self._ask(effect))
            case fx.Use():
                self._spawn(self._use(effect))
            case fx.Emit():
                self._spawn(self._emit(effect))
            case fx.Conclude(assertion_id, how, why):
                self._node.ended(assertion_id, how, why)
            case fx.Save():
                self._owed = True
            case fx.End(reason, detail):
                if self._end is not None and not self._end.done():
                    self._end.set_result(RunEnd(reason, detail))

    def _save_unless(self, effects: Sequence[fx.Effect]) -> None:
        """Have the state kept, unless a write that comes anyway keeps it, or one now is in a wake's way.

        A Secure keeps what is owed. The answers to a Claim and to an Emit follow at once and find it owed
        still: until then a restart finds the wake's blocks unclaimed, or its reserve counted as spent.
        """
        kinds = {type(effect) for effect in effects}
        if fx.Secure in kinds:
            self._owed = False
        elif self._owed and not kinds & {fx.Claim, fx.Emit}:
            self._owed = False
            if self._keeper.changed():
                self._spawn(self._keeper.save())

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._engine.next_timer()
        if due is not None:
            wait = max(0.0, due - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._feed(fx.Tick())

    # --- effects ----------------------------------------------------------------------------------

    async def _claim(self, claim: fx.Claim) -> None:
        try:
            fresh = self._keeper.claim(claim.keys)
        except Exception as error:  # whatever the store says, an unmarked wake must not be paid for
            self._feed(fx.ClaimFailed(claim.token, str(error)))
        else:
            self._feed(fx.Claimed(claim.token, fresh))

    async def _secure(self, secure: fx.Secure) -> None:
        self._feed(await self._keeper.secure(secure))

    async def _ask(self, ask: fx.Ask) -> None:
        began = self._clock.monotonic()
        try:
            reply = await self.model.call(ask.request)
        except ModelError as error:
            self._feed(fx.CallFailed(ask.token, error))
        except Exception as error:  # an adapter's bug costs this wake, not the peer
            failure = ModelError(
                f"{self.model.label}: {type(error).__name__}: {error}",
                kind=ModelErrorKind.PROTOCOL,
                transient=False,
            )
            self._feed(fx.CallFailed(ask.token, failure))
        else:
            self._feed(fx.Replied(ask.token, reply, self._clock.monotonic() - began))

    async def _use(self, use: fx.Use) -> None:
        assert self._hands is not None, "an agent without hands is offered no tool"
        self._feed(fx.Used(use.token, await self._hands.use(use.uses)))

    async def _emit(self, emit: fx.Emit) -> None:
        result = await self._node.emit(emit.proposal)
        if isinstance(result, Minted):
            self._await_receipts(result.block.key, result.sends)
            self._keeper.emitted()
        self._feed(fx.Ended(emit.token, result))

    def _await_receipts(self, key: str, sends: Sequence[PeerSend]) -> None:
        handed_over = {(key, send.node_id) for send in sends if send.state is SendState.ACCEPTED}
        self._open |= handed_over - self._settled.keys()
        if self._open:
            self._quiet.clear()

    async def _all_settled(self) -> None:
        while self._open:
            await self._quiet.wait()

    async def _equip(self, hands: HandsShell) -> None:
        self._feed(fx.Equipped(await hands.start()))

    async def _warm(self) -> None:
        try:
            await self.model.warm()
        except CoveyError as error:
            # The first call will say the same to the loop; here it is said early, for a person.
            self.note("warn", "model-not-ready", {"message": error.message, "hint": error.hint})

    def _kept(self, raw: bytes | None, moment: Moment) -> list[Kept]:
        return [] if raw is None else unpack(raw, self._memory.block, moment)

    def _cut_off(self, reason: str, seconds: float) -> None:
        """End a stop that takes too long."""
        if self._end is None or self._end.done():
            return
        facts = {"in_flight": self._engine.in_flight, "seconds": seconds}
        self.note("warn", "drain-cut-off", facts)
        self._end.set_result(RunEnd(reason, "what was in flight did not finish in time"))

    # --- small things -----------------------------------------------------------------------------

    def _now(self) -> Now:
        return Now(self._clock.now_ms(), self._clock.monotonic())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        """Let go of a task; one that ended by a bug says so, or what it held would hang without a word."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            detail = f"{type(error).__name__}: {error}"
            where = traceback.format_exception(error)[-2:]
            self.note("error", "agent-failed", {"reason": "bug", "detail": detail, "traceback": where})
