"""The agent loop as a pure engine: a block wakes it, a model answers, safety agrees, a block goes out.

    Heard → waiting → (budget, breaker) → Claim → (circle, loop) → context → (cost reserve) → Secure → Ask
          → reply → (circle, gates) → Emit → Ended
                          └→ quarantine → a person's Decide → Secure → Emit → Ended

Rules: no clock, no socket, no randomness; `handle(event, now)` returns effects and `next_timer` says when a
Tick is due. Every decision leaves a Note with its reason. What must wait is deferred, over restarts too,
and only what is pushed out of a bounded queue is lost, which is said. A number in the tally is raised where
the thing happened: a block is counted as emitted when the mesh said Minted, and never before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from covey.agent import effects as fx
from covey.agent import releasing
from covey.agent.asking import ask, call_failed, not_secured, replied, secured, used
from covey.agent.decisions import Decisions
from covey.agent.desk import Desk, Wake
from covey.agent.guards import Guards, Hold
from covey.agent.options import EngineOptions, Tally
from covey.agent.prompt import Persona
from covey.agent.routes import Sends
from covey.agent.threads import ThreadBook
from covey.agent.waiting import Kept, Waiting
from covey.cognition.ask.quiet import is_answer, is_question
from covey.limits import AGENT_WOKEN, THREAD_CLOSINGS
from covey.model import (
    Block,
    Delivery,
    Duplicate,
    EmissionRefused,
    EmissionResult,
    Equipment,
    Minted,
    PeerSend,
    PeerView,
    SendState,
)
from covey.safety import Quarantine

if TYPE_CHECKING:
    from covey.ports import Memory
    from covey.proto.effects import Now


_TAKEN = (SendState.ACCEPTED, SendState.DELIVERED, SendState.EXECUTED)


class AgentEngine:
    """One agent's loop, without a loop.

    Args:
        persona: Who the agent is.
        options: How it behaves.
        memory: What it may read of its own store.
        guards: Safety.
        peers: Who has an open session now (for routing).
        secret: At least 16 random bytes for the delimiters of its prompts.
    """

    def __init__(
        self,
        persona: Persona,
        options: EngineOptions,
        *,
        memory: Memory,
        guards: Guards,
        peers: Callable[[], Sequence[PeerView]],
        secret: bytes,
    ) -> None:
        """Start with an empty queue; Recalled brings back what was known before."""
        self._waiting = Waiting(options.max_waiting)
        threads = ThreadBook(memory.block)
        self._desk = Desk(persona, options, memory, guards, peers, secret, threads, self._waiting)
        self._woken: dict[str, None] = {}
        self._restored: dict[str, str] = {}
        """What an earlier run left, by assertion id: its key."""
        self._recalled: frozenset[str] = frozenset()
        """Keys that an earlier run had deferred: they wait already."""
        self._expires: dict[str, int] = {}
        """When blocks addressed to this peer expire, by assertion id."""
        self._held: Hold | None = None
        self._over = False
        self._quiet_since: float | None = None
        # A thread that an earlier run closed must not end this one.
        self._closings: deque[Block] = deque(maxlen=THREAD_CLOSINGS)

    # --- the face -------------------------------------------------------------------------------

    def handle(self, event: fx.Event, now: Now) -> list[fx.Effect]:
        """Take one event; return what is to be done, in order."""
        if self._over:
            return []
        if self._quiet_since is None or not isinstance(event, fx.Tick):
            self._quiet_since = now.monotonic
        self._desk.now_ms = now.wall_ms
        was_busy, changes = self._busy, self._waiting.changes
        self._take(event, now)
        releasing.expire(self._desk, now)
        self._resume_paused(now)
        self._pump(now)
        if self._waiting.changes != changes:
            self._desk.save()
        if was_busy and not self._busy:
            self._desk.note("info", "resting")
        self._check_end(now)
        effects, self._desk.effects = self._desk.effects, []
        return effects

    def next_timer(self) -> float | None:
        """Return the monotonic second of the next Tick that matters, or None."""
        if self._over:
            return None
        active = self._desk.active.values()
        times = [wake.retry_at for wake in active if wake.retry_at is not None]
        if self._held is not None and self._held.until is not None and self._waiting:
            times.append(self._held.until)
        expiry = self._desk.guards.quarantine.next_expiry()
        if expiry is not None:
            times.append(expiry)
        idle = self._desk.options.idle_seconds
        if idle is not None and self._quiet_since is not None and not active:
            times.append(self._quiet_since + idle)
        return min(times, default=None)

    @property
    def tally(self) -> Tally:
        """Return what happened so far."""
        return self._desk.tally

    @property
    def decisions(self) -> Decisions:
        """Return what safety decided so far."""
        return self._desk.decisions

    @property
    def sends(self) -> Sends:
        """Return what became of the own blocks' sends so far."""
        return self._desk.sends

    @property
    def quarantine(self) -> Quarantine:
        """Return what waits for a person."""
        return self._desk.guards.quarantine

    def state(self, now: Now) -> dict[str, bytes]:
        """Return what must survive a restart, by name."""
        return self._desk.state(now)

    @property
    def threads(self) -> ThreadBook:
        """Return what is known of the room's threads."""
        return self._desk.threads

    @property
    def in_flight(self) -> int:
        """Return how many wakes are between their claim and their end."""
        return len(self._desk.active)

    @property
    def waiting(self) -> int:
        """Return how many blocks wait to wake the agent."""
        return len(self._waiting)

    @property
    def _busy(self) -> bool:
        return bool(self._desk.active) or bool(self._waiting)

    def _take(self, event: fx.Event, now: Now) -> None:
        desk = self._desk
        match event:
            case fx.Recalled(blocks, kept):
                for block in reversed(blocks):
                    desk.threads.note(block)
                self._on_kept(kept, now)
                releasing.resume(desk)
            case fx.Heard(delivery):
                if delivery.block.assertion_id not in self._restored:
                    self._on_heard(delivery, now)
            case fx.Restored(deliveries):
                self._restored = {each.block.assertion_id: each.block.key for each in deliveries}
                for delivery in deliveries:
                    if delivery.block.key not in self._recalled:
                        self._on_heard(delivery, now)
                    elif delivery.expires_ms is not None:
                        self._expires[delivery.block.assertion_id] = delivery.expires_ms
            case fx.Claimed(token, fresh):
                self._on_claimed(desk.active[token], fresh, now)
            case fx.ClaimFailed(token, reason):
                desk.drop(desk.active[token], "claim-failed", reason, level="error")
            case fx.Secured() | fx.NotSecured():
                self._on_secured(event, now)
            case fx.Replied(token):
                replied(desk, desk.active[token], event, now)
            case fx.Equipped(equipment):
                self._on_equipped(equipment)
            case fx.Used(token):
                used(desk, desk.active[token], event, now)
            case fx.CallFailed(token):
                call_failed(desk, desk.active[token], event, now, stopping=desk.stopping is not None)
            case fx.Ended(token, result):
                self._on_ended(token, result, now)
            case fx.Settled(key, send):
                self._on_settled(key, send)
            case fx.Decide():
                releasing.decide(desk, event)
            case fx.Stop(reason):
                desk.stopping = desk.stopping or reason
            case fx.Tick():
                pass

    def _on_equipped(self, equipment: Equipment) -> None:
        desk = self._desk
        desk.tools = {tool.spec.name: tool for tool in equipment.offered}
        for problem in equipment.problems:
            desk.note("warn", "tool-missing", detail=problem)
        offered = {name: tool.permission for name, tool in desk.tools.items()}
        desk.note("info", "tools-ready", tools=offered)

    def _on_secured(self, event: fx.Secured | fx.NotSecured, now: Now) -> None:
        desk = self._desk
        release = event.token in desk.releasing
        match event, release:
            case fx.Secured(token), True:
                releasing.secured(desk, token)
            case fx.Secured(token), False:
                secured(desk, desk.active[token])
            case fx.NotSecured(token), True:
                releasing.not_secured(desk, token, event)
            case fx.NotSecured(token), False:
                not_secured(desk, desk.active[token], event, now)

    # --- hearing and waking ---------------------------------------------------------------------

    def _on_kept(self, kept: Sequence[Kept], now: Now) -> None:
        """Let wait what an earlier run deferred and never answered."""
        self._recalled = frozenset(each.block.key for each in kept)
        for each in kept:
            if each.claimed:
                self._desk.kept.add(each.block.key)
            pushed_out = self._waiting.add(each.block, now.monotonic - each.waited_s)
            if pushed_out is not None:
                self._desk.skip([pushed_out], "queue-full")
        if kept:
            self._desk.note("info", "waiting-recalled", keys=[each.block.key for each in kept])

    def _on_heard(self, delivery: Delivery, now: Now) -> None:
        desk, block = self._desk, delivery.block
        if block.node_id == desk.persona.node_id:
            return
        desk.tally.heard += 1
        desk.guards.ledger.heard()
        closing = self._noted(block)
        desk.note(
            "info",
            "heard",
            key=block.key,
            author=block.author,
            author_node_id=block.node_id,
            parents=list(block.parents),
            decision=delivery.judgement.decision.value if delivery.judgement else None,
            directed=delivery.directed,
            ingested=delivery.ingested,
            received_ms=delivery.received_ms,
            answers_own=desk.answers_own(block),
            closing=closing,
        )
        reason = self._why_not(delivery, now)
        if reason is not None:
            desk.skip([block], reason)
            return
        desk.guards.heard(block, now)
        if delivery.expires_ms is not None:
            self._expires[block.assertion_id] = delivery.expires_ms
            while len(self._expires) > AGENT_WOKEN:
                del self._expires[next(iter(self._expires))]
        pushed_out = self._waiting.add(block, now.monotonic)
        if pushed_out is not None:
            desk.skip([pushed_out], "queue-full")

    def _why_not(self, delivery: Delivery, now: Now) -> str | None:
        """Return why this block wakes nobody, or None."""
        if not delivery.wakes:
            return "stranger"
        if is_question(delivery.block.categories) or is_answer(delivery.block.categories):
            return "asked"
        if delivery.expires_ms is not None and delivery.expires_ms <= now.wall_ms:
            return "expired"
        key = delivery.block.key
        if key in self._woken or key in self._waiting:
            return "already-woken"
        return "closed" if self._desk.has_closed(delivery.block) else None

    def _pump(self, now: Now) -> None:
        """Start wakes while there is something to answer and something to answer it with."""
        desk = self._desk
        desk.skip(self._waiting.too_old(now.monotonic), "waited-too-long")
        desk.skip(self._waiting.drop_where(desk.has_closed), "closed")
        late = self._waiting.drop_where(
            lambda block: self._expires.get(block.assertion_id, now.wall_ms + 1) <= now.wall_ms
        )
        desk.skip(late, "expired")
        if self._waiting and desk.stopping is None and desk.calls_left() == 0:
            desk.spent = True
            desk.skip(self._waiting.clear(), "call-budget")
        if desk.stopping is not None or desk.spent:
            return  # what waits is kept for the next run
        if desk.options.awaits_tools and desk.tools is None:
            return
        while self._waiting and len(desk.active) < desk.options.max_in_flight:
            if self._is_held(now):
                return
            root, blocks = self._waiting.take(desk.options.max_coalesced, desk.threads.root)
            wake = Wake(desk.token(), root, in_order(blocks), since=now.monotonic)
            desk.active[wake.token] = wake
            # From here on the blocks count as in hand, so that none can wake the agent a second time.
            self._remember_woken(wake.keys)
            desk.want(fx.Claim(wake.token, tuple(key for key in wake.keys if key not in desk.kept)))

    def _is_held(self, now: Now) -> bool:
        hold = self._desk.guards.hold(now)
        if hold is not None and (self._held is None or self._held.reason != hold.reason):
            self._desk.note("warn", "wake-deferred", reason=hold.reason, detail=hold.detail)
        self._held = hold
        return hold is not None

    def _on_claimed(self, wake: Wake, fresh: tuple[str, ...], now: Now) -> None:
        desk = self._desk
        # What an earlier run had claimed and never asked is as good as fresh.
        free = {*fresh, *(desk.kept & set(wake.keys))}
        desk.kept -= free
        # A key that was marked before this run, of a block that had no end yet: that run was cut off over it.
        left = set(self._restored.values())
        woken = [block for block in wake.blocks if block.key not in free]
        desk.skip([block for block in woken if block.key in left], "interrupted")
        desk.skip([block for block in woken if block.key not in left], "already-woken")
        wake.blocks = [block for block in wake.blocks if block.key in free]
        if not wake.blocks:
            del desk.active[wake.token]
            return
        desk.tally.wakes += 1
        desk.note(
            "info",
            "woke",
            keys=list(wake.keys),
            authors=[block.author for block in wake.blocks],
            thread=wake.root,
            answers_own=any(desk.answers_own(block) for block in wake.blocks),
        )
        warning = desk.guards.wake(now)
        if warning is not None:
            desk.note("warn", warning.reason, detail=warning.detail)
        ask(desk, wake, now)
        desk.save()

    def _resume_paused(self, now: Now) -> None:
        for wake in list(self._desk.active.values()):
            if not wake.paused:
                continue
            if self._desk.stopping is not None:
                self._desk.keep(wake, "stopping", self._desk.stopping)
            elif wake.retry_at is None:
                continue
            elif now.monotonic >= wake.retry_at:
                hold = self._desk.guards.hold(now)
                # The wake's own place in the budget is used already; only an open breaker still counts.
                if hold is not None and hold.reason == "breaker":
                    wake.retry_at, wake.for_calls = hold.until, hold.for_calls
                else:
                    ask(self._desk, wake, now)

    # --- the end of a wake, and of a run --------------------------------------------------------

    def _on_ended(self, token: int, result: EmissionResult, now: Now) -> None:
        desk = self._desk
        wake = desk.active.pop(token, None)
        blocks = [] if wake is None else wake.blocks
        keys = [block.key for block in blocks]
        desk.guards.ended(token, result.block if isinstance(result, Minted) else None, now)
        match result:
            case Minted(block):
                desk.conclude(blocks, "executed", f"replied: {block.key}")
                self._on_minted(result, now)
            case Duplicate(key):
                desk.conclude(blocks, "executed", f"replied in these words before: {key}")
                desk.tally.duplicates += 1
                detail = "the same words are held already: nothing was signed or sent"
                desk.note("info", "emission-duplicate", reason="duplicate", detail=detail, key=key, keys=keys)
            case EmissionRefused(reason, detail):
                desk.conclude(blocks, "unexecuted", f"its reply was refused: {reason}")
                desk.tally.refused += 1
                desk.note("warn", "emission-refused", reason=reason, detail=detail, keys=keys)
        if token in desk.releasing:
            releasing.ended(desk, token, result)

    def _on_minted(self, minted: Minted, now: Now) -> None:
        desk, block = self._desk, minted.block
        closing = self._noted(block)
        desk.tally.emitted += 1
        for send in minted.sends:
            desk.sends.began(block.key, send)
        desk.note(
            "info",
            "emitted",
            key=block.key,
            parents=list(block.parents),
            to=block.to,
            closing=closing,
            thread=desk.threads.root(block),
            categories=block.said(),
            sends=[
                {"node_id": send.node_id, "name": send.name, "state": send.state.value, "reason": send.reason}
                for send in minted.sends
            ],
        )
        if not minted.sends:
            detail = "nobody is connected: the block is kept here"
            desk.note("warn", "emission-unheard", reason="nobody", detail=detail, key=block.key)
        desk.save()

    def _on_settled(self, key: str, send: PeerSend) -> None:
        self._desk.sends.settled(key, send)
        level = "info" if send.state in _TAKEN else "warn"
        facts = {"key": key, "peer": send.name, "state": send.state.value, "reason": send.reason}
        self._desk.note(level, "settled", **facts, detail=f"{key[:14]} at {send.name}: {send.state.value}")

    def _check_end(self, now: Now) -> None:
        desk, idle = self._desk, self._desk.options.idle_seconds
        if desk.active or desk.releasing or self._over:
            return
        finished = desk.threads.finished(desk.options.participants, self._closings)
        if self._desk.stopping is not None:
            self._end(self._desk.stopping, "")
        elif desk.spent and idle is None:
            self._end("budget", "nothing more may be spent in this run")
        elif self._waiting and not desk.spent:
            return
        elif finished is not None:
            self._end("thread-closed", f"every participant closed its part of {finished}")
        elif idle is not None and self._quiet_since is not None and now.monotonic >= self._quiet_since + idle:
            self._end("budget" if desk.spent else "idle", f"nothing happened for {idle:g} seconds")

    def _end(self, reason: str, detail: str) -> None:
        self._over = True
        if self._waiting:
            kept = [key for key, _ in self._waiting.since()]
            said = "these blocks wait for the next run"
            self._desk.note("warn", "waiting-kept", reason=reason, detail=said, keys=kept)
        self._desk.note("info", "run-ended", reason=reason, detail=detail, tally=self.tally.as_dict())
        self._desk.want(fx.End(reason, detail))

    def _noted(self, block: Block) -> bool:
        closing = self._desk.threads.note(block)
        if closing:
            self._closings.append(block)
        return closing

    def _remember_woken(self, keys: Iterable[str]) -> None:
        self._woken.update(dict.fromkeys(keys))
        while len(self._woken) > AGENT_WOKEN:
            self._woken.pop(next(iter(self._woken)))


def in_order(blocks: Sequence[Block]) -> list[Block]:
    """Order blocks as they came to be: an answer after what it answers, and else by signed time."""
    held = {block.key: block for block in blocks}

    def generation(block: Block, below: frozenset[str] = frozenset()) -> int:
        seen = below | {block.key}
        above = (held[key] for key in block.parents if key in held and key not in seen)
        return 1 + max((generation(parent, seen) for parent in above), default=0)

    return sorted(blocks, key=lambda block: (generation(block), block.created_ms, block.key))
