"""The agent engine's vocabulary: what happens to it (events) and what it wants done (effects).

Rules: frozen values only. Time travels as an argument; tokens join an effect with the event that answers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from covey.errors import ModelError
from covey.model import (
    Block,
    Delivery,
    EmissionResult,
    Equipment,
    ModelReply,
    ModelRequest,
    PeerSend,
    Proposal,
    ToolCall,
    ToolOutcome,
)

# --- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recalled:
    """What memory held when the run began, newest first: threads go on where they stood."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """A durable block reached this peer."""

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Restored:
    """What an earlier run left without an end: durable, and perhaps acted on. Oldest first."""

    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer to Claim: which of the keys had never woken this agent before, now marked for good."""

    token: int
    fresh: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClaimFailed:
    """The wake could not be marked; it must not go on, or a restart would pay for it twice."""

    token: int
    reason: str


@dataclass(frozen=True, slots=True)
class Replied:
    """The model answered."""

    token: int
    reply: ModelReply
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class CallFailed:
    """The model did not answer."""

    token: int
    error: ModelError


@dataclass(frozen=True, slots=True)
class Equipped:
    """Which tools there are for this run; before, no wake begins where tools are awaited."""

    equipment: Equipment


@dataclass(frozen=True, slots=True)
class Used:
    """What the calls of a Use came to, in their order."""

    token: int
    outcomes: tuple[ToolOutcome, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """The typed end of an Emit."""

    token: int
    result: EmissionResult


@dataclass(frozen=True, slots=True)
class Settled:
    """A peer said what became of an own block, or will never say."""

    key: str
    send: PeerSend


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline may have passed."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Take no new wake; finish what is in flight; then End with this reason."""

    reason: str


Event = (
    Recalled
    | Heard
    | Restored
    | Claimed
    | ClaimFailed
    | Replied
    | CallFailed
    | Equipped
    | Used
    | Ended
    | Settled
    | Tick
    | Stop
)

# --- effects ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """Mark these blocks as having woken the agent, durably; answer with Claimed or ClaimFailed."""

    token: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Call the model; answer with Replied or CallFailed."""

    token: int
    request: ModelRequest


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One call of a tool. With `ask` a person must say yes first; it says why."""

    call: ToolCall
    ask: str | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """Call these tools, one after the other; answer with Used."""

    token: int
    uses: tuple[ToolUse, ...]


@dataclass(frozen=True, slots=True)
class Emit:
    """Put a block on the mesh; answer with Ended."""

    token: int
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Conclude:
    """The agent has finished with a block addressed to this peer; its sender hears it.

    `how` is executed (it acted on it, or decided not to), unexecuted (it could not) or expired (too late).
    """

    assertion_id: str
    how: str
    why: str


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the run's record: a decision, with its reason and its facts."""

    level: str
    event: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Save:
    """The safety state changed: keep `state` where a restart finds it."""

    state: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class End:
    """The run is over, for a stated reason; nothing is in flight."""

    reason: str
    detail: str = ""


Effect = Claim | Ask | Use | Emit | Conclude | Note | Save | End
