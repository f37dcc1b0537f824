"""The safety rooms as one face for the engine: may I wake, may I spend, may I say this?

Rules: pure; it joins the rooms and translates their answers into a reason word and, where waiting helps,
the moment to ask again. The engine never sees a window, a cap or a pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from covey.memory.lineage import Lookup
from covey.model import Block, ModelRequest, Usage
from covey.safety import (
    Breaker,
    CostGuard,
    CostRefused,
    CycleGuard,
    Gates,
    GatesHeld,
    Ledger,
    Reserved,
    Suspect,
    Wait,
    WakeAllowed,
    WakeBudget,
    Window,
)

if TYPE_CHECKING:
    from covey.proto.effects import Now

STATE_NAMES = ("safety.wakes", "safety.cost", "safety.threads", "safety.ledger")
"""What is kept across restarts, by name."""

Estimate = Callable[[ModelRequest], float]
"""Says what a call may cost at most, in USD; 0 for a model that costs nothing."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Not now. `until` is the monotonic second to ask again; None means never in this run."""

    reason: str
    detail: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Objection:
    """This must not be. `reason` is a stable word, `detail` is for a person."""

    reason: str
    detail: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outlook:
    """An answer could go out in these `threads`; `closing_only` says that only a closing one could."""

    threads: tuple[str, ...]
    closing_only: bool


class Guards:
    """Every safety room of one agent.

    Args:
        wakes: How often it may wake.
        money: What it may spend.
        breaker: Whether its model may be called.
        circles: Whether an answer would go round in a circle.
        gates: What a person should see first.
        ledger: The books.
        estimate: The most a call can cost.
    """

    def __init__(
        self,
        *,
        wakes: WakeBudget,
        money: CostGuard,
        breaker: Breaker,
        circles: CycleGuard,
        gates: Gates,
        ledger: Ledger,
        estimate: Estimate,
    ) -> None:
        """Join the rooms; nothing is counted yet."""
        self.ledger = ledger
        self.gates = gates
        self._wakes = wakes
        self._money = money
        self._breaker = breaker
        self._circles = circles
        self._estimate = estimate
        self._reserved: dict[int, Reserved] = {}

    # --- before a wake --------------------------------------------------------------------------

    def hold(self, now: Now) -> Hold | None:
        """Return why no wake may start now, or None. Uses nothing up."""
        view = self._breaker.view(now.monotonic)
        if view.retry_in_s > 0:
            return self._model_rests(view.retry_in_s, now)
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

    def outlook(self, waking: Sequence[Block], lookup: Lookup) -> Outlook | Objection:
        """Say, before a model is paid, whether any answer to these blocks could go out."""
        closing_only, threads = False, dict[str, None]()
        for block in waking:
            seen = self._circles.before_call(block.key, lookup)
            if isinstance(seen, Suspect):
                return _circle(seen)
            closing_only = closing_only or seen.closing_only
            threads.update(dict.fromkeys(seen.threads))
        return Outlook(tuple(threads), closing_only)

    # --- around a call --------------------------------------------------------------------------

    def reserve(self, token: int, request: ModelRequest, outlook: Outlook, now: Now) -> Hold | None:
        """Set aside what the call may cost at most, and ask the breaker; Hold when either says no.

        With None the call is counted for its threads and must be made.
        """
        reserved = self._money.reserve(self._estimate(request), now.monotonic)
        if isinstance(reserved, CostRefused):
            detail = (
                f"a call may cost ${reserved.needed_usd:.6f}, ${reserved.spent_usd:.6f} of "
                f"${reserved.cap_usd:g} per {reserved.window} are spent"
            )
            until = None if reserved.retry_in_s is None else now.monotonic + reserved.retry_in_s
            return Hold(reserved.reason, detail, until)
        attempt = self._breaker.attempt(now.monotonic)
        if isinstance(attempt, Wait):
            self._money.release(reserved)
            return self._model_rests(attempt.retry_in_s, now)
        self._reserved[token] = reserved
        self._circles.called(outlook.threads)
        return None

    def answered(self, token: int, usage: Usage, now: Now) -> None:
        """Book what the call really cost; where the price is not known, all that was set aside."""
        booked = self._money.settle(self._reserved.pop(token), usage.cost_usd, now.monotonic)
        self._breaker.success()
        self.ledger.called(usage, booked if usage.cost_usd is None else 0.0)

    def failed(self, token: int, now: Now, *, charged: bool, retry_after: float | None) -> float:
        """Book a failed call; `charged` says that it may have cost what was set aside.

        Returns:
            Seconds until the model may be asked again.
        """
        reserved = self._reserved.pop(token)
        booked = 0.0
        if charged:
            booked = self._money.settle(reserved, None, now.monotonic)
        else:
            self._money.release(reserved)
        self._breaker.failure(now.monotonic, retry_after_s=retry_after)
        self.ledger.call_failed(booked)
        return self._breaker.view(now.monotonic).retry_in_s

    # --- before a block, and after --------------------------------------------------------------

    def objection(
        self, categories: Mapping[str, str], parents: Sequence[str], lookup: Lookup
    ) -> Objection | None:
        """Return why this answer must not go out (a circle, a gate), or None."""
        seen = self._circles.before_emission(parents, categories, lookup)
        if isinstance(seen, Suspect):
            return _circle(seen)
        checked = self.gates.check(categories)
        if isinstance(checked, GatesHeld):
            hits = [asdict(hit) for hit in checked.hits]
            first = checked.hits[0]
            return Objection("gate", f"{first.gate} in {first.category}: {first.found}", {"hits": hits})
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

    def emitted(self, block: Block, lookup: Lookup) -> None:
        """Hear of an own block that exists now; a closing one closes its threads."""
        self.ledger.emitted()
        seen = self._circles.before_emission(block.parents, block.said(), lookup)
        if not isinstance(seen, Suspect) and seen.closes:
            self._circles.close(seen.threads)

    # --- across restarts ------------------------------------------------------------------------

    def state(self, now: Now) -> dict[str, bytes]:
        """Return what must survive a restart, by name."""
        documents = (
            self._wakes.export(now.monotonic, now.wall_ms),
            self._money.export(now.monotonic, now.wall_ms),
            self._circles.export(),
            self.ledger.export(),
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
        wakes, cost, threads, ledger = (read(name) for name in STATE_NAMES)
        if wakes is not None:
            self._wakes.restore(wakes, now.monotonic, now.wall_ms)
        if cost is not None:
            self._money.restore(cost, now.monotonic, now.wall_ms)
        if threads is not None:
            self._circles.restore(threads)
        if ledger is not None:
            self.ledger.restore(ledger)

    def status(self, now: Now) -> dict[str, Any]:
        """Return windows, caps, breaker and gates for `status`, as JSON values."""
        view = self._breaker.view(now.monotonic)
        return {
            "wakes": asdict(self._wakes.counts(now.monotonic)),
            "wake_caps": {window.word: cap for window, cap in self._wakes.caps.items()},
            "cost": asdict(self._money.view(now.monotonic)),
            "cost_caps": dict(self._money.caps),
            "breaker": {"state": view.state.value, "failures": view.failures, "retry_in_s": view.retry_in_s},
            "gates": self.gates.describe(),
        }

    def _model_rests(self, seconds: float, now: Now) -> Hold:
        return Hold("breaker", f"the model failed and rests for {seconds:.1f} s", now.monotonic + seconds)


def _recheck(window: Window) -> float:
    """Return how soon to look again: windows slide, so a sixtieth of one is as good as exact."""
    return window.length_ms / 60_000


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
