"""mesh.toml: leaders and peers of a fleet by a person's own names.

Rules: as in `values`. One node may be this machine (`here`); a node's key stands in a file of its own, never
in this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from covey import limits
from covey.settings import grammar
from covey.settings.rules import MapOf, OneOf, Report, Text, Whole, key
from covey.settings.table import Table
from covey.values import dataclass

HINT = "fix the lines above; covey peer list-nodes reads the file again"
VERSION = 1


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """One machine."""

    url: str = key(Text(1, limits.URL_CHARS, parse=grammar.base_url), "the address of its door")
    role: str = key(OneOf(("leader", "peer")), "shares its model, or uses others'", default="peer")
    key_file: Path | None = key(
        Text(1, 4_096, parse=Path), "private file with this machine's key for its door", default=None
    )


@dataclass(frozen=True, slots=True)
class MeshFile:
    """All of them."""

    version: int = key(Whole(VERSION, VERSION), "of this format")
    here: str | None = key(Text(1, 64), "which of the nodes this machine is", default=None)
    nodes: Mapping[str, NodeSettings] = key(
        MapOf(Table(NodeSettings), limits.MESH_NODES),
        "the machines by name",
        factory=lambda: MappingProxyType({}),
    )

    def check(self, report: Report) -> None:
        """Report what contradicts itself."""
        if not self.nodes:
            report(("nodes",), "at least one node", "none")
        if self.here is not None and self.here not in self.nodes:
            report(("here",), f"one of the nodes: {', '.join(self.nodes) or 'none'}", self.here)
        for name in self.nodes:
            try:
                grammar.capability(name)
            except ValueError as error:
                report(("nodes", name), f"a name of {error}", name)
        urls: dict[str, str] = {}
        for name, node in self.nodes.items():
            other = urls.setdefault(node.url, name)
            if other != name:
                report(("nodes", name, "url"), "an address of its own", f"that of {other}")
