"""The settings of one peer: every key of agent.toml with its type, default, bounds and purpose.

Rules: this table is the only place where a key is defined; the reader, the JSON Schema and the messages are
made from it. Values are frozen. An object that exists is valid when it was read by `load`, `parse` or
`from_mapping`; code that builds one by hand answers for its values itself.
"""

from __future__ import annotations

from pathlib import Path

from covey import limits
from covey.model import CAT7, TrustMode
from covey.settings import grammar
from covey.settings.gates import GATE_NAMES
from covey.settings.grammar import StaticPeer
from covey.settings.prompt import PromptSettings
from covey.settings.roles import HIGH_WEIGHT
from covey.settings.rules import Flag, ListOf, OneOf, Real, Text, Whole, key
from covey.settings.scripted import ScriptedSettings
from covey.settings.svaf import SvafSettings
from covey.settings.table import Table
from covey.settings.thinking import ModelSettings
from covey.settings.tools import ToolsSettings
from covey.settings.work import WorkSettings
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """Who the peer is to people. Its key and nodeId live in its home, not here."""

    name: str = key(
        Text(1, limits.PEER_NAME_BYTES, parse=grammar.peer_name), "the peer's name; also its directory's name"
    )
    role: str = key(
        Text(1, 200),
        "what the peer is for (its name, if not said); well-known roles bring weights",
        default="",
    )

    def __post_init__(self) -> None:
        """Let the role be the name where no role is given."""
        if not self.role:
            object.__setattr__(self, "role", self.name)


@dataclass(frozen=True, slots=True)
class MeshSettings:
    """Where the peer meets others."""

    room: str = key(
        Text(1, limits.ROOM_NAME_CHARS, parse=grammar.room_name, pattern=r"^[a-z0-9._-]{1,64}$"),
        "only peers of one room hear each other",
        default="default",
        older="group",
    )
    lan: bool = key(
        Flag(), "bind and advertise on the local network too, not only on this machine", default=False
    )
    interfaces: tuple[str, ...] = key(
        ListOf(Text(1, 64, parse=grammar.interface), limits.INTERFACES),
        "with lan: names or addresses of the interfaces to use, eth0 for instance; none is all of them",
        default=(),
    )
    listen: int = key(Whole(0, 65_535), "TCP port to listen on; 0 takes a free one", default=0)
    peers: tuple[StaticPeer, ...] = key(
        ListOf(Text(1, 400, parse=StaticPeer.parse), limits.STATIC_PEERS),
        "addresses to dial, as host:port, or as host:port#<key fingerprint> where one key only may answer",
        default=(),
    )
    heartbeat_seconds: int = key(
        Whole(1, 59), "silence after which a peer is asked whether it is still there", default=10
    )
    silence_seconds: int = key(
        Whole(21, 600), "silence after which its session ends, longer than two heartbeats", default=120
    )
    room_owner: str | None = key(
        Text(1, 60, parse=grammar.public_key),
        "public key of the room's owner; only peers with the owner's grant are let in",
        default=None,
    )
    room_grant: Path | None = key(
        Text(1, 4_096, parse=Path), "file with the grant this peer shows, made by covey grant", default=None
    )
    attest: bool = key(
        Flag(),
        "tell the room what was decided about each open block, signed (sym-attest-v1)",
        default=False,
    )
    forward: bool = key(
        Flag(),
        "hand on what others wrote to peers of the room that hold no source of it (MMP 2.0 §15.7.1)",
        default=False,
    )
    profile: str = key(
        OneOf(("core-secure", "legacy")),
        "legacy: the room holds stock Node peers, who prove nothing (SECURITY.md)",
        default="core-secure",
    )
    stock_peers: tuple[StaticPeer, ...] = key(
        ListOf(Text(1, 300, parse=StaticPeer.parse_plain), limits.STATIC_PEERS),
        "addresses of stock Node peers to dial, as host:port; only with the legacy profile",
        default=(),
    )
    relay: tuple[str, ...] = key(
        ListOf(Text(1, limits.URL_CHARS, parse=grammar.relay_url), limits.RELAYS, or_single=True),
        "relays to be reachable through, as wss:// addresses; the first is preferred",
        default=(),
    )
    relay_token: str | None = key(
        Text(1, limits.RELAY_TOKEN_CHARS, secret=True, parse=grammar.header_value),
        "what opens a channel at the relays; better left to the environment (COVEY_RELAY_TOKEN)",
        default=None,
        secret=True,
    )
    relay_proxy: str | None = key(
        Text(1, limits.URL_CHARS, secret=True, parse=grammar.proxy_url),
        "HTTP proxy on the way to the relays; with a password, better in the environment (COVEY_RELAY_PROXY)",
        default=None,
        secret=True,
    )
    relay_plain: bool = key(
        Flag(), "use ws:// addresses beyond this machine too, where the way there is trusted", default=False
    )


