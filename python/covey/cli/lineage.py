"""A block's lineage as a graph in the languages that drawing tools read: Graphviz and Mermaid.

Rules: pure; what peers wrote goes through the escapes of the language and stays one label. Arrows lead from
a block to what it answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from covey.cli.blocks import short_key
from covey.cli.console import printable
from covey.values import dataclass

_LABEL_CHARS = 60


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes with their labels, in the order they were met, and arrows between their numbers.

    `held` says which nodes are blocks that are held here; the others are only known by name.
    """

    labels: tuple[tuple[str, ...], ...]
    held: tuple[bool, ...]
    arrows: tuple[tuple[int, int], ...]


def graph_of(found: Mapping[str, Any]) -> Graph:
    """Return the graph of what `trace` or `descendants` found; downwards, other parents are left out."""
    blocks = {each["block"]["key"]: each["block"] for each in found["chain"]}
    order = list(blocks)
    if not found.get("down"):
        order += [key for block in blocks.values() for key in block["parents"] if key not in blocks]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(order))}
    missing = set(found["missing"])
    labels = tuple(_label(key, blocks.get(key), is_missing=key in missing) for key in numbers)
    arrows = tuple(
        (numbers[key], numbers[parent])
        for key, block in blocks.items()
        for parent in block["parents"]
        if parent in numbers
    )
    return Graph(labels, tuple(key in blocks for key in numbers), tuple(dict.fromkeys(arrows)))


def dot(graph: Graph) -> Iterator[str]:
    """Yield the graph in Graphviz' language."""
    yield "digraph lineage {"
    yield '  rankdir="BT"; node [shape="box", fontname="sans-serif"];'
    for number, (lines, held) in enumerate(zip(graph.labels, graph.held, strict=True)):
        style = "" if held else ', style="dashed"'
        # `\n` is the one escape of ours in a label; a peer's own backslashes and quotes are made plain.
        label = "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
        yield f'  n{number} [label="{label}"{style}];'
    for child, parent in graph.arrows:
        yield f"  n{child} -> n{parent};"
    yield "}"


def mermaid(graph: Graph) -> Iterator[str]:
    """Yield the graph in Mermaid's language."""
    yield "flowchart BT"
    for number, (lines, held) in enumerate(zip(graph.labels, graph.held, strict=True)):
        label = "<br/>".join("".join(map(_entity, line)) for line in lines)
        yield f'  n{number}["{label}"]' + ("" if held else ":::missing")
    for child, parent in graph.arrows:
        yield f"  n{child} --> n{parent}"
    yield "  classDef missing stroke-dasharray: 4"


def _label(key: str, block: Mapping[str, Any] | None, *, is_missing: bool) -> tuple[str, ...]:
    if block is None:
        return short_key(printable(key)), "not held here" if is_missing else "beyond the depth shown"
    said = (f"{category}: {_short(text)}" for category, text in block["said"].items())
    return f"{printable(block['author'])}  {short_key(key)}", *said


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _LABEL_CHARS else shown[: _LABEL_CHARS - 1] + "…"


def _entity(char: str) -> str:
    """Return a character as Mermaid shows it, whatever it means to Mermaid or HTML."""
    return char if char.isalnum() or char in " .,:-…" else f"#{ord(char)};"
