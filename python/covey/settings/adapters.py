"""The model adapters a configuration may name, with what each needs when the file says nothing.

Rules: facts only. Building an adapter from them is `covey.models.factory`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final

from covey.values import dataclass

ADAPTER_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")
"""A name that an adapter of another distribution may have."""

ADAPTER_NAME_WORDS: Final = "up to 63 small letters, digits, '_' and '-'"

CUSTOM: Final = "custom"
"""The kind of every adapter that is not covey's own."""

Others = Callable[[], Collection[str]]
"""Gives the names that other distributions offer; called only for a name that is not covey's own."""


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """One adapter name of agent.toml.

    `kind` is the adapter that serves it: an alias has another adapter's kind and its own address and key.
    `key_env` is the environment variable its key is read from; `key_page` where a person gets one.
    `counts_unasked` says that a stream ends with its token counts without being asked for them.
    """

    name: str
    kind: str
    model: str | None = None
    key_env: str | None = None
    key_page: str | None = None
    key_sample: str = "..."
    base_url: str | None = None
    timeout_seconds: float = 60.0
    counts_unasked: bool = False


ADAPTERS: Final[dict[str, AdapterFacts]] = {
    facts.name: facts
    for facts in (
        AdapterFacts(
            "anthropic",
            "anthropic",
            model="claude-haiku-5-5",
            key_env="ANTHROPIC_API_KEY",
            key_page="https://console.anthropic.com/settings/keys",
            key_sample="sk-ant-...",
        ),
        AdapterFacts(
            "openai",
            "openai",
            model="gpt-6-luna",
            key_env="OPENAI_API_KEY",
            key_page="https://platform.openai.com/api-keys",
            key_sample="sk-proj-...",
        ),
        # A model on one's own processor may need minutes for its first token.
        AdapterFacts(
            "ollama", "ollama", model="llama3.2:3b", base_url="http://127.0.0.1:11434", timeout_seconds=300.0
        ),
        AdapterFacts("compatible", "compatible", timeout_seconds=300.0),
        AdapterFacts(
            "mistral",
            "compatible",
            model="mistral-small-latest",
            key_env="MISTRAL_API_KEY",
            key_page="https://console.mistral.ai/api-keys",
            base_url="https://api.mistral.ai/v1",
            counts_unasked=True,
        ),
        # Another peer's model, behind that peer's own queue.
        AdapterFacts("mesh", "mesh", model="default", timeout_seconds=300.0),
        AdapterFacts("scripted", "scripted", model="rules"),
    )
}
"""Every name of covey's own that `model.adapter` may have."""


def facts_of(name: str) -> AdapterFacts:
    """Return what is known of an adapter; of another distribution's, nothing."""
    return ADAPTERS.get(name) or AdapterFacts(name, CUSTOM)


def none_offered() -> Collection[str]:
    """Return no names: where nobody looks for other distributions' adapters, none is accepted."""
    return ()
