"""mesh.toml on disk: read with line numbers, changed one node at a time, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from covey.cli.mcp import edit
from covey.errors import ConfigError, StoreError, UsageError
from covey.settings import load_table, parse_table, toml
from covey.settings.mesh_file import HINT, VERSION, MeshFile, NodeSettings
from covey.system.home import Home
from covey.system.private_file import replace_whole


def load(home: Home) -> MeshFile:
    """Return the file's nodes.

    Raises:
        ConfigError: There is none, or it is wrong; with file, line and key.
    """
    if not home.mesh_path.exists():
        raise UsageError(
            f"no file of nodes: looked at {home.mesh_path}",
            code="no_mesh_file",
            hint="covey peer init-mesh <name> <url>",
        )
    return load_table(MeshFile, home.mesh_path, HINT)


def node(home: Home, name: str) -> NodeSettings:
    """Return one node.

    Raises:
        UsageError: There is no such one.
        ConfigError: The file is wrong.
    """
    found = load(home)
    if name not in found.nodes:
        raise UsageError(f"no node {name}: there are {', '.join(found.nodes)}", code="unknown_node")
    return found.nodes[name]


def begin(home: Home, name: str, entry: Mapping[str, Any]) -> None:
    """Write a first file.

    Raises:
        UsageError: What it would say is wrong.
        StoreError: It cannot be written.
    """
    text = toml.document({"version": VERSION, "here": name, "nodes": {name: dict(entry)}})
    _write(home, text)


def change(home: Home, name: str, entry: Mapping[str, Any] | None) -> None:
    """Write one node anew, or take it out; the rest of the file stays as a person wrote it.

    Raises:
        UsageError: What it would say is wrong.
        StoreError: It cannot be read or written.
    """
    try:
        text = home.mesh_path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read {home.mesh_path}: {error}") from error
    _write(home, edit.changed(text, "toml", "nodes", name, entry))


def _write(home: Home, text: str) -> None:
    """Write a text that reads back as nodes; one that does not never gets there."""
    try:
        parse_table(MeshFile, text, str(home.mesh_path), HINT)
    except ConfigError as error:
        raise UsageError(f"nothing was written: {error.message}") from error
    home.prepare()
    try:
        replace_whole(home.mesh_path, text.encode())
    except OSError as error:
        raise StoreError(f"cannot write {home.mesh_path}: {error.strerror or error}") from error
