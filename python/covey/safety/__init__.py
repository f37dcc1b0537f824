"""What keeps an agent within bounds: wakes, money, circles, loops, gates, quarantine, breaker, the books."""

from covey.safety.breaker import Breaker, BreakerState, BreakerView, Go, Wait
from covey.safety.budget import WakeAllowed, WakeBudget, WakeCounts, WakeDenied, Window
from covey.safety.cost import CostGuard, CostRefused, CostView, Reserved
from covey.safety.cycle import Clear, CycleGuard, Lookup, Suspect, is_closing
from covey.safety.gates import Gate, GateHit, Gates, GatesHeld, GatesPassed
from covey.safety.ledger import Ledger, Totals
from covey.safety.loops import LoopGuard, Round
from covey.safety.quarantine import Held, Quarantine, Refusal
from covey.safety.state import Moment

__all__ = [
    "Breaker",
    "BreakerState",
    "BreakerView",
    "Clear",
    "CostGuard",
    "CostRefused",
    "CostView",
    "CycleGuard",
    "Gate",
    "GateHit",
    "Gates",
    "GatesHeld",
    "GatesPassed",
    "Go",
    "Held",
    "Ledger",
    "Lookup",
    "LoopGuard",
    "Moment",
    "Quarantine",
    "Refusal",
    "Reserved",
    "Round",
    "Suspect",
    "Totals",
    "Wait",
    "WakeAllowed",
    "WakeBudget",
    "WakeCounts",
    "WakeDenied",
    "Window",
    "is_closing",
]