@dataclass(frozen=True, slots=True)
class RoleWeights:
    """How much each category counts when this peer judges a block (MMP 2.0 §9.2.1, alpha)."""

    focus: float = key(Real(0, 100), "weight of focus")
    issue: float = key(Real(0, 100), "weight of issue")
    intent: float = key(Real(0, 100), "weight of intent")
    motivation: float = key(Real(0, 100), "weight of motivation")
    commitment: float = key(Real(0, 100), "weight of commitment")
    perspective: float = key(Real(0, 100), "weight of perspective")
    mood: float = key(Real(0, 100), "weight of mood")

    def as_tuple(self) -> tuple[float, ...]:
        """Return the seven weights in CAT7 order."""
        return tuple(float(getattr(self, name)) for name in CAT7)

    def as_dict(self) -> dict[str, float]:
        """Return the seven weights by category, in CAT7 order."""
        return dict(zip(CAT7, self.as_tuple(), strict=True))

    def high(self) -> dict[str, float]:
        """Return the categories this role leans on (weight 1.5 or more), in CAT7 order."""
        return {name: weight for name, weight in self.as_dict().items() if weight >= HIGH_WEIGHT}


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """How much of its memory the peer shows its model."""

    k_lineage: int = key(Whole(0, limits.CYCLE_DEPTH), "how deep ancestors are shown", default=3)
    n_own: int = key(Whole(0, limits.CONTEXT_BLOCKS), "own recent blocks shown", default=5)
    n_room: int = key(
        Whole(0, limits.CONTEXT_BLOCKS), "others' recent blocks shown", default=10, older="n_group"
    )
    max_context_tokens: int = key(
        Whole(limits.CONTEXT_TOKENS_MIN, limits.CONTEXT_TOKENS_MAX),
        "most tokens of one question",
        default=8_000,
    )
    curated_tokens: int = key(
        Whole(0, limits.CURATED_TOKENS_MOST),
        "most tokens of ancestors, of which only the categories that matter are shown; 0 shows them whole",
        default=0,
    )


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """How long the peer remembers what nobody stands behind."""

    retention_days: float = key(
        Real(0, limits.MEMORY_DAYS),
        "days after which a block is forgotten that is neither validated nor needed; 0 is never",
        default=0.0,
    )
    archive_after_days: float = key(
        Real(0, limits.MEMORY_DAYS),
        "days without an answer after which a block is archived, the Canon excepted; 0 is never",
        default=limits.ARCHIVE_AFTER_DAYS,
    )


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """How often the peer may wake and what it may spend."""

    max_wakes_per_minute: int = key(Whole(1, limits.WAKES_PER_WINDOW), "wakes in any minute", default=10)
    max_wakes_per_hour: int = key(Whole(1, limits.WAKES_PER_WINDOW), "wakes in any hour", default=100)
    max_wakes_per_day: int = key(Whole(1, limits.WAKES_PER_WINDOW), "wakes in any day", default=1_000)
    max_cost_usd_per_hour: float = key(Real(0, limits.COST_USD), "USD in any hour", default=1.0)
    max_cost_usd_per_day: float = key(Real(0, limits.COST_USD), "USD in any day", default=10.0)
    max_cost_usd_per_run: float = key(Real(0, limits.COST_USD), "USD from start to stop", default=5.0)
    team: str | None = key(
        Text(1, limits.PEER_NAME_BYTES, parse=grammar.team_name),
        "name of a purse that peers of this machine share; its caps hold beside the peer's own",
        default=None,
    )
    max_team_cost_usd_per_hour: float | None = key(
        Real(0, limits.COST_USD),
        "USD of the whole team in any hour; the lowest of its peers' counts",
        default=None,
    )
    max_team_cost_usd_per_day: float | None = key(
        Real(0, limits.COST_USD),
        "USD of the whole team in any day; the lowest of its peers' counts",
        default=None,
    )


