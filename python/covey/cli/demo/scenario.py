"""The demo's scenario: who takes part, the one task, and each agent's agent.toml.

Rules: pure text. The answers of the scripted adapter stand in the three .toml files beside this one; a test
holds them at a distance from being repeats to admission, whatever the order in which blocks arrive.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Final

from covey.values import dataclass

AGENTS: Final = ("writer", "reviewer", "test-writer")
OPERATOR: Final = "operator"
DEFAULT_TASK: Final = (
    "Write parse_duration, a Python function that turns a text such as 1h30m into whole seconds."
)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which model thinks, and why this one; keys stay in the environment and are never written down."""

    adapter: str
    model_name: str
    base_url: str | None
    reason: str

    @property
    def scripted(self) -> bool:
        """Say whether rules stand in for a model."""
        return self.adapter == "scripted"


@dataclass(frozen=True, slots=True)
class Run:
    """One demo: its room, its participants' nodeIds, and its bounds."""

    room: str
    participants: tuple[str, ...]
    model: ModelChoice
    max_calls: int
    seconds: float

    @property
    def calls_each(self) -> int:
        """Return the model calls of one agent, so that all of them together stay within the bound."""
        return self.max_calls // len(AGENTS)


def agent_toml(name: str, run: Run) -> str:
    """Return the agent.toml of one of the demo's agents.

    Args:
        name: One of AGENTS.
        run: What the demo fills in.
    """
    written = resources.files(__package__).joinpath(f"{name}.toml").read_text("utf-8")
    model = [f"adapter = {_text(run.model.adapter)}"]
    if not run.model.scripted:
        model.append(f"model_name = {_text(run.model.model_name)}")
    if run.model.base_url is not None:
        model.append(f"base_url = {_text(run.model.base_url)}")
    parts = {
        "mesh": [f"room = {_text(run.room)}"],
        "model": model,
        "safety": [f"max_calls_per_thread = {run.calls_each}"],
        "run": [
            f"participants = [{', '.join(_text(node_id) for node_id in run.participants)}]",
            f"max_calls = {run.calls_each}",
            f"idle_seconds = {run.seconds:g}",
        ],
    }
    added = [f"[{section}]\n" + "\n".join(lines) for section, lines in parts.items()]
    return "\n".join([written.rstrip("\n"), "", *(f"{part}\n" for part in added)])


def _text(value: str) -> str:
    """Return a TOML basic string; JSON's escapes are TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
