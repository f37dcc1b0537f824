"""The door: asks the engine, waits for slots, goes along a lane's backends, and hands on what comes.

Rules: everything runs on one event loop. A request ends exactly once, whatever ends it, and gives its slot
back then. Another backend is tried only while nothing was handed on.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.errors import NetworkError, StoreError
from covey.inference.accounts import Accounts, Used
from covey.inference.door import Admit, DoorEngine, Effect, Refuse, Rules
from covey.inference.lanes import Lanes, Sample, Step
from covey.inference.reading import Tally, asked_of
from covey.inference.rings import Ring
from covey.runtime.metrics.page import Histogram
from covey.runtime.share.going import Going, Refused, failure
from covey.runtime.share.port import Backend, BackendAnswer, Call, Keeper, Reply

if TYPE_CHECKING:
    from covey.inference.keys import Entry
    from covey.ports import Clock

Log = Callable[[str, str, Mapping[str, Any]], None]

_ELSEWHERE: Final = frozenset({401, 403, 404, 408, 425, 429})
"""Answers after which another backend may do better; so do all from 500 on."""
_SECONDS: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_STREAM: Final = "text/event-stream"


class Door:
    """One shared model.

    Args:
        rules: What is allowed.
        lanes: Who answers what.
        backends: Every backend of the lanes, by name.
        accounts: What each peer used so far.
        keeper: Where accounts and switches survive.
        clock: Times.
        log: Takes level, event and facts.
        answer_seconds: The longest answer.
        draining: No new work is taken, from the start.
    """

    def __init__(
        self,
        rules: Rules,
        lanes: Lanes,
        backends: Mapping[str, Backend],
        *,
        accounts: Accounts,
        keeper: Keeper,
        clock: Clock,
        log: Log,
        answer_seconds: float,
        draining: bool = False,
    ) -> None:
        self.lanes = lanes
        self.accounts = accounts
        self.engine = DoorEngine(rules, accounts, draining=draining)
        self.recent = Ring(limits.DOOR_RECENT)
        self.waits, self.firsts = Histogram(_SECONDS), Histogram(_SECONDS)
        self.switched: dict[str, str] = {}
        self._drained = draining
        self._backends = dict(backends)
        self._keeper = keeper
        self._clock = clock
        self._log = log
        self._answer_seconds = answer_seconds
        self._tickets = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Effect]] = {}
        self._held_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._saved = accounts.changes
        self._saving: asyncio.Task[None] | None = None

    # --- for whoever lets requests in -----------------------------------------------------------

    def limited(self, entry: Entry) -> Refuse | None:
        """Take note of a request of any kind, before its body is read; return why not, if too often."""
        return self.engine.limited(entry, self._clock.monotonic())

    def hold(self, size: int) -> None:
        """Take note of bytes that are held for a request; negative ones are let go.

        Raises:
            Refused: All bodies together are too large.
        """
        if size > 0 and self._held_bytes + size > limits.DOOR_QUEUED_BYTES:
            self.engine.counters["refused.memory"] += 1
            raise Refused(Refuse(0, 503, "memory", "too much is held for others", 5))
        self._held_bytes += size

    async def answer(self, call: Call) -> Reply:
        """Answer one request; its reply must be closed, whatever becomes of it.

        Raises:
            Refused: It was turned away, or no backend answered.
        """
        ticket, since = next(self._tickets), self._clock.monotonic()
        self._idle.clear()
        try:
            waited = await self._slot(ticket, call)
        except BaseException as error:
            refused = error.refusal if isinstance(error, Refused) else None
            self._note(call, "", "", refused.status if refused else 499, refused, since, 0.0, Used())
            self._settle()
            raise
        self.waits.observe(waited)
        model = str(call.body.get("model") or "")
        lane = self.lanes.named(model)
        going = Going(self, ticket, call, lane, since, waited)
        try:
            return await self._through(going, call, lane, model)
        except BaseException as error:
            refused = error.refusal if isinstance(error, Refused) else None
            await going.end("cancelled" if refused is None else "failed", refused)
            raise

    # --- for a reply that is under way ----------------------------------------------------------

    def deadlines(self, call: Call, waited: float) -> tuple[float, float]:
        """Return, in the loop's time, when an answer that begins now has to end, and when nobody wants it."""
        now = asyncio.get_running_loop().time()
        wanted = math.inf if call.deadline_s is None else now + call.deadline_s - waited
        return now + self._answer_seconds, wanted

    def ended(
        self, going: Going, how: str, status: int, used: Used, refused: Refuse | None, backend: str
    ) -> None:
        """Take a slot back, count, and note; called once for each request that had one."""
        now = self._clock.monotonic()
        seconds = now - going.since - going.waited
        call = going.call
        if how != "cancelled":
            self.lanes.ended(going.lane, Sample(seconds, how == "answered", used.completion))
        milliseconds = round(seconds * 1_000)
        self.accounts.ended(call.entry.account, how, used, milliseconds, self._clock.now_ms())
        self._note(call, going.lane, backend, status, refused, going.since, going.waited, used, how)
        self._do(self.engine.done(going.ticket, now))
        self._settle()

    def broke(self, backend: str, why: str) -> None:
        """Take note of a backend that failed."""
        self.lanes.failed(backend, why, self._clock.monotonic())
        self.engine.counters[f"backend.{why}"] += 1
        self._log("warn", "door-backend-failed", {"backend": backend, "reason": why})

    def fault(self, error: str) -> None:
        """Take note of a fault of our own."""
        self.engine.counters["faults"] += 1
        self._log("error", "door-failed", {"error": error})

    # --- upkeep -----------------------------------------------------------------------------------

    def drain(self, on: bool) -> None:
        """Take no new work from now on, or take it again; what is under way and waits is finished."""
        self._drained = self.engine.draining = on
        self.accounts.changes += 1
        self._log("info", "door-draining" if on else "door-resumed", {})

    def closing(self) -> None:
        """Take no new work from now on, in this life: the next one takes it again."""
        self.engine.draining = True

    def switch(self, lane: str, step: Step) -> Step:
        """Let a lane's first step be another one; return what it was. Raises as `Lanes.switch`."""
        before = self.lanes.switch(lane, step)
        self.switched[lane] = str(step)
        self.accounts.changes += 1
        self._log("info", "door-switched", {"lane": lane, "old": str(before), "new": str(step)})
        return before

    async def finished(self) -> None:
        """Wait until nothing waits or is under way."""
        await self._idle.wait()

    async def models(self) -> list[dict[str, Any]]:
        """Return lanes and models as the models page lists them."""
        names = dict.fromkeys(self.lanes.names, "covey")
        for name in self.lanes.names:
            names.update({step.model: step.backend for step in self.lanes.steps(name) if step.model})
        return [{"id": name, "object": "model", "created": 0, "owned_by": by} for name, by in names.items()]

    def start(self) -> None:
        """Begin to keep what changes."""
        self._saving = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Keep what changed, and close the backends."""
        if self._timer is not None:
            self._timer.cancel()
        if self._saving is not None:
            self._saving.cancel()
            await asyncio.gather(self._saving, return_exceptions=True)
        await self.save()
        for backend in self._backends.values():
            await backend.close()

    async def save(self) -> None:
        """Write accounts and switches where they changed."""
        changes = self.accounts.changes
        if changes == self._saved:
            return
        members = {
            "accounts": self.accounts.view(),
            "draining": self._drained,
            "switched": dict(self.switched),
        }
        try:
            await asyncio.to_thread(self._keeper.save, members)
            self._saved = changes
        except StoreError as error:
            self._log("error", "door-not-kept", {"reason": error.message})

    def view(self) -> dict[str, Any]:
        """Return how it stands, with lanes, backends and accounts."""
        lanes = self.lanes.view(self._clock.monotonic())
        return {**self.engine.view(), **lanes, "accounts": self.accounts.view(), "bytes": self._held_bytes}

    # --- below ----------------------------------------------------------------------------------

    async def _slot(self, ticket: int, call: Call) -> float:
        """Wait for a slot; return how long that took."""
        future: asyncio.Future[Effect] = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = future
        clock = self._clock
        try:
            self._do(
                self.engine.ask(
                    ticket,
                    call.entry,
                    clock.monotonic(),
                    clock.now_ms(),
                    priority=call.priority,
                    deadline_s=call.deadline_s,
                )
            )
            found = await future
        except BaseException:
            del self._waiting[ticket]
            if future.done() and not future.cancelled() and isinstance(future.result(), Admit):
                self._do(self.engine.done(ticket, clock.monotonic()))  # let in and gone in one breath
            else:
                self._do(self.engine.left(ticket, clock.monotonic()))
            raise
        del self._waiting[ticket]
        if isinstance(found, Refuse):
            raise Refused(found)
        return found.waited

    async def _through(self, going: Going, call: Call, lane: str, model: str) -> Reply:
        """Ask one backend after another until one answers."""
        tried: list[str] = []
        for step in self.lanes.chain(lane, model, self._clock.monotonic()):
            asked, hide = asked_of(call.body, call.path, step.model)
            try:
                answer = await self._asked(going, step.backend, asked)
                reply = await self._begun(going, step, answer, Tally(call.size, stream=True, hide=hide))
            except NetworkError as error:
                self.broke(step.backend, error.code)
                tried.append(f"{step.backend}: {error.code}")
                continue
            self.lanes.worked(step.backend)
            self.firsts.observe(self._clock.monotonic() - going.since - going.waited)
            reply.headers |= {"x-covey-lane": lane, "x-covey-backend": step.backend}
            reply.headers["x-covey-queue-ms"] = str(round(going.waited * 1_000))
            return reply
        said = f"nobody of lane {lane} answered: {', '.join(tried)}"
        raise Refused(Refuse(going.ticket, 502, "backend", said, round(limits.DOOR_REST_SECONDS)))

    async def _asked(self, going: Going, backend: str, body: bytes) -> BackendAnswer:
        """Return an answer that is a backend's last word: not one that another may better."""
        async with going.in_time():
            answer = await self._backends[backend].post(going.call.path, body)
        if answer.status >= 500 or answer.status in _ELSEWHERE:
            await answer.__aexit__(None, None, None)
            raise NetworkError(f"status {answer.status}", code=f"status-{answer.status}")
        return answer

    async def _begun(self, going: Going, step: Step, answer: BackendAnswer, tally: Tally) -> Reply:
        """Return the reply of an answer that has begun: a stream after its first bytes, else all of it."""
        try:
            if answer.content_type.partition(";")[0].strip() == _STREAM:
                await going.begin(step.backend, answer, tally)
                return Reply(answer.status, answer.content_type, going)
            body = await going.whole(step.backend, answer, tally)
        except BaseException:
            await answer.__aexit__(None, None, None)
            raise
        return Reply(answer.status, answer.content_type, going, length=len(body))

    def _do(self, effects: list[Effect]) -> None:
        """Tell those who wait."""
        for effect in effects:
            future = self._waiting.get(effect.ticket)
            if future is not None and not future.done():
                future.set_result(effect)
            elif isinstance(effect, Admit):
                self._do(self.engine.done(effect.ticket, self._clock.monotonic()))
        self._arm()

    def _arm(self) -> None:
        """Be woken when the first of the queue has waited too long."""
        due = self.engine.next_due()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            wait = max(0.0, due - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait, self._due)

    def _due(self) -> None:
        self._timer = None
        self._do(self.engine.due(self._clock.monotonic()))

    def _settle(self) -> None:
        if not self._waiting and not self.engine.under_way:
            self._idle.set()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(limits.DOOR_SAVE_SECONDS)
            await self.save()

    def _note(
        self,
        call: Call,
        lane: str,
        backend: str,
        status: int,
        refused: Refuse | None,
        since: float,
        waited: float,
        used: Used,
        how: str = "",
    ) -> None:
        """Leave a row, and a line, of one request: never a word of it."""
        facts = {
            "account": call.entry.account,
            "way": call.way,
            "path": call.path,
            "lane": lane,
            "backend": backend,
            "status": status,
            "end": how or (refused.reason if refused else "left"),
            "queue_ms": round(waited * 1_000),
            "ms": round((self._clock.monotonic() - since) * 1_000),
            "prompt_tokens": used.prompt,
            "completion_tokens": used.completion,
            "estimated": used.estimated,
        }
        self.recent.add({"ts_ms": self._clock.now_ms(), **facts})
        self._log("warn" if refused else "info", "door-request", facts)


__all__ = ["Door", "Refused", "failure"]
