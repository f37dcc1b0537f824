"""An agent from Python: who thinks, as whom, with which tools and within which bounds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from covey.values import dataclass

if TYPE_CHECKING:
    from covey.ports import Model


@dataclass(frozen=True, slots=True)
class Agent:
    """What wakes on a peer's blocks and answers them.

    Args:
        model: `"adapter/model"` as agent.toml names them (`"anthropic/claude-haiku-5-5"`, `"scripted"`), or
            any object with the methods of `covey.ports.Model`.
        role: A role of agent.toml, which sets the weights of admission; or "generic".
        prompt: Words of the system prompt, beside covey's own.
        tools: Python functions that the model may use, marked with `covey.tools.tool` or plain.
        ask: Names of tools that wait for a person's word before each call.
        budget: The keys of `[budget]`, e.g. `{"max_cost_usd_per_day": 1.0}`.
        settings: Further sections of agent.toml, by name.
    """

    model: str | Model
    role: str = "generic"
    prompt: str = ""
    tools: Sequence[Callable[..., Any]] = ()
    ask: Collection[str] = ()
    budget: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def sections(self) -> dict[str, Any]:
        """Return the sections of agent.toml that this agent stands for."""
        sections: dict[str, Any] = {name: dict(values) for name, values in self.settings.items()}
        sections.setdefault("identity", {})["role"] = self.role
        if isinstance(self.model, str):
            adapter, _, model = self.model.partition("/")
            sections.setdefault("model", {})["adapter"] = adapter
            if model:
                sections["model"]["model_name"] = model
        if self.prompt:
            sections.setdefault("prompt", {})["system"] = self.prompt
        if self.budget:
            sections.setdefault("budget", {}).update(self.budget)
        return sections
