"""The safety rooms as one face for the engine: may I wake, may I spend, may I say this?

Rules: pure; it joins the rooms and translates their answers into a reason word and, where waiting helps,
the moment to ask again. The engine never sees a window, a cap or a pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, field
from typing import TYPE_CHECKING, Any

from covey.memory.lineage import Lookup
from covey.model import Block, ModelRequest, Proposal, Usage
from covey.safety import (
    Breaker,
    CostGuard,
    CostRefused,
    CycleGuard,
    GateHit,
    Gates,
    GatesHeld,
    Ledger,
    LoopGuard,
    Moment,
    Quarantine,
    Reserved,
    Round,
    Suspect,
    Wait,
    WakeAllowed,
    WakeBudget,
    Window,
)
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.effects import Now

STATE_NAMES = (
    "safety.wakes",
    "safety.cost",
    "safety.threads",
    "safety.ledger",
    "safety.loops",
    "safety.quarantine",
)
"""What is kept across restarts, by name."""

Estimate = Callable[[ModelRequest], float]
"""Says what a call may cost at most, in USD; 0 for a model that costs nothing."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Not now. `until` is the monotonic second to ask again; None means never in this run.

    `for_calls` says that it may be yes once a call under way has ended.
    """

    reason: str
    detail: str
    until: float | None = None
    for_calls: bool = False


@dataclass(frozen=True, slots=True)
class Objection:
    """This must not be. `reason` is a stable word, `detail` is for a person."""

    reason: str
    detail: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    hits: tuple[GateHit, ...] = ()


@dataclass(frozen=True, slots=True)
class Outlook:
    """An answer could go out in these `threads`; `closing_only` says that only a closing one could."""

    threads: tuple[str, ...]
    closing_only: bool


@dataclass(frozen=True, slots=True)
class _Call:
    """What one call under way was given: its reserve, its place at the breaker, the threads it counts for."""

    reserved: Reserved
    probe: bool
    threads: tuple[str, ...]


class Guards:
    """Every safety room of one agent.

    Args:
        wakes: How often it may wake.
        money: What it may spend.
        breaker: Whether its model may be called.
        circles: Whether an answer would go round in a circle.
        loops: Whether the same matter goes round between peers.
        gates: What a person should see first.
        quarantine: Where that waits.
        ledger: The books.
        estimate: The most a call can cost.
        era: Whose boot's monotonic clock the moments are of; empty where nobody knows.
    """

    def __init__(
        self,
        *,
        wakes: WakeBudget,
        money: CostGuard,
        breaker: Breaker,
        circles: CycleGuard,
        loops: LoopGuard,
        gates: Gates,
        quarantine: Quarantine,
        ledger: Ledger,
        estimate: Estimate,
        era: str = "",
    ) -> None:
        """Join the rooms; nothing is counted yet."""
        self.ledger = ledger
        self.gates = gates
        self.quarantine = quarantine
        self._wakes = wakes
        self._money = money
        self._breaker = breaker
        self._circles = circles
        self._loops = loops
        self._estimate = estimate
        self._era = era
        self._calls: dict[int, _Call] = {}
        self._closing: dict[int, tuple[str, ...]] = {}

    # --- before a wake --------------------------------------------------------------------------

    def hold(self, now: Now) -> Hold | None:
        """Return why no wake may start now, or None. Uses nothing up."""
        view = self._breaker.view(now.monotonic)
        if view.retry_in_s > 0:
            return self._model_rests(view.retry_in_s, now)
        if view.probing:
            # The probe's own end is an event, and the question is asked again then.
            return Hold("breaker", "the model is being tried with one call", for_calls=True)
        counts = self._wakes.counts(now.monotonic)
        for window, cap in self._wakes.caps.items():
            count = getattr(counts, window.word)
            if count >= cap:
                detail = f"{count} of {cap} wakes in this {window.word} are used"
                # The budget itself says how long when asked to take; a second is soon enough to ask again.
                return Hold(f"wakes-{window.word}", detail, now.monotonic + _recheck(window))
        return None

    def wake(self, now: Now) -> Objection | None:
        """Use up one wake. Returns a warning when it brought a window near its end."""
        taken = self._wakes.take(now.monotonic)
        self.ledger.woke()
        if isinstance(taken, WakeAllowed) and taken.nearly_used is not None:
            window = taken.nearly_used
            cap, count = self._wakes.caps[window], getattr(taken.counts, window.word)
            return Objection("wake-budget-low", f"{count} of {cap} wakes in this {window.word} are used")
        return None

    def outlook(self, waking: Sequence[Block], lookup: Lookup, now: Now) -> Outlook | Objection:
        """Say, before a model is paid, whether any answer to these blocks could go out."""
        closing_only, threads = False, dict[str, None]()
        for block in waking:
            going_round = self._loops.before_call(block.author, block.said(), now.monotonic)
            if going_round is not None:
                return _loop(going_round)
            seen = self._circles.before_call(block.key, lookup)
            if isinstance(seen, Suspect):
                return _circle(seen)
            closing_only = closing_only or seen.closing_only
            threads.update(dict.fromkeys(seen.threads))
        return Outlook(tuple(threads), closing_only)

    # --- around a call --------------------------------------------------------------------------

    def reserve(self, token: int, request: ModelRequest, outlook: Outlook, now: Now) -> Hold | float:
        """Set aside what the call may cost at most, and ask the breaker; Hold when either says no.

        Returns:
            The USD set aside: the call is counted for its threads, and must be made or given back.
        """
        reserved = self._money.reserve(self._estimate(request), now.monotonic)
        if isinstance(reserved, CostRefused):
            detail = (
                f"a call may cost ${reserved.needed_usd:.6f}, ${reserved.spent_usd:.6f} of "
                f"${reserved.cap_usd:g} per {reserved.window} are spent"
            )
            if reserved.reserved_usd:
                detail += f" and ${reserved.reserved_usd:.6f} set aside"
            until = None if reserved.retry_in_s is None else now.monotonic + reserved.retry_in_s
            return Hold(reserved.reason, detail, until, for_calls=reserved.fits_later and bool(self._calls))
        attempt = self._breaker.attempt(now.monotonic)
        if isinstance(attempt, Wait):
            self._money.release(reserved)
            if attempt.reason == "probing":
                return Hold("breaker", "the model is being tried with one call", for_calls=True)
            return self._model_rests(attempt.retry_in_s, now)
        self._calls[token] = _Call(reserved, attempt.probe, outlook.threads)
        self._circles.called(outlook.threads)
        return reserved.usd

    def give_back(self, token: int) -> None:
        """Hear that a call was not made after all: nothing of it counts."""
        call = self._calls.pop(token)
        self._money.release(call.reserved)
        self._breaker.abandoned(probe=call.probe)
        self._circles.uncalled(call.threads)

    def answered(self, token: int, usage: Usage, now: Now) -> float:
        """Book what the call really cost; where the price is not known, all that was set aside.

        Returns:
            The USD that were booked.
        """
        call = self._calls.pop(token)
        booked = self._money.settle(call.reserved, usage.cost_usd, now.monotonic)
        self._breaker.success(probe=call.probe)
        self.ledger.called(usage, booked if usage.cost_usd is None else 0.0)
        return booked

    def failed(
        self, token: int, now: Now, *, charged: bool, retry_after: float | None, chance: float = 0.0
    ) -> tuple[float, float]:
        """Book a failed call; `charged` says that it may have cost what was set aside.

        Args:
            token: The call's.
            now: When it failed.
            charged: Whether it may have cost something.
            retry_after: Seconds the vendor asked for.
            chance: A random number from 0 to 1, for the pause.

        Returns:
            Seconds until the model may be asked again, and the USD that were booked.
        """
        call, booked = self._calls.pop(token), 0.0
        if charged:
            booked = self._money.settle(call.reserved, None, now.monotonic)
        else:
            self._money.release(call.reserved)
        pause = self._breaker.failure(
            now.monotonic, retry_after_s=retry_after, probe=call.probe, chance=chance
        )
        self.ledger.call_failed(booked)
        return pause, booked

    # --- before a block, and after --------------------------------------------------------------

    def objection(
        self, token: int, proposal: Proposal, lookup: Lookup, *, gates: bool = True
    ) -> Objection | None:
        """Return why this answer must not go out (a circle, a gate), or None.

        With None the answer must be proposed and `ended` be told: a closing one counts as its thread's last
        word from now on, so that two wakes at once cannot both close it.

        Args:
            token: The wake's, or the quarantined answer's.
            proposal: What would go out.
            lookup: The stored blocks.
            gates: False where a person has looked at it.
        """
        seen = self._circles.before_emission(proposal.parents, proposal.categories, lookup)
        if isinstance(seen, Suspect):
            return _circle(seen)
        checked = self.gates.check(proposal.categories) if gates else None
        if isinstance(checked, GatesHeld):
            first = checked.hits[0]
            facts = {"hits": [asdict(hit) for hit in checked.hits]}
            return Objection("gate", f"{first.gate} in {first.category}: {first.found}", facts, checked.hits)
        if seen.closes:
            self._circles.close(seen.threads)
            self._closing[token] = seen.threads
        return None

    def call_objection(self, tool: str, arguments: str) -> str | None:
        """Return which gate wants a person to see a tool's call, or None.

        Args:
            tool: The tool's name.
            arguments: Its arguments, as text.
        """
        # A gate looks at categories; what a tool is to do is an intent.
        checked = self.gates.check({"intent": f"{tool} {arguments}"})
        return f"gate: {checked.hits[0].gate}" if isinstance(checked, GatesHeld) else None

    def ended(self, token: int, block: Block | None, now: Now) -> None:
        """Hear what became of a proposed answer: a block that exists now, or nothing."""
        closing = self._closing.pop(token, None)
        if block is None:
            self._circles.reopen(closing or ())
            return
        self.ledger.emitted()
        self._loops.spoke(block.said(), now.monotonic)

    def heard(self, block: Block, now: Now) -> None:
        """Hear of somebody's block that may wake this agent."""
        self._loops.heard(block.author, block.said(), now.monotonic)

    def moment(self, now: Now) -> Moment:
        """Return a moment as the rooms keep it."""
        return Moment(now.monotonic, now.wall_ms, self._era)

    # --- across restarts ------------------------------------------------------------------------

    def state(self, now: Now) -> dict[str, bytes]:
        """Return what must survive a restart, by name."""
        moment = self.moment(now)
        documents = (
            self._wakes.export(moment),
            self._money.export(moment),
            self._circles.export(),
            self.ledger.export(),
            self._loops.export(moment),
            self.quarantine.export(moment),
        )
        return dict(zip(STATE_NAMES, documents, strict=True))

    def restore(self, read: Callable[[str], bytes | None], now: Now) -> None:
        """Take over what an earlier run left.

        Args:
            read: Returns the state saved under a name, or None.
            now: The moment of the restart.

        Raises:
            StoreError: A saved state cannot be read; forgetting it would fail open.
        """
        moment = self.moment(now)
        takers: tuple[Callable[[bytes], None], ...] = (
            lambda raw: self._wakes.restore(raw, moment),
            lambda raw: self._money.restore(raw, moment),
            self._circles.restore,
            self.ledger.restore,
            lambda raw: self._loops.restore(raw, moment),
            lambda raw: self.quarantine.restore(raw, moment),
        )
        for name, take in zip(STATE_NAMES, takers, strict=True):
            raw = read(name)
            if raw is not None:
                take(raw)

    def status(self, now: Now) -> dict[str, Any]:
        """Return windows, caps, breaker and gates for `status`, as JSON values."""
        view = self._breaker.view(now.monotonic)
        return {
            "wakes": asdict(self._wakes.counts(now.monotonic)),
            "wake_caps": {window.word: cap for window, cap in self._wakes.caps.items()},
            "cost": asdict(self._money.view(now.monotonic)),
            "cost_caps": dict(self._money.caps),
            "breaker": {
                "state": "probing" if view.probing else view.state.value,
                "failures": view.failures,
                "retry_in_s": round(view.retry_in_s, 3),
            },
            "gates": self.gates.describe(),
            "quarantine": {
                "waiting": len(self.quarantine.waiting()),
                "expires_after_s": self.quarantine.seconds,
            },
        }

    def _model_rests(self, seconds: float, now: Now) -> Hold:
        return Hold("breaker", f"the model failed and rests for {seconds:.1f} s", now.monotonic + seconds)


def _recheck(window: Window) -> float:
    """Return how soon to look again: windows slide, so a sixtieth of one is as good as exact."""
    return window.length_ms / 60_000


def _loop(seen: Round) -> Objection:
    peers = ", ".join(seen.peers[:8])
    detail = f"the same matter went round {seen.rounds} times with {peers}"
    return Objection("loop", detail, {"rounds": seen.rounds, "peers": list(seen.peers[:8])})


def _circle(seen: Suspect) -> Objection:
    facts = {"hops": seen.hops, "hit_key": seen.hit_key, "hit_depth": seen.hit_depth}
    details = {
        "self-ancestor": "it would answer an own answer without closing",
        "thread-closed": "this peer has closed its part of the thread",
        "thread-calls-used": "this peer has used up its model calls for the thread",
        "too-many-hops": f"the chain of answers is {seen.hops} long",
        "lineage-too-wide": "the lineage is too wide to be walked",
    }
    return Objection(seen.reason, details.get(seen.reason, seen.reason), facts)
