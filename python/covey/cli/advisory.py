"""A look at Claude Code's own configuration: does its mesh server sit in the same room, under another name?

Rules: reads two known files of the user and nothing else; whatever is in them, the outcome is advice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from covey.values import dataclass

_PLACES: Final = (".claude.json", "Library/Application Support/Claude/claude_desktop_config.json")
_TABLES: Final = ("mcpServers", "mcp-servers")
_ENTRIES: Final = ("claude-sym-mesh", "sym-mesh-channel")
_FILE_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Advice:
    """One line; `conflict` says that a person should look."""

    text: str
    conflict: bool = False


def claude_advice(env: Mapping[str, str], room: str, name: str) -> Advice:
    """Compare the mesh server of Claude Code, where there is one, with a peer's room and name."""
    found = next((path for path in _places(env) if path.is_file()), None)
    if found is None:
        return Advice("(info) no Claude config found in default locations")
    try:
        with found.open("rb") as file:
            config = json.loads(file.read(_FILE_BYTES))
    except OSError as error:
        return Advice(f"(info) Claude config at {found} is not readable: {error.strerror}")
    except (ValueError, RecursionError):
        return Advice(f"(info) Claude config at {found} is not valid JSON")
    entry = _entry(config)
    if entry is None:
        return Advice('(info) Claude config has no "claude-sym-mesh" MCP server entry')
    return _compare(entry, room, name)


def _places(env: Mapping[str, str]) -> list[Path]:
    user = env.get("HOME") or ""
    return [Path(user) / place for place in _PLACES] if user else []


def _entry(config: Any) -> dict[str, Any] | None:
    tables = [config.get(table) for table in _TABLES] if isinstance(config, dict) else []
    for table in tables:
        for name in _ENTRIES:
            entry = table.get(name) if isinstance(table, dict) else None
            if isinstance(entry, dict):
                return entry
    return None


def _compare(entry: Mapping[str, Any], room: str, name: str) -> Advice:
    given = entry.get("env")
    env: Mapping[str, Any] = given if isinstance(given, dict) else {}
    other_room, other_name = str(env.get("SYM_GROUP") or "default"), str(env.get("SYM_NODE_NAME") or "")
    if other_room != room:
        return Advice(
            f'(warn) Claude\'s mesh server sits in room "{other_room}", this peer in "{room}"', True
        )
    if other_name == name:
        return Advice(f"(warn) Claude's mesh server has this peer's name too: \"{name}\"", True)
    return Advice(f"room={other_room} name={other_name or '(its own)'}")
