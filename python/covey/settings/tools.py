"""The section [tools]: what the model may use while it thinks, from where, and with whose leave.

    [tools.mcp.files]                                   # a server that speaks MCP over its standard streams
    command = ["mcp-server-files", "/srv/papers"]
    permissions = { read_file = "allow", write_file = "ask" }

    [tools.mcp.search]                                  # one behind an address (streamable HTTP)
    url = "https://search.example/mcp"
    token_env = "SEARCH_TOKEN"
    permissions = { search = "allow" }

    [tools.python.weather]                              # functions marked with @covey.tools.tool
    file = "weather.py"
    permissions = { forecast = "allow" }

    [tools.packs.languages]                             # what the room is told this agent can do
    about = "translations, reviewed"
    capabilities = ["translate.de", "translate.fr"]

A tool that is not named under `permissions` is denied: the model never hears of it. The model knows each as
`<source>__<tool>`.

Rules: as in `values`, of whose table this is a part.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from covey import limits
from covey.settings import grammar
from covey.settings.rules import ListOf, MapOf, OneOf, Real, Text, Whole, key
from covey.settings.table import Table
from covey.values import dataclass

PERMISSIONS = ("allow", "ask", "deny")
"""Used freely; only when a person says yes to the call; never, as everything that is not named."""

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class McpServerSettings:
    """One MCP server: a command to start, or an address."""

    command: tuple[str, ...] = key(
        ListOf(Text(1, 4_096), limits.TOOL_COMMAND_WORDS),
        "program and arguments of a server that speaks over its standard streams",
        default=(),
    )
    url: str | None = key(
        Text(1, limits.URL_CHARS, parse=grammar.base_url),
        "address of a server that speaks streamable HTTP",
        default=None,
    )
    env: Mapping[str, str] = key(
        MapOf(Text(0, 4_096), limits.TOOL_VARIABLES),
        "environment of the command, beside the few variables every program needs",
        factory=lambda: _NONE,
    )
    pass_env: tuple[str, ...] = key(
        ListOf(Text(1, 200, parse=grammar.variable_name), limits.TOOL_VARIABLES),
        "variables of covey's own environment that the command gets too",
        default=(),
    )
    token_env: str | None = key(
        Text(1, 200, parse=grammar.variable_name),
        "environment variable with the bearer token for the address",
        default=None,
    )
    folder: Path | None = key(
        Text(1, 4_096, parse=Path),
        "folder the command is started in; relative to agent.toml",
        default=None,
    )
    timeout_seconds: float | None = key(
        Real(0.05, limits.TOOL_SECONDS), "in place of tools.timeout_seconds", default=None
    )
    permissions: Mapping[str, str] = key(
        MapOf(OneOf(PERMISSIONS), limits.TOOLS),
        "by tool: allow, ask (a person decides each call) or deny; what is not named is denied",
        factory=lambda: _NONE,
    )


@dataclass(frozen=True, slots=True)
class PythonToolsSettings:
    """Functions of one Python file or module."""

    file: Path | None = key(Text(1, 4_096, parse=Path), "the file; relative to agent.toml", default=None)
    module: str | None = key(Text(1, 200), "the module, by its import name", default=None)
    timeout_seconds: float | None = key(
        Real(0.05, limits.TOOL_SECONDS), "in place of tools.timeout_seconds", default=None
    )
    permissions: Mapping[str, str] = key(
        MapOf(OneOf(PERMISSIONS), limits.TOOLS),
        "by function: allow, ask (a person decides each call) or deny; what is not named is denied",
        factory=lambda: _NONE,
    )


@dataclass(frozen=True, slots=True)
class PackSettings:
    """One tool pack: what this agent says it can do, under a name that others find."""

    capabilities: tuple[str, ...] = key(
        ListOf(Text(1, 64, parse=grammar.capability), limits.PACK_CAPABILITIES),
        "words that others find it by, for example translate.de",
    )
    about: str = key(Text(0, limits.PACK_ABOUT_CHARS), "one line for people", default="")


@dataclass(frozen=True, slots=True)
class ToolsSettings:
    """What the model may use while it thinks."""

    max_calls_per_wake: int = key(
        Whole(1, limits.TOOL_CALLS), "calls of one wake, refused ones counted too", default=8
    )
    max_result_bytes: int = key(
        Whole(256, limits.TOOL_RESULT_BYTES), "bytes of one result the model is shown", default=8_192
    )
    timeout_seconds: float = key(Real(0.05, limits.TOOL_SECONDS), "longest wait for one call", default=30.0)
    ask_seconds: float = key(
        Real(1, limits.TOOL_ASK_SECONDS),
        "how long a call waits for a person's yes; without one it is denied",
        default=300.0,
    )
    mcp: Mapping[str, McpServerSettings] = key(
        MapOf(Table(McpServerSettings), limits.TOOL_SOURCES),
        "MCP servers, by a short name",
        factory=lambda: MappingProxyType({}),
    )
    python: Mapping[str, PythonToolsSettings] = key(
        MapOf(Table(PythonToolsSettings), limits.TOOL_SOURCES),
        "Python functions, by a short name",
        factory=lambda: MappingProxyType({}),
    )
    packs: Mapping[str, PackSettings] = key(
        MapOf(Table(PackSettings), limits.PACKS),
        "tool packs that this agent has, by name; the room sees them",
        factory=lambda: MappingProxyType({}),
    )

    def __bool__(self) -> bool:
        """Say whether there is anything to use."""
        return bool(self.mcp or self.python)
