"""The section [model]: which model thinks for the peer, how it is asked, and what it costs.

Rules: as in `values`, of whose table this is a part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType

from covey import limits
from covey.settings import grammar
from covey.settings.adapters import ADAPTER_NAME, ADAPTERS, AdapterFacts, facts_of
from covey.settings.rules import Flag, MapOf, OneOf, OneOfOr, Real, Text, Whole, key
from covey.settings.table import Table
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in USD for a million tokens."""

    input: float = key(Real(0, 100_000), "USD for a million input tokens")
    output: float = key(Real(0, 100_000), "USD for a million output tokens")
    cached: float | None = key(
        Real(0, 100_000),
        "the same for input read from the vendor's cache; if not said, as input",
        default=None,
    )
    written: float | None = key(
        Real(0, 100_000), "the same for input written into that cache; if not said, as input", default=None
    )


@dataclass(frozen=True, slots=True)
class RoleModelSettings:
    """What differs in [model] for peers of one role."""

    max_tokens_per_call: int | None = key(
        Whole(1, limits.MODEL_OUTPUT_TOKENS), "in place of model.max_tokens_per_call", default=None
    )
    timeout_seconds: float | None = key(
        Real(0.05, limits.MODEL_TIMEOUT_SECONDS), "in place of model.timeout_seconds", default=None
    )
    first_token_seconds: float | None = key(
        Real(0.05, limits.MODEL_FIRST_TOKEN_SECONDS), "in place of model.first_token_seconds", default=None
    )
    temperature: float | None = key(Real(0, 2), "in place of model.temperature", default=None)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model thinks for the peer."""

    adapter: str = key(
        OneOfOr(tuple(ADAPTERS), ADAPTER_NAME),
        "who answers; mistral is compatible with its own address and key; or one that a package offers",
    )
    api_key: str | None = key(
        Text(1, limits.API_KEY_CHARS, secret=True, parse=grammar.header_value),
        "the key itself; better left to the environment",
        default=None,
        secret=True,
    )
    api_key_env: str | None = key(
        Text(1, 200, parse=grammar.variable_name), "environment variable the key is read from", default=None
    )
    peer: str | None = key(
        Text(1, limits.PEER_NAME_BYTES, parse=grammar.peer_name),
        "with adapter mesh: whose model answers, by nodeId, or by name where it is trusted",
        default=None,
    )
    base_url: str | None = key(
        Text(1, limits.URL_CHARS, parse=grammar.base_url),
        "where the API is, when not at its usual place",
        default=None,
    )
    model_name: str = key(Text(1, 200), "the model; each adapter but compatible has a default", default="")
    max_tokens_per_call: int = key(
        Whole(1, limits.MODEL_OUTPUT_TOKENS), "most tokens one answer may have", default=1024
    )
    timeout_seconds: float | None = key(
        Real(0.05, limits.MODEL_TIMEOUT_SECONDS),
        "longest wait for one answer; each adapter has a default",
        default=None,
    )
    first_token_seconds: float | None = key(
        Real(0.05, limits.MODEL_FIRST_TOKEN_SECONDS),
        "longest wait for an answer's first word; as long as timeout_seconds, if not said",
        default=None,
    )
    temperature: float | None = key(
        Real(0, 2),
        "how freely the model chooses its words; some models refuse it; the vendor's own, if not said",
        default=None,
    )
    stream: bool = key(
        Flag(), "take answers word by word; false for a server that cannot give them so", default=True
    )
    prompt_cache: bool = key(
        Flag(), "mark what stays the same for the vendor's cache, where marks are needed", default=True
    )
    answer_as: str = key(
        OneOf(("tool", "json")),
        "how the model answers: by a tool call, or as a JSON object for models without tools",
        default="tool",
    )
    record: Path | None = key(
        Text(1, 4_096, parse=Path),
        "folder in which every call and its answer are kept; relative to agent.toml",
        default=None,
    )
    replay: Path | None = key(
        Text(1, 4_096, parse=Path),
        "folder of recorded calls that answer in the model's place; relative to agent.toml",
        default=None,
    )
    roles: Mapping[str, RoleModelSettings] = key(
        MapOf(Table(RoleModelSettings), limits.MODEL_ROLES),
        "what differs for peers of one role, by role",
        factory=lambda: MappingProxyType({}),
    )
    prices: Mapping[str, Price] = key(
        MapOf(Table(Price)),
        "USD for a million tokens by model name, over the built-in table",
        factory=lambda: MappingProxyType({}),
    )

    def for_role(self, role: str) -> ModelSettings:
        """Return the settings as they hold for peers of a role."""
        own = self.roles.get(role)
        if own is None:
            return self
        said = {spec.name: value for spec in fields(own) if (value := getattr(own, spec.name)) is not None}
        return replace(self, **said)

    @property
    def facts(self) -> AdapterFacts:
        """Return what is known of the chosen adapter."""
        return facts_of(self.adapter)

    @property
    def name(self) -> str:
        """Return the model's name: the file's, else the adapter's default."""
        return self.model_name or self.facts.model or ""

    @property
    def timeout(self) -> float:
        """Return the longest wait for one answer in seconds: the file's, else the adapter's default."""
        return self.facts.timeout_seconds if self.timeout_seconds is None else self.timeout_seconds
