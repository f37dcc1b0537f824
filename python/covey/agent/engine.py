"""The agent loop as a pure engine: a block wakes it, a model answers, safety agrees, a block goes out.

    Heard → waiting → (budget, breaker) → Claim → context → (cost reserve) → Ask → reply
          → (circle, gates) → Emit → Ended

Rules: no clock, no socket, no randomness; `handle(event, now)` returns effects and `next_timer` says when a
Tick is due. Every decision leaves a Note with its reason. A number in the tally is raised where the thing
happened: a block is counted as emitted when the mesh said Minted, and never before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from covey.agent import effects as fx
from covey.agent.asking import ask, call_failed, replied, used
from covey.agent.desk import Desk, Wake
from covey.agent.guards import Guards, Hold
from covey.agent.options import EngineOptions, Tally
from covey.agent.prompt import Persona
from covey.agent.threads import ThreadBook
from covey.agent.waiting import Waiting
from covey.limits import AGENT_WOKEN, THREAD_CLOSINGS
from covey.model import (
    Block,
    Delivery,
    Duplicate,
    EmissionRefused,
    EmissionResult,
    Equipment,
    Minted,
    PeerView,
)

if TYPE_CHECKING:
    from covey.ports import Memory
    from covey.proto.effects import Now


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
        self._desk = Desk(persona, options, memory, guards, peers, secret, ThreadBook(memory.block))
        self._waiting = Waiting(options.max_waiting)
        self._woken: dict[str, None] = {}
        self._restored: dict[str, str] = {}
        """What an earlier run left, by assertion id: its key."""
        self._expires: dict[str, int] = {}
        """When blocks addressed to this peer expire, by assertion id."""
        self._tokens = 0
        self._held: Hold | None = None
        self._stopping: str | None = None
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
        was_busy = self._busy
        self._take(event, now)
        self._resume_paused(now)
        self._pump(now)
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
        idle = self._desk.options.idle_seconds
        if idle is not None and self._quiet_since is not None and not active:
            times.append(self._quiet_since + idle)
        return min(times, default=None)

    @property
    def tally(self) -> Tally:
        """Return what happened so far."""
        return self._desk.tally

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
            case fx.Recalled(blocks):
                for block in reversed(blocks):
                    desk.threads.note(block)
            case fx.Heard(delivery):
                if delivery.block.assertion_id not in self._restored:
                    self._on_heard(delivery, now)
            case fx.Restored(deliveries):
                self._restored = {each.block.assertion_id: each.block.key for each in deliveries}
                for delivery in deliveries:
                    self._on_heard(delivery, now)
            case fx.Claimed(token, fresh):
                self._on_claimed(desk.active[token], fresh, now)
            case fx.ClaimFailed(token, reason):
                desk.drop(desk.active[token], "claim-failed", reason, level="error")
            case fx.Replied(token):
                replied(desk, desk.active[token], event, now)
            case fx.Equipped(equipment):
                self._on_equipped(equipment)
            case fx.Used(token):
                used(desk, desk.active[token], event, now)
            case fx.CallFailed(token):
                call_failed(desk, desk.active[token], event, now, stopping=self._stopping is not None)
            case fx.Ended(token, result):
                self._on_ended(desk.active.pop(token), result, now)
            case fx.Settled(key, send):
                desk.note(
                    "info", "settled", key=key, peer=send.name, state=send.state.value, reason=send.reason
                )
            case fx.Stop(reason):
                self._stopping = self._stopping or reason
            case fx.Tick():
                pass

    def _on_equipped(self, equipment: Equipment) -> None:
        desk = self._desk
        desk.tools = {tool.spec.name: tool for tool in equipment.offered}
        for problem in equipment.problems:
            desk.note("warn", "tool-missing", detail=problem)
        offered = {name: tool.permission for name, tool in desk.tools.items()}
        desk.note("info", "tools-ready", tools=offered)

    # --- hearing and waking ---------------------------------------------------------------------

    def _on_heard(self, delivery: Delivery, now: Now) -> None:
        desk, block = self._desk, delivery.block
        if block.node_id == desk.persona.node_id:
            return
        desk.tally.heard += 1
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
            answers_own=desk.answers_own(block),
            closing=closing,
        )
        reason = self._why_not(delivery, now)
        if reason is not None:
            desk.skip([block], reason)
            return
        if delivery.expires_ms is not None:
            self._expires[block.assertion_id] = delivery.expires_ms
            while len(self._expires) > AGENT_WOKEN:
                del self._expires[next(iter(self._expires))]
        pushed_out = self._waiting.add(block)
        if pushed_out is not None:
            desk.skip([pushed_out], "queue-full")

    def _why_not(self, delivery: Delivery, now: Now) -> str | None:
        """Return why this block wakes nobody, or None."""
        if not delivery.wakes:
            return "stranger"
        if delivery.expires_ms is not None and delivery.expires_ms <= now.wall_ms:
            return "expired"
        key = delivery.block.key
        if key in self._woken or key in self._waiting:
            return "already-woken"
        if self._stopping is not None:
            return "stopping"
        return "closed" if self._desk.has_closed(delivery.block) else None

    def _pump(self, now: Now) -> None:
        """Start wakes while there is something to answer and something to answer it with."""
        desk = self._desk
        if self._stopping is not None:
            desk.skip(self._waiting.clear(), "stopping")
        desk.skip(self._waiting.drop_where(desk.has_closed), "closed")
        late = self._waiting.drop_where(
            lambda block: self._expires.get(block.assertion_id, now.wall_ms + 1) <= now.wall_ms
        )
        desk.skip(late, "expired")
        if desk.options.awaits_tools and desk.tools is None:
            return
        while self._waiting and len(desk.active) < desk.options.max_in_flight:
            if desk.calls_left() == 0:
                desk.spent = True
                desk.skip(self._waiting.clear(), "call-budget")
                return
            if self._is_held(now):
                return
            root, blocks = self._waiting.take(desk.options.max_coalesced, desk.threads.root)
            self._tokens += 1
            wake = Wake(self._tokens, root, in_order(blocks))
            desk.active[wake.token] = wake
            # From here on the blocks count as in hand, so that none can wake the agent a second time.
            self._remember_woken(wake.keys)
            desk.want(fx.Claim(wake.token, wake.keys))

    def _is_held(self, now: Now) -> bool:
        hold = self._desk.guards.hold(now)
        if hold is not None and (self._held is None or self._held.reason != hold.reason):
            self._desk.note("warn", "wake-deferred", reason=hold.reason, detail=hold.detail)
        self._held = hold
        return hold is not None

    def _on_claimed(self, wake: Wake, fresh: tuple[str, ...], now: Now) -> None:
        desk = self._desk
        # A key that was marked before this run, of a block that had no end yet: that run was cut off over it.
        left = set(self._restored.values())
        woken = [block for block in wake.blocks if block.key not in fresh]
        desk.skip([block for block in woken if block.key in left], "interrupted")
        desk.skip([block for block in woken if block.key not in left], "already-woken")
        wake.blocks = [block for block in wake.blocks if block.key in fresh]
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
        desk.save(now)

    def _resume_paused(self, now: Now) -> None:
        for wake in list(self._desk.active.values()):
            if wake.retry_at is None:
                continue
            if self._stopping is not None:
                self._desk.drop(wake, "stopping", self._stopping)
            elif now.monotonic >= wake.retry_at:
                hold = self._desk.guards.hold(now)
                # The wake's own place in the budget is used already; only an open breaker still counts.
                if hold is not None and hold.reason == "breaker":
                    wake.retry_at = hold.until
                else:
                    ask(self._desk, wake, now)

    # --- the end of a wake, and of a run --------------------------------------------------------

    def _on_ended(self, wake: Wake, result: EmissionResult, now: Now) -> None:
        desk, keys = self._desk, list(wake.keys)
        match result:
            case Minted(block):
                desk.conclude(wake.blocks, "executed", f"replied: {block.key}")
                self._on_minted(result, now)
            case Duplicate(key):
                desk.conclude(wake.blocks, "executed", f"replied in these words before: {key}")
                desk.tally.duplicates += 1
                desk.note("info", "emission-duplicate", key=key, keys=keys)
            case EmissionRefused(reason, detail):
                desk.conclude(wake.blocks, "unexecuted", f"its reply was refused: {reason}")
                desk.tally.refused += 1
                desk.note("warn", "emission-refused", reason=reason, detail=detail, keys=keys)

    def _on_minted(self, minted: Minted, now: Now) -> None:
        desk, block = self._desk, minted.block
        closing = self._noted(block)
        desk.tally.emitted += 1
        desk.guards.emitted(block, desk.threads.block)
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
        desk.save(now)

    def _check_end(self, now: Now) -> None:
        desk, idle = self._desk, self._desk.options.idle_seconds
        if desk.active or self._over:
            return
        finished = desk.threads.finished(desk.options.participants, self._closings)
        if self._stopping is not None:
            self._end(self._stopping, "")
        elif self._waiting:
            return
        elif finished is not None:
            self._end("thread-closed", f"every participant closed its part of {finished}")
        elif desk.spent and idle is None:
            self._end("budget", "nothing more may be spent in this run")
        elif idle is not None and self._quiet_since is not None and now.monotonic >= self._quiet_since + idle:
            self._end("budget" if desk.spent else "idle", f"nothing happened for {idle:g} seconds")

    def _end(self, reason: str, detail: str) -> None:
        self._over = True
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
