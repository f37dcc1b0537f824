"""The JSON Schema of agent.toml, made from the same table that checks the file.

Rules: nothing is listed here that `values` does not define; this adds only what stands above all keys.
"""

from __future__ import annotations

from typing import Any

from covey.settings.roles import PRESETS
from covey.settings.table import Table
from covey.settings.values import Settings


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of agent.toml."""
    made = Table(Settings).schema()
    required = [name for name in made["required"] if name != "role_weights"]
    weights = made["properties"]["role_weights"]
    all_weights = weights.pop("required")
    known_role = {"enum": list(PRESETS)}
    by_role = {"required": ["role"], "properties": {"role": known_role}}
    by_name = {"not": {"required": ["role"]}, "properties": {"name": known_role}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:covey:schema:agent.toml",
        "title": "covey agent.toml",
        "description": "One peer: who it is, where it meets others, how it judges, who thinks for it.",
        **made,
        "required": required,
        "if": {"properties": {"identity": {"anyOf": [by_role, by_name]}}},
        "else": {"required": ["role_weights"], "properties": {"role_weights": {"required": all_weights}}},
    }
