"""The node engine's vocabulary: what happens to it (events) and what it wants done (effects).

Rules: frozen values only. Time and entropy travel in these values; the engine has none of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal

from covey.model import EmissionResult, Proposal
from covey.proto import mail
from covey.proto.news import News
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.many import EmittedMany
    from covey.proto.relay.told import ForNode


@dataclass(frozen=True, slots=True)
class Now:
    """One reading of both clocks: wall milliseconds for what is signed, monotonic seconds for timers."""

    wall_ms: int
    monotonic: float


@dataclass(frozen=True, slots=True)
class Hint:
    """What a discovery source says about a peer. A hint never creates a peer and never pins a key."""

    source: str
    node_id: str
    room: str
    mmp: str
    addresses: tuple[tuple[str, int], ...]
    name: str = ""
    stock: bool = False
    """It is advertised as stock Node peers are: it speaks their wire, if it is there at all."""


@dataclass(frozen=True, slots=True)
class Advert:
    """What this peer says about itself to its discovery sources.

    `hosts` are the addresses it can be dialled at, an IPv6 link-local one with its scope; `networks` are the
    prefixes of the networks it is on.
    """

    node_id: str
    name: str
    public_key: bytes
    room: str
    host: str
    port: int
    lan: bool
    hosts: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


Level = Literal["error", "warn", "info", "debug"]
"""How loud a log line is: the words of the log itself."""

# --- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """The shell is ready: what the store remembers, and the static addresses are dialled.

    `own_recent` are the newest own broadcast records, newest last; `bindings` are (nodeId, raw key) pairs
    that sessions proved; `claims` are (nodeId, key fingerprint) pairs that stock peers said.
    """

    own_recent: tuple[_core.Record, ...] = ()
    bindings: tuple[tuple[str, bytes], ...] = ()
    claims: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LinkOpened:
    """A connection stands between `local` and `address`. `entropy` is 64 bytes for its handshake."""

    link: int
    inbound: bool
    address: str
    loopback: bool
    entropy: bytes
    local: str = ""


@dataclass(frozen=True, slots=True)
class LinkFailed:
    """A dial came to nothing."""

    link: int
    reason: str
    entropy: bytes


@dataclass(frozen=True, slots=True)
class LinkData:
    """Bytes were read. `entropy` is 32 bytes for batch verification."""

    link: int
    data: bytes
    entropy: bytes


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The connection is gone (also after our own Close)."""

    link: int
    reason: str
    entropy: bytes


@dataclass(frozen=True, slots=True)
class LinkFull:
    """The write buffer passed its upper mark (`full`) or fell below the lower one."""

    link: int
    full: bool


@dataclass(frozen=True, slots=True)
class PeerDiscovered:
    """A discovery source knows of a peer, or knows something new about it."""

    hint: Hint


@dataclass(frozen=True, slots=True)
class PeerVanished:
    """A discovery source no longer knows of a peer. Open sessions stay."""

    source: str
    node_id: str


@dataclass(frozen=True, slots=True)
class Done:
    """The store's answer to one token: durable.

    `fresh` is False where an own record was held already, `number` its place among all that was addressed to
    its recipient (0: it was addressed to nobody, or waits there already). `held` are positions in a batch
    that were held from before the intake remembers: judged, and not to be delivered again.
    """

    token: int
    fresh: bool = True
    number: int = 0
    held: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Stored:
    """What these tokens asked for is durable, in the order it was asked for."""

    done: tuple[Done, ...]


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """What this token asked for was not stored."""

    token: int
    reason: str


@dataclass(frozen=True, slots=True)
class Looked:
    """Which of the keys that were looked up for a peer's blocks the store does not hold."""

    node_id: str
    keys: tuple[str, ...]
    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class RecordLoaded:
    """What the store holds under a key that a peer asked for, verified; None when it holds nothing."""

    node_id: str
    request: str
    key: str
    record: _core.Record | None


@dataclass(frozen=True, slots=True)
class Emit:
    """The application wants a block on the mesh. The answer comes back as `Reply(token, …)`."""

    token: int
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class EmitMany:
    """Several at once, of one application or many: minted together, and answered each by itself."""

    wanted: tuple[Emit, ...]


@dataclass(frozen=True, slots=True)
class EmitBatch:
    """The application wants signed blocks of its own on the mesh; the answer comes as `Reply(token, …)`."""

    token: int
    batch: _core.OwnBatch


