"""Where MCP clients keep their servers, and what an entry looks like in each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from covey.errors import UsageError
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Client:
    """One client.

    Attributes:
        table: The member of its configuration that holds servers.
        user: Its user's file, below the home folder.
        project: Its file of one project, below the project's folder; None where there is none.
        form: json or toml.
        typed: Says the transport in the entry.
        after: What its user has to do next.
    """

    table: str
    user: Callable[[Path], Path]
    project: str | None = None
    form: str = "json"
    typed: bool = False
    after: str = "restart it, or reload its MCP servers"

    def file(self, home: Path, project: Path | None) -> Path:
        """Return the file to edit.

        Raises:
            UsageError: The client has no file for a project.
        """
        if project is None:
            return self.user(home)
        if self.project is None:
            raise UsageError("--project: this client has one configuration for everything")
        return project / self.project

    def entry(self, command: Sequence[str], env: Mapping[str, str]) -> dict[str, Any]:
        """Return the entry that starts this server."""
        kind = {"type": "stdio"} if self.typed else {}
        variables = {"env": dict(env)} if env else {}
        return {**kind, "command": command[0], "args": list(command[1:]), **variables}


def _support(folder: str, file: str) -> Callable[[Path], Path]:
    """Return the place of a file in the system's folder for applications."""
    mac = sys.platform == "darwin"
    return lambda home: home / ("Library/Application Support" if mac else ".config") / folder / file


def _below(file: str) -> Callable[[Path], Path]:
    return lambda home: home / file


CLIENTS: Final[Mapping[str, Client]] = {
    "claude": Client(
        "mcpServers",
        _below(".claude.json"),
        ".mcp.json",
        typed=True,
        after="start a new claude session; /mcp shows it",
    ),
    "claude-desktop": Client("mcpServers", _support("Claude", "claude_desktop_config.json")),
    "cursor": Client("mcpServers", _below(".cursor/mcp.json"), ".cursor/mcp.json"),
    "vscode": Client("servers", _support("Code/User", "mcp.json"), ".vscode/mcp.json", typed=True),
    "zed": Client("context_servers", _below(".config/zed/settings.json"), ".zed/settings.json"),
    "codex": Client("mcp_servers", _below(".codex/config.toml"), ".codex/config.toml", form="toml"),
    "windsurf": Client("mcpServers", _below(".codeium/windsurf/mcp_config.json")),
    "gemini": Client("mcpServers", _below(".gemini/settings.json"), ".gemini/settings.json"),
}
