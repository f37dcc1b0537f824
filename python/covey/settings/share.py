"""The settings of a door: door.toml, with its backends and lanes.

Rules: as in `values`: this table is the only place where a key is defined.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from covey import limits
from covey.settings import grammar
from covey.settings.grammar import StaticPeer
from covey.settings.rules import Flag, ListOf, MapOf, Real, Report, Text, Whole, key
from covey.settings.table import Table
from covey.values import dataclass

HINT = "fix the lines above; docs/share.md shows a whole door.toml"


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """One server that has a model: llama.cpp, Ollama, vLLM, a vendor."""

    url: str = key(
        Text(1, limits.URL_CHARS, parse=grammar.base_url), "its OpenAI-style address, usually ending in /v1"
    )
    key_env: str | None = key(
        Text(1, 200, parse=grammar.variable_name), "environment variable with its key", default=None
    )
    first_byte_seconds: float = key(
        Real(0.05, limits.DOOR_ANSWER_SECONDS), "for its first byte; then the next of the lane", default=120.0
    )


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """One name that requests ask for, and who answers them."""

    steps: tuple[str, ...] = key(
        ListOf(Text(1, limits.DOOR_HEADER_CHARS), limits.DOOR_STEPS),
        "whom to ask, in order: backend, or backend=model",
    )


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """What a holder of an admin key may do; without this table, and without such a key, nothing."""

    enabled: bool = key(Flag(), "let admin keys do anything at all", default=False)
    update: bool = key(Flag(), "let them update and restart this program", default=False)
    models: tuple[str, ...] = key(
        ListOf(Text(1, limits.DOOR_HEADER_CHARS), limits.UPKEEP_WORDS),
        "models they may switch a lane to, as backend=model",
        default=(),
    )
    extras: tuple[str, ...] = key(
        ListOf(Text(1, 64, pattern=r"^[a-z0-9-]{1,64}$"), limits.UPKEEP_WORDS),
        "extras of covey they may install",
        default=(),
    )
    folder: Path | None = key(
        Text(1, 4_096, parse=Path), "the checkout that runs here; found by itself, if not said", default=None
    )
    installer: tuple[str, ...] = key(
        ListOf(Text(1, 4_096), 16),
        "what installs packages, as a list of words; this Python's pip, if not said",
        default=(),
    )


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """One door."""

    backends: Mapping[str, BackendSettings] = key(
        MapOf(Table(BackendSettings), limits.DOOR_BACKENDS), "servers with models, by a name of yours"
    )
    lanes: Mapping[str, LaneSettings] = key(
        MapOf(Table(LaneSettings), limits.DOOR_LANES),
        "names that requests ask for; without any, `default` asks all backends in order",
        factory=lambda: MappingProxyType({}),
    )
    listen: StaticPeer | None = key(
        Text(1, 100, parse=grammar.listen_address),
        "where to serve HTTP, as 127.0.0.1:8099; without it the mesh is the only way in",
        default=None,
    )
    tls_certificate: Path | None = key(
        Text(1, 4_096, parse=Path), "PEM file of the certificate HTTP is served under", default=None
    )
    tls_key: Path | None = key(Text(1, 4_096, parse=Path), "PEM file of its key", default=None)
    plain_http: bool = key(
        Flag(), "serve beyond this machine without TLS, where the way there is trusted", default=False
    )
    unsafe_no_keys: bool = key(
        Flag(), "let every program of this machine in without a key; on loopback only", default=False
    )
    max_concurrent: int = key(Whole(1, limits.DOOR_CONCURRENT), "requests at backends at once", default=4)
    max_concurrent_each: int | None = key(
        Whole(1, limits.DOOR_CONCURRENT), "of one peer; as max_concurrent, if not said", default=None
    )
    queue: int = key(Whole(1, limits.DOOR_QUEUE), "requests that may wait", default=64)
    queue_each: int = key(Whole(1, limits.DOOR_QUEUE), "of one peer", default=16)
    queue_seconds: float = key(Real(0.05, limits.DOOR_QUEUE_SECONDS), "longest wait for a slot", default=60.0)
    requests_per_minute: int = key(
        Whole(1, limits.DOOR_REQUESTS_PER_MINUTE), "of each peer, where its key says nothing", default=60
    )
    answer_seconds: float = key(Real(0.05, limits.DOOR_ANSWER_SECONDS), "longest answer", default=600.0)
    body_bytes: int = key(
        Whole(1_024, limits.DOOR_BODY_BYTES), "of one request", default=limits.DOOR_BODY_USUAL_BYTES
    )
    admin: AdminSettings = key(Table(AdminSettings), "upkeep from elsewhere", factory=AdminSettings)

    def check(self, report: Report) -> None:
        """Report what contradicts itself."""
        if not self.backends:
            report(("backends",), "at least one backend", "none")
        for name, lane in self.lanes.items():
            self._check_lane(name, lane, report)
        place = self.listen
        away = place is not None and place.host != "localhost" and grammar.leads_away(f"http://{_url(place)}")
        if (self.tls_certificate is None) != (self.tls_key is None):
            report(("tls_certificate",), "tls_certificate and tls_key, or neither", "one of them")
        if away and self.unsafe_no_keys:
            report(("unsafe_no_keys",), "keys for whoever comes from elsewhere", "unsafe_no_keys = true")
        if away and self.tls_certificate is None and not self.plain_http:
            hint = "plain_http = true where the way is trusted; or come through the mesh, or a tunnel"
            report(("listen",), "an address of this machine only, or TLS", str(place), hint)
        if self.queue_each > self.queue:
            report(("queue_each",), f"at most queue, which is {self.queue}", str(self.queue_each))

    def _check_lane(self, name: str, lane: LaneSettings, report: Report) -> None:
        if not lane.steps:
            report(("lanes", name, "steps"), "at least one backend", "none")
        for index, step in enumerate(lane.steps):
            backend = step.partition("=")[0]
            if backend not in self.backends or step.endswith("="):
                known = ", ".join(self.backends)
                report(("lanes", name, "steps", index), f"backend, or backend=model, out of {known}", step)


def _url(place: StaticPeer) -> str:
    return f"[{place.host}]:{place.port}" if ":" in place.host else f"{place.host}:{place.port}"