@dataclass(frozen=True, slots=True)
class Dialled:
    """A person or the config names an address (`host`, `port`) that is always dialled."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Watch:
    """Somebody listens (`on`): build news and deliveries; with nobody listening they are only counted."""

    on: bool


@dataclass(frozen=True, slots=True)
class Relayed:
    """What the relay of that number says. `entropy` is 32 bytes."""

    relay: int
    said: ForNode
    entropy: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """The shell says something to the extension of that name (`proto/extension`). `entropy` is 32 bytes."""

    name: str
    what: object
    entropy: bytes


@dataclass(frozen=True, slots=True)
class Timer:
    """A deadline may have passed. `entropy` is 32 bytes."""

    entropy: bytes


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Stop: no new work, finish what is pending, close every session, then `Stopped`."""


Event = (
    Started
    | LinkOpened
    | LinkFailed
    | LinkData
    | LinkLost
    | LinkFull
    | PeerDiscovered
    | PeerVanished
    | Stored
    | StoreFailed
    | mail.Event
    | Looked
    | RecordLoaded
    | Emit
    | EmitMany
    | EmitBatch
    | Dialled
    | Watch
    | Relayed
    | Told
    | Timer
    | Shutdown
)

# --- effects ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect to `host:port` as `link`; answer with LinkOpened or LinkFailed."""

    link: int
    host: str
    port: int
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Write:
    """Write bytes to a link, in order."""

    link: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Write what is buffered, then close the link; answer with LinkLost.

    A `relayed` link has no connection of its own: the answer is all there is to do.
    """

    link: int
    relayed: bool = False


@dataclass(frozen=True, slots=True)
class RelaySend:
    """Hand a frame for a node to the relay of that number; it says when it cannot deliver it."""

    relay: int
    node_id: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class Reading:
    """Pause (`on` False) or resume reading from a link: backpressure instead of drops."""

    link: int
    on: bool


@dataclass(frozen=True, slots=True)
class Store:
    """Make the outcomes of one batch durable; answer with Stored or StoreFailed.

    `attention` is what the inbox is told of them: whose may wake an agent, and what the sender numbered.
    """

    token: int
    batch: _core.OutcomeBatch
    now_ms: int
    attention: _core.Attention | None = None


@dataclass(frozen=True, slots=True)
class StoreOwn:
    """Make an own record durable, with the peers it must still reach; answer as for Store.

    After `deadline_ms` (wall milliseconds) it is not sent any more; None is the store's own day.
    """

    token: int
    record: _core.Record
    recipients: tuple[str, ...]
    now_ms: int
    deadline_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StoreBatch:
    """Make own blocks durable, all or none; answer as for Store: `held` are those whose content was held."""

    token: int
    batch: _core.OwnBatch
    now_ms: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """Say which of these keys are not held; answer with Looked."""

    node_id: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """Read one held record for a peer that asks; answer with RecordLoaded."""

    node_id: str
    request: str
    key: str


@dataclass(frozen=True, slots=True)
class Bind:
    """Remember which key this nodeId proved first. A binding is never replaced."""

    node_id: str
    public_key: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """Remember which key a stock peer said first for this nodeId. It is no binding: nothing proved it."""

    node_id: str
    fingerprint: str
    name: str


@dataclass(frozen=True, slots=True)
class Want:
    """The extension of that name wants something of its shell; the answer comes back as `Told`."""

    name: str
    what: object


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell subscribers."""

    news: News


@dataclass(frozen=True, slots=True)
class Reply:
    """The typed end of an Emit, or of an EmitBatch."""

    token: int
    result: EmissionResult | EmittedMany


@dataclass(frozen=True, slots=True)
class Count:
    """Add to a counter. Names are dotted, from the general to the particular."""

    name: str
    by: int = 1


@dataclass(frozen=True, slots=True)
class Log:
    """One log line: a level, a stable event word, and facts."""

    level: Level
    event: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collided:
    """Another live process has this identity, and was there first: this one should stop."""

    how: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """Shutdown is complete: nothing is pending and every link was told to close."""


Effect = (
    Dial
    | Write
    | Close
    | RelaySend
    | Reading
    | Store
    | StoreOwn
    | StoreBatch
    | Lookup
    | LoadRecord
    | mail.Effect
    | Bind
    | Claimed
    | Want
    | Notify
    | Reply
    | Count
    | Log
    | Collided
    | Stopped
)
Effects = Sequence[Effect]
