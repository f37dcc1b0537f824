"""What a peer was told: agent.toml as typed, frozen values, with errors that name file, line and key.

Nothing is loaded before it is named: a peer without agent.toml needs its grammar only.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from covey.settings.adapters import ADAPTER_NAME, ADAPTER_NAME_WORDS, ADAPTERS, CUSTOM, AdapterFacts
    from covey.settings.grammar import StaticPeer
    from covey.settings.prompt import PromptSettings
    from covey.settings.reader import from_mapping, load, load_table, parse, parse_table
    from covey.settings.roles import PRESETS, preset, too_light
    from covey.settings.scripted import Emit, ScriptedRule, ScriptedSettings, Template, When
    from covey.settings.thinking import ModelSettings, Price, RoleModelSettings
    from covey.settings.tools import McpServerSettings, PythonToolsSettings, ToolsSettings
    from covey.settings.values import (
        AttachSettings,
        BudgetSettings,
        ContextSettings,
        IdentitySettings,
        LoggingSettings,
        MeshSettings,
        MetricsSettings,
        RoleWeights,
        RoutingSettings,
        RunSettings,
        SafetySettings,
        Settings,
        TelemetrySettings,
        TrustSettings,
    )

__all__ = [
    "ADAPTERS",
    "ADAPTER_NAME",
    "ADAPTER_NAME_WORDS",
    "CUSTOM",
    "PRESETS",
    "AdapterFacts",
    "AttachSettings",
    "BudgetSettings",
    "ContextSettings",
    "Emit",
    "IdentitySettings",
    "LoggingSettings",
    "McpServerSettings",
    "MeshSettings",
    "MetricsSettings",
    "ModelSettings",
    "Price",
    "PromptSettings",
    "PythonToolsSettings",
    "RoleModelSettings",
    "RoleWeights",
    "RoutingSettings",
    "RunSettings",
    "SafetySettings",
    "ScriptedRule",
    "ScriptedSettings",
    "Settings",
    "StaticPeer",
    "TelemetrySettings",
    "Template",
    "ToolsSettings",
    "TrustSettings",
    "When",
    "from_mapping",
    "load",
    "load_table",
    "parse",
    "parse_table",
    "preset",
    "too_light",
]

_ROOMS: Final = {
    "adapters": (
        "ADAPTER_NAME",
        "ADAPTER_NAME_WORDS",
        "ADAPTERS",
        "CUSTOM",
        "AdapterFacts",
    ),
    "grammar": ("StaticPeer",),
    "prompt": ("PromptSettings",),
    "reader": (
        "from_mapping",
        "load",
        "load_table",
        "parse",
        "parse_table",
    ),
    "roles": (
        "PRESETS",
        "preset",
        "too_light",
    ),
    "scripted": (
        "Emit",
        "ScriptedRule",
        "ScriptedSettings",
        "Template",
        "When",
    ),
    "thinking": (
        "ModelSettings",
        "Price",
        "RoleModelSettings",
    ),
    "tools": (
        "McpServerSettings",
        "PythonToolsSettings",
        "ToolsSettings",
    ),
    "values": (
        "AttachSettings",
        "BudgetSettings",
        "ContextSettings",
        "IdentitySettings",
        "LoggingSettings",
        "MeshSettings",
        "MetricsSettings",
        "RoleWeights",
        "RoutingSettings",
        "RunSettings",
        "SafetySettings",
        "Settings",
        "TelemetrySettings",
        "TrustSettings",
    ),
}
"""Where each of these names is at home."""


def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    room = next((room for room, names in _ROOMS.items() if name in names), None)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{room}"), name)