@dataclass(frozen=True, slots=True)
class SafetySettings:
    """What stops an answer that the budget would allow."""

    cycle_depth: int = key(
        Whole(1, limits.CYCLE_DEPTH), "how far back an own block makes a circle", default=5
    )
    max_hops: int = key(
        Whole(1, limits.CYCLE_DEPTH), "longest chain of answers in one thread", default=limits.THREAD_HOPS
    )
    max_calls_per_thread: int = key(
        Whole(1, limits.THREAD_CALLS_MAX),
        "model calls for one task and all that follows from it",
        default=limits.THREAD_CALLS,
    )
    approval_gates: str = key(
        OneOf(("default", "none")),
        "patterns that hold an answer in quarantine until a person decides (covey gates)",
        default="default",
    )
    gates_off: tuple[str, ...] = key(
        ListOf(OneOf(GATE_NAMES), len(GATE_NAMES)), "default gates this peer does without", default=()
    )
    gate_patterns: tuple[str, ...] = key(
        ListOf(Text(1, limits.GATE_PATTERN_CHARS, parse=grammar.regex_source), limits.GATE_PATTERNS),
        "regular expressions that hold an answer too, whatever its case",
        default=(),
    )
    quarantine_hours: float = key(
        Real(0.001, limits.QUARANTINE_SECONDS_MAX / 3_600),
        "how long a held answer waits for a person before it is discarded",
        default=limits.QUARANTINE_SECONDS / 3_600,
    )
    max_rounds: int = key(
        Whole(0, limits.LOOP_ROUNDS_MAX),
        "how often one matter may go round between peers, in any words or threads; 0 does not look",
        default=limits.LOOP_ROUNDS,
    )
    max_in_flight: int = key(
        Whole(1, limits.AGENT_IN_FLIGHT), "wakes at once; each has its own cost reserve", default=1
    )


@dataclass(frozen=True, slots=True)
class RoutingSettings:
    """To whom answers go."""

    response_routing: str = key(
        OneOf(("broadcast", "targeted", "auto")),
        "to the room, to the asker, or by the room's size",
        default="broadcast",
    )


@dataclass(frozen=True, slots=True)
class AttachSettings:
    """What the agent is attached to."""

    mode: str = key(OneOf(("headless",)), "headless: the peer runs by itself", default="headless")


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """What is written about the run, and where."""

    level: str = key(
        OneOf(("error", "warn", "info", "debug")), "least important line that is written", default="info"
    )
    file_path: Path | None = key(Text(1, 4_096, parse=Path), "log file, beside standard error", default=None)
    max_file_size: int = key(
        Whole(limits.LOG_FILE_BYTES_MIN, limits.LOG_FILE_BYTES_MAX),
        "bytes before the file is rotated",
        default=5_242_880,
    )
    keep: int = key(Whole(1, limits.LOG_FILES), "rotated files kept", default=5)


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """Where those who watch many peers read this one's figures."""

    listen: StaticPeer | None = key(
        Text(1, 300, parse=grammar.listen_address),
        "serve Prometheus metrics here (127.0.0.1:9464, say), on loopback a page too; port 0 takes any",
        default=None,
    )


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """What is told to OpenTelemetry. Where to, its own OTEL_* variables say."""

    spans: bool = key(
        Flag(), "send a span for each wake and its steps, by OTLP; needs the extra covey[otel]", default=False
    )


