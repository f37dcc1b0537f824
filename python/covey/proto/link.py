"""One connection and what the engine knows of it. Values that change, no rule beyond their own upkeep."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Final, Literal

from covey import limits
from covey.proto.credit import Credit
from covey.proto.shares import Share
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.delivery import Outlet
    from covey.proto.legacy import Line

COMPACT_TOKENS: Final = ("x-covey-compact-v1", "x-covey-compact-v2")
"""The native session carries records in batches of the newest that both offer: nothing else here changes."""

LinkState = Literal["dialling", "handshake", "open", "closing"]


@dataclass(slots=True)
class Lane:
    """A token bucket in records. It may go into debt: what was read is judged, then reading pauses."""

    rate: float
    burst: float
    tokens: float = field(init=False)
    at: float | None = None
    """When it was refilled last; a lane is full when it is first looked at."""

    def __post_init__(self) -> None:
        self.tokens = self.burst

    def refill(self, now: float) -> None:
        """Add what time has given."""
        if self.at is not None:
            self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now

    def wait_seconds(self) -> float:
        """Return how long until one record may pass; 0 when it may now, or so soon that no clock shows it."""
        wait = (1.0 - self.tokens) / self.rate
        return wait if wait > 1e-6 else 0.0


@dataclass(slots=True)
class RoundTrip:
    """How long a session's pings take, smoothed as RFC 6298 smooths them. One ping is out at a time."""

    smoothed_seconds: float | None = None
    asked_at: float | None = None
    measured_at: float | None = None

    def asked(self, now: float) -> None:
        """Note that a ping was sealed; one that is out keeps its time, until nobody will answer it."""
        if self.asked_at is None or now >= self.asked_at + limits.FAILOVER_SECONDS:
            self.asked_at = now

    def answered(self, now: float) -> None:
        """Take a pong; one that nobody asked for measures nothing."""
        if self.asked_at is None:
            return
        sample = max(0.0, now - self.asked_at)
        self.asked_at, self.measured_at = None, now
        known = self.smoothed_seconds
        self.smoothed_seconds = sample if known is None else known + (sample - known) / 8.0

    def stale(self, now: float, seconds: float) -> bool:
        """Tell whether the last measurement is older than that, and none is under way."""
        return self.asked_at is None and (self.measured_at is None or now >= self.measured_at + seconds)


@dataclass(slots=True, eq=False)
class Link:
    """One connection from dial or accept to its end."""

    id: int
    inbound: bool
    address: str = ""
    local: str = ""
    relay: int | None = None
    """Through which relay it goes, by number; None for a TCP connection."""
    remote: str = ""
    """Whose it must be, where a relay names the sender of its frames."""
    stock: bool = False
    """Through a relay, with a peer that began with the handshake of the legacy wire."""
    told: bool = False
    """The peer has sealed something on it that is no error: it holds this session too."""
    doubted: bool = False
    """The peer says that it does not know this session."""
    loopback: bool = False
    pinned: bool = False
    """It proved the key that is pinned for the address it was dialled at."""
    candidate: str | None = None
    """Whom we dialled, by candidate key; None for an accepted connection."""
    path: str = "inbound"
    """How we came by it: inbound, static, or the discovery source's name."""
    state: LinkState = "dialling"
    session: Line | None = None
    first: bytearray | None = None
    """In a legacy room: what an accepted connection has said, until its first frame names its wire."""
    entropy: bytes = b""
    """For the session that the first frame will call for."""
    node_id: str | None = None
    """Whose it is, once proven."""
    opened_at: float = 0.0
    since_ms: int = 0
    """When it was proven, in wall milliseconds."""
    rtt: RoundTrip = field(default_factory=RoundTrip)
    heard_at: float = 0.0
    full: bool = False
    """Our write buffer to it is full: the peer is slow."""
    credit: Credit | None = None
    """How much may be under way; None where the peer did not offer credit."""
    starved: bool = False
    """Something has waited for the peer's credit for a while: it is slow, too."""
    waiting: deque[_core.RecordBatch] = field(default_factory=deque)
    """Batches read but not yet judged: the lane or the store is behind."""
    paused: bool = False
    lane: Lane | None = None
    """None: no lane, the peer is trusted or on this machine."""
    context: frozenset[str] = frozenset()
    """Keys the peer announced as replayed context (cmb-anchors)."""
    complained: set[str] = field(default_factory=set)
    """Reasons already logged for this link; counted every time, logged once."""
    why: str = ""
    """Why we closed it."""
    farewell: str = ""
    """What the peer said when it closed it."""

    @property
    def slow(self) -> bool:
        """Tell whether the peer takes less than there is to send."""
        return self.full or self.starved

    def affords(self, records: Sequence[_core.Record], now: float, *, wait: bool = True) -> int:
        """Return how many of these, in order, the peer's credit is enough for; where they `wait`, note it."""
        if self.credit is None:
            return len(records)
        spending = self.credit.spending
        fitting = spending.fitting(record.size_bytes for record in records)
        if wait and fitting < len(records):
            spending.runs_short(now)
        return fitting

    def spend(self, records: Sequence[_core.Record]) -> None:
        """Note that these were sealed for the peer."""
        if self.credit is not None:
            self.credit.spending.spend(len(records), sum(record.size_bytes for record in records))

    @property
    def closing(self) -> bool:
        """Tell whether we have closed it and only its loss is still to come."""
        return self.state == "closing"

    @property
    def speaking(self) -> Line | None:
        """Return the session if it still seals. One that a bad frame ended is closed before we hear of it."""
        session = self.session
        if self.state != "open" or session is None or session.state != "open":
            return None
        return session


@dataclass(slots=True, eq=False)
class Peer:
    """A nodeId with a proven key, and its connections."""

    node_id: str
    name: str
    public_key: bytes
    fingerprint: str
    outlet: Outlet
    implementation: str = ""
    since_ms: int = 0
    """When it came: its first session of now, in wall milliseconds."""
    claimed: bool = False
    """A stock peer: its nodeId, name and key are what it says."""
    extensions: frozenset[str] = frozenset()
    """Extension tokens that both sides offered."""
    receipts: bool = False
    """Both sides offered `x-covey-delivery-v1`."""
    links: list[Link] = field(default_factory=list)
    """Open links, in the order they were authenticated."""
    active: Link | None = None
    share: Share = field(default_factory=Share)
    """Its part of what is verified here."""
    owed: deque[tuple[int, bytes]] = field(default_factory=deque)
    """Receipt frames not sent yet, with how many records each tells of: the peer reads slowly, or is away."""
    fetched: dict[str, None] = field(default_factory=dict)
    """Keys we asked it for, the oldest first: what comes under them is context."""
    replayed_at: float | None = None
    """When we last replayed anchors to it."""
