"""What a node is configured with: plain values, checked where the config file is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from covey import limits
from covey.model import TrustMode
from covey.proto.gate import GateOptions
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core

EQUAL_WEIGHTS: tuple[float, ...] = (1.0,) * 7
"""Every category counts the same; a role's own weights come from its config."""


_TETHER_FLOOR: Final = 0.5
"""The reference's guarded threshold: thresholds of another path mean nothing in its encoder."""


@dataclass(frozen=True, slots=True)
class AdmissionOptions:
    """The receiver's own admission policy (MMP 2.0 §9.2.1). Drifts are distances.

    `path` is `selective` (covey's own) or `baseline` (the reference's, exactly); `kernel` is the built-in
    encoder of the selective path, in place of which a table may be given as `encoder`. `weights` are the
    seven category weights in CAT7 order. What else is None is the path's and the encoder's own; `window` is
    how many recent blocks memory offers for comparison.
    """

    weights: tuple[float, ...] = EQUAL_WEIGHTS
    window: int | None = None
    freshness_seconds: float = 1800.0
    stable: float | None = None
    guarded: float | None = None
    temporal_lambda: float = 0.3
    redundancy: float | None = None
    path: Literal["selective", "baseline"] = "selective"
    kernel: str = "words-1"
    encoder: _core.Encoder | None = None

    @property
    def tether_floor(self) -> float:
        """Return the drift from which a remix is cut off its root (§15.8), in the baseline's encoder."""
        return self.guarded if self.path == "baseline" and self.guarded is not None else _TETHER_FLOOR


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """A relay to be reachable through: its `wss://` address, and the token that opens a channel there.

    `proxy` is the HTTP proxy on the way to it, perhaps with user and password; None goes there directly.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """Return host and port, for people."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """How one peer sits on the mesh.

    `host`/`port` are where it listens (port 0: any free one); without `lan` the host must be loopback.
    `interfaces` are the names or addresses of the interfaces it uses with `lan`; empty takes all.
    `addresses` are static `(host, port)` pairs, always dialled; `address_keys` names for some of them the
    fingerprint (64 hex) of the only key that may be proved there. `outbound_only` peers do not listen.
    `trusted` holds nodeIds or key fingerprints (64 hex) whose blocks may wake an agent here.
    `strangers_wake` lets every identity wake an agent; status shows it.
    `relays` are connected to all at once, the first being preferred.
    `trust` says who gets a session: `tofu` anyone, the first key of a nodeId stays; `strict` only who is
    trusted under a known key; `open` as tofu, and strangers wake. `pins` name the one key a nodeId may prove.
    `gate` names the owner of a gated room: who comes shows the owner's grant.
    `legacy` lets the room hold stock Node peers: those that dial, and those at `stock_peers`, always dialled.
    `clock_ahead_ms` is how far ahead of our clock a signed time may lie; beyond, a block is refused.
    `heartbeat_seconds` of silence and a peer is pinged; `silence_seconds`, and its session ends (§5.5).
    `receipts` tells senders what became of their blocks (`x-covey-delivery`). `compact` offers peers over TCP
    to carry blocks in batches (`x-covey-compact`), `credit` offers all to say how much may be under way
    (`x-covey-credit`). `forward` hands on what others wrote to peers that lack its source (MMP 2.0 §15.7.1);
    what others hand on is taken in any case.
    """

    room: str = "default"
    lan: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    interfaces: tuple[str, ...] = ()
    addresses: tuple[tuple[str, int], ...] = ()
    address_keys: Mapping[tuple[str, int], str] = field(default_factory=dict)
    outbound_only: bool = False
    trusted: frozenset[str] = frozenset()
    strangers_wake: bool = False
    trust: TrustMode = "tofu"
    pins: Mapping[str, str] = field(default_factory=dict)
    gate: GateOptions | None = None
    receipts: bool = True
    compact: bool = True
    forward: bool = False
    credit: bool = True
    heartbeat_seconds: float = limits.PING_SECONDS
    silence_seconds: float = limits.SILENCE_SECONDS
    clock_ahead_ms: int = limits.CLOCK_AHEAD_SECONDS * 1000
    relays: tuple[RelayOptions, ...] = ()
    legacy: bool = False
    stock_peers: tuple[tuple[str, int], ...] = ()
    admission: AdmissionOptions = AdmissionOptions()
