"""Values that every floor shares: blocks, decisions, deliveries, results of an emission.

Rules: frozen, with slots, no behaviour beyond reading. Nothing here opens, waits or logs.
A value with a verified record in it can only come from the native core (trust is a type).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from enum import Enum, StrEnum
from typing import Literal

from covey.values import Deferred, dataclass

CAT7: tuple[str, ...] = ("focus", "issue", "intent", "motivation", "commitment", "perspective", "mood")
"""The seven categories, in the specification's order (MMP 2.0 §8)."""

TrustMode = Literal["tofu", "strict", "open"]
"""Who gets a session: anyone, whose first key stays; only who is trusted; anyone, and strangers wake."""

LifecycleMove = Literal["validate", "dismiss", "canonise"]
"""What authority can do with a block that another peer authored (MMP 2.0 §6.5)."""

Lifecycle = Literal["observed", "remixed", "validated", "canonical", "dismissed", "archived"]
"""How far understanding of a block has come (MMP 2.0 §6.4)."""

LIFECYCLES: tuple[Lifecycle, ...] = (
    "observed",
    "remixed",
    "validated",
    "canonical",
    "dismissed",
    "archived",
)

Fresh = Literal["model", "tool", "outcome", "person", "application"]
"""Where a remix has something new from: all of these come from outside the mesh (MMP 2.0 §15.7)."""

Reach = Literal["none", "validated", "canonical"]
"""How far somebody's authority may move a block (MMP 2.0 §3.5)."""

NEUTRAL = "neutral"
"""The text a category is minted with when it says nothing (MMP 2.0 §14.3.2)."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether somebody may do something, and the reason in one line."""

    allowed: bool
    reason: str


def said(categories: Mapping[str, str]) -> dict[str, str]:
    """Return only the categories that say something, in CAT7 order."""
    return {name: categories[name] for name in CAT7 if categories.get(name, "") not in ("", NEUTRAL)}


class Decision(StrEnum):
    """The one whole-record decision of admission (MMP 2.0 §9.2)."""

    ALIGNED = "aligned"
    GUARDED = "guarded"
    REDUNDANT = "redundant"
    REJECTED = "rejected"


class SendState(StrEnum):
    """The stated end of a send. A send never ends in silence."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    EXECUTED = "executed"
    REFUSED = "refused"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Block:
    """One record as the Python floors read it: verified, unless `proof` says less."""

    key: str
    assertion_id: str
    node_id: str
    author: str
    created_ms: int
    room: str
    to: str | None
    parents: tuple[str, ...]
    categories: Mapping[str, str]
    proof: str = "signature"
    """What stands behind it: its author's `signature`; `legacy`: a stock peer said so (SECURITY.md);
    `vouched`: whoever passed it on says so, and only its address was checked."""
    lifecycle: Lifecycle = "observed"
    """How far understanding of it had come when it was read."""

    def said(self) -> dict[str, str]:
        """Return only the categories that say something, in CAT7 order."""
        return said(self.categories)


@dataclass(frozen=True, slots=True)
class CategoryVerdict:
    """One category's part in a decision; drift and nearest are None where the category is silent."""

    name: str
    verdict: str
    drift: float | None
    nearest: float | None
    weight: float
    cause: str | None