@dataclass(frozen=True, slots=True)
class TrustSettings:
    """Who gets a session, and whose blocks may wake the agent: here anyone's, elsewhere those named."""

    mode: TrustMode = key(
        OneOf(("tofu", "strict", "open")),
        "tofu: anyone, whose first key stays; strict: only who is trusted; open: strangers wake too",
        default="tofu",
    )
    trusted: tuple[str, ...] = key(
        ListOf(Text(1, 80, parse=grammar.identity_name), limits.TRUST_ENTRIES),
        "nodeIds or key fingerprints that may wake the agent",
        default=(),
    )
    invited: tuple[str, ...] = key(
        ListOf(Text(1, 80, parse=grammar.identity_name), limits.TRUST_ENTRIES),
        "nodeIds or key fingerprints invited to this room; they may wake the agent too",
        default=(),
    )
    anchor: tuple[str, ...] = key(
        ListOf(Text(1, 100, parse=grammar.anchor_member), limits.ANCHOR_MEMBERS, or_single=True),
        "public keys in which authority starts, as key or key:nodeId; another one later is refused",
        default=(),
    )
    anchor_threshold: int = key(
        Whole(1, limits.ANCHOR_MEMBERS), "how many of the anchor's keys must sign together", default=1
    )
    clock_ahead_seconds: int = key(
        Whole(0, limits.CLOCK_AHEAD_SECONDS),
        "how far ahead of this clock a block's signed time may lie",
        default=limits.CLOCK_AHEAD_SECONDS,
    )
    strangers_may_wake: bool = key(
        Flag(), "let anyone in the room wake the agent and spend its budget; shown by status", default=False
    )


@dataclass(frozen=True, slots=True)
class RunSettings:
    """When the peer ends by itself; without these keys it stays until it is stopped."""

    participants: tuple[str, ...] = key(
        ListOf(Text(1, 80, parse=grammar.node_id), limits.RUN_PARTICIPANTS),
        "nodeIds of the agents that must close their part of one thread; the peer itself always counts",
        default=(),
    )
    idle_seconds: float = key(
        Real(0, limits.RUN_IDLE_SECONDS), "end when nothing happened for so long; 0 is never", default=0.0
    )
    max_calls: int = key(
        Whole(0, limits.RUN_CALLS), "model calls from start to stop; 0 is no bound", default=0
    )


@dataclass(frozen=True, slots=True)
class ShareSettings:
    """Whether the peer shares a model beside its agent."""

    door: Path | None = key(
        Text(1, 4_096, parse=Path),
        "door.toml of a model to share (docs/share.md), relative to agent.toml; covey run opens that door",
        default=None,
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything one peer was told by its agent.toml."""

    identity: IdentitySettings = key(Table(IdentitySettings), "who the peer is")
    role_weights: RoleWeights = key(
        Table(RoleWeights), "how it judges; required unless its role is well known"
    )
    model: ModelSettings = key(Table(ModelSettings), "which model thinks for it")
    mesh: MeshSettings = key(Table(MeshSettings), "where it meets others", default=MeshSettings())
    prompt: PromptSettings = key(Table(PromptSettings), "what it is told to do", default=PromptSettings())
    tools: ToolsSettings = key(
        Table(ToolsSettings), "what its model may use while it thinks", default=ToolsSettings()
    )
    work: WorkSettings = key(Table(WorkSettings), "what it does for others", default=WorkSettings())
    context: ContextSettings = key(
        Table(ContextSettings), "what it shows its model", default=ContextSettings()
    )
    memory: MemorySettings = key(Table(MemorySettings), "how long it remembers", default=MemorySettings())
    budget: BudgetSettings = key(Table(BudgetSettings), "what it may use up", default=BudgetSettings())
    safety: SafetySettings = key(Table(SafetySettings), "what holds it back", default=SafetySettings())
    routing: RoutingSettings = key(Table(RoutingSettings), "to whom it answers", default=RoutingSettings())
    attach: AttachSettings = key(Table(AttachSettings), "what it is attached to", default=AttachSettings())
    logging: LoggingSettings = key(Table(LoggingSettings), "what it writes down", default=LoggingSettings())
    metrics: MetricsSettings = key(
        Table(MetricsSettings), "what it shows to those who watch", default=MetricsSettings()
    )
    share: ShareSettings = key(
        Table(ShareSettings), "which model it shares with others", default=ShareSettings()
    )
    telemetry: TelemetrySettings = key(
        Table(TelemetrySettings), "what it tells OpenTelemetry", default=TelemetrySettings()
    )
    scripted: ScriptedSettings = key(
        Table(ScriptedSettings), "rules in place of a model", default=ScriptedSettings()
    )
    run: RunSettings = key(Table(RunSettings), "when it ends by itself", default=RunSettings())
    svaf: SvafSettings = key(Table(SvafSettings), "how it decides what to remember", default=SvafSettings())
    trust: TrustSettings = key(Table(TrustSettings), "whose blocks may wake it", default=TrustSettings())
