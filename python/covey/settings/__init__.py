"""What a peer was told: agent.toml as typed, frozen values, with errors that name file, line and key."""

from covey.settings.adapters import ADAPTER_NAME, ADAPTER_NAME_WORDS, ADAPTERS, CUSTOM, AdapterFacts
from covey.settings.grammar import StaticPeer
from covey.settings.prompt import PromptSettings
from covey.settings.reader import from_mapping, load, load_table, parse, parse_table
from covey.settings.roles import PRESETS, preset, too_light
from covey.settings.schema import schema
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
    "schema",
    "too_light",
]