@dataclass(frozen=True, slots=True)
class Judgement(Deferred):
    """A decision with what it rests on (MMP 2.0 §9.2.1), by which numbers. Drifts are distances in [0, 2]."""

    decision: Decision
    total_drift: float
    field_drift: float
    temporal_drift: float
    categories: tuple[CategoryVerdict, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Basis:
    """What a decision rests on beside its numbers.

    `path` is the way to the decision, `kernel` the encoder's id, `anchors` how many blocks it was compared
    with; `nearest` names for each category that was compared the block it lies nearest to; `lineage` is a
    parent that memory held; `grounding` says that it reports an outcome and may repeat words (§6.7);
    `moved` is by how much merged substrate moved the total drift, None where there is none.
    """

    path: str
    kernel: str
    anchors: int
    nearest: Mapping[str, str]
    lineage: str | None
    grounding: bool
    moved: float | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """One kept decision about a block, or its refusal; ids of a refused block are only what it claimed.

    `outcome` is admitted, redundant, rejected or refused; `reason` and `detail` say why it was refused.
    `thresholds` are the numbers it was decided by; `max_nearest` is the largest distance to a nearest block.
    """

    key: str
    at_ms: int
    node_id: str
    from_node_id: str
    outcome: str
    reason: str | None
    detail: str
    judgement: Judgement | None = None
    basis: Basis | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    max_nearest: float = 0.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """A durable, verified block handed to the application, exactly once.

    `ingested` says whether memory took it (a directed block is delivered whatever admission says, §9.2.2).
    `wakes` says whether its author may wake an agent here (strangers may not).
    """

    block: Block
    judgement: Judgement | None
    ingested: bool
    directed: bool
    wakes: bool
    from_node_id: str
    received_ms: int
    number: int | None = None
    """Its place among all that its sender addressed to this peer, where the sender said so."""
    expires_ms: int | None = None
    """After this (wall milliseconds) it should not be acted on, where the sender said so."""


@dataclass(frozen=True, slots=True)
class PeerSend:
    """What became of one block on its way to one peer."""

    node_id: str
    name: str
    state: SendState
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One directed block at its peer, as the outbox knows it. Times are wall milliseconds.

    `name` is what the peer called itself last, empty where it was never met; `number` is the block's place
    among all that was addressed to it; `closed` says that nothing more is awaited.
    """

    node_id: str
    name: str
    key: str
    assertion_id: str
    number: int
    queued_ms: int
    deadline_ms: int
    state: SendState
    reason: str | None
    closed: bool


@dataclass(frozen=True, slots=True)
class Minted:
    """The block exists, is durable here, and was handed to the sessions of `sends`."""

    block: Block
    sends: tuple[PeerSend, ...]
    severed: str | None = None
    """The root it left so far that it is one itself now and names no parents (MMP 2.0 §15.8)."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same cognition is already held; nothing was signed or sent."""

    key: str


@dataclass(frozen=True, slots=True)
class EmissionRefused:
    """Nothing was emitted. `reason` is a stable word, `detail` is for a person."""

    reason: str
    detail: str


EmissionResult = Minted | Duplicate | EmissionRefused


@dataclass(frozen=True, slots=True)
class Payload:
    """Application bytes that a record authenticates (MMP 2.0 §8.8.3); `schema` is an absolute URI or ""."""

    media_type: str
    schema: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an application wants to put on the mesh, before it is a record."""

    categories: Mapping[str, str]
    parents: tuple[str, ...] = ()
    to: str | None = None
    within_seconds: float | None = None
    """A directed block that its peer has not confirmed by then is expired; None is a day."""
    application: Payload | None = None
    fresh: Fresh | None = None
    """What is new in it, beside own observations: where it comes from (MMP 2.0 §15.7)."""


@dataclass(frozen=True, slots=True)
class Place:
    """One address of one interface; `network` is its prefix, as `10.0.0.0/24`."""

    interface: str
    host: str
    network: str

    @property
    def version(self) -> int:
        """Return 4 or 6."""
        return 6 if ":" in self.host else 4

    @property
    def link_local(self) -> bool:
        """Tell whether it means something on its own link only, for which IPv6 needs the scope."""
        return "%" in self.host


@dataclass(frozen=True, slots=True)
class PathView:
    """One way to a peer: how it was come by, between which addresses, and how it does.

    `rtt_ms` is smoothed over pings and None until the first is answered; `since_ms` is wall time.
    """

    path: str
    address: str
    state: str
    inbound: bool
    carries: bool
    rtt_ms: float | None
    since_ms: int


@dataclass(frozen=True, slots=True)
class PeerView:
    """One peer as `peers` and `status` show it.

    `identity` says what stands behind its key: `proven` by its session, `pinned` by an operator and proven,
    or `claimed` (a stock peer proves nothing). `since_ms` is when its first session of now opened.
    """

    node_id: str
    name: str
    fingerprint: str
    path: str
    state: str
    trusted: bool
    implementation: str = ""
    address: str = ""
    identity: str = "proven"
    since_ms: int = 0
    paths: tuple[PathView, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and money of one model call. `cost_usd` is None when the price is not known.

    `cached_tokens` were read from the vendor's prompt cache and `written_tokens` into it; both are part of
    `input_tokens`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    cached_tokens: int = 0
    written_tokens: int = 0


@dataclass(frozen=True, slots=True)
class PurseRefused:
    """A team's purse does not give what a call may cost; asking again may help after `retry_in_s` seconds."""

    reason: str
    detail: str
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One tool offered to a model: name, what it does, JSON Schema of its input."""

    name: str
    description: str
    input_schema: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's call of a tool. `arguments` is None when the model's JSON could not be read."""

    id: str
    name: str
    arguments: Mapping[str, object] | None
    raw_arguments: str = ""


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool the operator lets a model use. `permission` is allow, or ask: a person decides each call."""

    spec: ToolSpec
    permission: str
    source: str


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a peer's tools came to: those that are there, and what is wrong with the others."""

    offered: tuple[OfferedTool, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What one call of a tool came to; a call never ends in an exception.

    `reason` is a stable word: ok, tool-error, arguments, timeout, unavailable, busy, unknown, denied.
    `cut_bytes` were left out of `text` because the result was too long.
    """

    text: str
    failed: bool = False
    reason: str = "ok"
    cut_bytes: int = 0


@dataclass(frozen=True, slots=True)
class WakeFacts:
    """What a rule-based model may ask about: the waking block, its thread, and the peer itself.

    `thread` is the content key of the thread's root; `heard` names every author with a block in the thread,
    the waking block's included. Travels as `ModelRequest.metadata["wake"]`.
    """

    block: Block
    self_name: str
    self_role: str
    thread: str
    heard: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A model's answer: text, tool calls, what it cost, and why it stopped.

    `carried` is what the vendor wants back unchanged when the conversation goes on (signed thinking, for
    example); only the adapter that made the reply reads it.
    """

    text: str
    tool_calls: tuple[ToolCall, ...]
    usage: Usage
    stop_reason: str
    model: str
    carried: object = None


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a model is told of one of its tool calls; peer-made text in it is quoted already."""

    call_id: str
    name: str
    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """One round trip that was not the last: what the model said, what its calls came to, our remark."""

    said: ModelReply
    answers: tuple[ToolAnswer, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One question to a model: system text, one user message, the rounds since, tools, limits.

    `first_token_seconds` bounds the wait for the first word where the vendor streams; None leaves it to
    `timeout_seconds`. With `json_schema` the answer is one JSON object in the text and no tool is offered.
    """

    system: str
    user: str
    tools: tuple[ToolSpec, ...] = ()
    max_tokens: int = 1024
    timeout_seconds: float = 60.0
    metadata: Mapping[str, object] = field(default_factory=dict)
    """Facts for rule-based adapters, as `{"wake": WakeFacts}`; vendor adapters never send it."""
    rounds: tuple[Round, ...] = ()
    temperature: float | None = None
    first_token_seconds: float | None = None
    json_schema: Mapping[str, object] | None = None


class SpanKind(Enum):
    """What a span stands for towards the outside, in OpenTelemetry's words."""

    INTERNAL = "internal"
    CLIENT = "client"
    CONSUMER = "consumer"
    PRODUCER = "producer"


@dataclass(frozen=True, slots=True)
class Span:
    """One thing that took time, with the steps it was made of. Instants are nanoseconds since the Unix epoch.

    `heard` and `said` are content keys of the block that came in or went out; whoever shows spans links them.
    """

    name: str
    start_ns: int
    end_ns: int
    kind: SpanKind = SpanKind.INTERNAL
    attributes: Mapping[str, str | int | float | bool | tuple[str, ...]] = field(default_factory=dict)
    error: str | None = None
    heard: str | None = None
    said: str | None = None
    steps: tuple[Span, ...] = ()

    def saying(self, more: Mapping[str, str]) -> Span:
        """Return the same span with further attributes."""
        return replace(self, attributes={**self.attributes, **more})
