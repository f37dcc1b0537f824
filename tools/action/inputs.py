"""The action's inputs, read from the environment and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PREFIX = "COVEY_INPUT_"
DURATION_SECONDS_MOST = 3_600  # a job that waits longer than an hour for one answer has hung
KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "MISTRAL_API_KEY")


class InputError(Exception):
    """An input cannot be used; the sentence says which and why, without repeating its value."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the workflow asked for."""

    config: Path | None
    role: str
    adapter: str
    model: str
    prompt: str
    room: str
    peer: str
    cost_cap_usd: float
    duration_seconds: float
    diff: Path | None
    replay: Path | None
    comment: bool
    relay: str
    github_token: str
    secrets: Mapping[str, str]
    """What the peer's own environment gets, by name."""


def read(env: Mapping[str, str], workspace: Path) -> Inputs:
    """Return the inputs.

    Args:
        env: The environment of the step.
        workspace: What paths are relative to.

    Raises:
        InputError: One of them cannot be used.
    """

    def said(name: str) -> str:
        return env.get(PREFIX + name, "").strip()

    role = said("ROLE") or "reviewer"
    secrets = {name: said(name) for name in KEYS if said(name)}
    if said("RELAY_TOKEN"):
        secrets["COVEY_RELAY_TOKEN"] = said("RELAY_TOKEN")
    return Inputs(
        config=_path("config", said("CONFIG"), workspace),
        role=role,
        adapter=said("ADAPTER") or "anthropic",
        model=said("MODEL"),
        prompt=said("PROMPT"),
        room=said("ROOM") or "covey-ci",
        peer=said("PEER_NAME") or f"{role}-{env.get('GITHUB_RUN_ID', 'local')}",
        cost_cap_usd=_number("cost-cap-usd", said("COST_CAP_USD") or "1", 1_000),
        duration_seconds=_number(
            "duration-seconds", said("DURATION_SECONDS") or "300", DURATION_SECONDS_MOST
        ),
        diff=_path("diff", said("DIFF"), workspace),
        replay=_path("replay", said("REPLAY"), workspace),
        comment=_flag("comment", said("COMMENT") or "true"),
        relay=said("RELAY"),
        github_token=said("GITHUB_TOKEN"),
        secrets=secrets,
    )


def _path(name: str, said: str, workspace: Path) -> Path | None:
    """Return a path that exists within the workspace."""
    if not said:
        return None
    if "\0" in said:
        raise InputError(f"{name}: no path")
    found = (workspace / said).resolve()
    if not found.is_relative_to(workspace.resolve()):
        raise InputError(f"{name}: leads out of the workspace")
    if not found.exists():
        raise InputError(f"{name}: there is no such path in the workspace")
    return found


def _number(name: str, said: str, most: float) -> float:
    try:
        found = float(said)
    except ValueError:
        raise InputError(f"{name}: expected a number") from None
    if not 0 < found <= most:
        raise InputError(f"{name}: expected more than 0 and at most {most:g}")
    return found


def _flag(name: str, said: str) -> bool:
    if said.lower() not in ("true", "false"):
        raise InputError(f"{name}: expected true or false")
    return said.lower() == "true"
