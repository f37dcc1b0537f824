"""The agent engine's vocabulary: what happens to it (events) and what it wants done (effects).

Rules: frozen values only. Time travels as an argument; tokens join an effect with the event that answers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from covey.agent.waiting import Kept
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
    Usage,
)
from covey.values import dataclass

# --- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recalled:
    """What memory held when the run began, newest first: threads go on where they stood.

    `kept` are the blocks that an earlier run deferred and never answered.
    """

    blocks: tuple[Block, ...]
    kept: tuple[Kept, ...] = ()


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
    """The answer to Claim: which of the keys had never woken this agent before."""

    token: int
    fresh: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClaimFailed:
    """Nobody can say whether the blocks woke it before; the wake must not go on, or be paid for twice."""

    token: int
    reason: str


@dataclass(frozen=True, slots=True)
class Secured:
    """The answer to Secure: a restart would find the state, and the money is set aside."""

    token: int


@dataclass(frozen=True, slots=True)
class NotSecured:
    """It could not be made durable, or the team's purse refuses; nothing may be spent or sent.

    `retry_in_s` says when asking again may help; None means never in this run.
    """

    token: int
    reason: str
    detail: str
    retry_in_s: float | None


@dataclass(frozen=True, slots=True)
class Decide:
    """A person's word on an answer in quarantine; `ref` joins it with its Decided."""

    ref: int
    word: str
    approve: bool
    why: str = ""


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
    | Secured
    | NotSecured
    | Replied
    | CallFailed
    | Equipped
    | Used
    | Ended
    | Settled
    | Decide
    | Tick
    | Stop
)

# --- effects ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """Say which of these blocks never woke the agent; answer with Claimed or ClaimFailed.

    They are marked together with the state, by the next Secure or Save: before anything is spent on them.
    """

    token: int
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Secure:
    """Make the safety state and all claims durable, in one; then set `usd` aside in the team's purse.

    Answer with Secured or NotSecured: nothing is spent or let out of quarantine before a restart would know.
    """

    token: int
    usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Book:
    """Tell the team's purse what became of what Secure set aside: it cost `usd`; 0 gives all of it back."""

    token: int
    usd: float
    usage: Usage | None = None


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
    """The safety state changed: keep what the engine's `state` gives where a restart finds it."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person's word led to; `result` is approved, denied or refused, with its facts."""

    ref: int
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class End:
    """The run is over, for a stated reason; nothing is in flight."""

    reason: str
    detail: str = ""


Effect = Claim | Secure | Book | Ask | Use | Emit | Conclude | Note | Save | Decided | End
