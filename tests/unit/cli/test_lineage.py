"""A lineage as a graph: every block once, every arrow once, and no label that breaks out of its quotes."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.cli.lineage import dot, graph_of, mermaid

TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=80)
EVIL = 'x"]; evil -> y; "\\n --> z["<script>alert(1)</script>\n%% `#quot;'


def block(key: str, *parents: str, focus: str = "f", author: str = "writer") -> dict[str, Any]:
    return {"key": key, "author": author, "parents": list(parents), "said": {"focus": focus}}


def found(*blocks: dict[str, Any], missing: tuple[str, ...] = ()) -> dict[str, Any]:
    chain = [{"depth": depth, "block": each} for depth, each in enumerate(blocks)]
    return {"root": blocks[0]["key"], "chain": chain, "missing": list(missing), "cut": False}


DIAMOND = found(
    block("cmb-d", "cmb-b", "cmb-c"),
    block("cmb-b", "cmb-a"),
    block("cmb-c", "cmb-a"),
    block("cmb-a", "cmb-0"),
    missing=("cmb-0",),
)


def test_downwards_other_parents_are_left_out() -> None:
    graph = graph_of({**found(block("cmb-b", "cmb-a"), block("cmb-c", "cmb-b", "cmb-x")), "down": True})
    assert [lines[0].split()[-1] for lines in graph.labels] == ["cmb-b", "cmb-c"]
    assert (graph.held, graph.arrows) == ((True, True), ((1, 0),))


def test_a_diamond_has_each_block_and_each_arrow_once() -> None:
    graph = graph_of(DIAMOND)
    assert [lines[0].split()[-1] for lines in graph.labels] == ["cmb-d", "cmb-b", "cmb-c", "cmb-a", "cmb-0"]
    assert graph.held == (True, True, True, True, False)
    assert graph.arrows == ((0, 1), (0, 2), (1, 3), (2, 3), (3, 4))
    assert graph.labels[4] == ("cmb-0", "not held here")
    assert list(mermaid(graph)) == [
        "flowchart BT",
        '  n0["writer  cmb-d<br/>focus: f"]',
        '  n1["writer  cmb-b<br/>focus: f"]',
        '  n2["writer  cmb-c<br/>focus: f"]',
        '  n3["writer  cmb-a<br/>focus: f"]',
        '  n4["cmb-0<br/>not held here"]:::missing',
        *(f"  n{child} --> n{parent}" for child, parent in graph.arrows),
        "  classDef missing stroke-dasharray: 4",
    ]
    assert list(dot(graph))[2:4] == [
        '  n0 [label="writer  cmb-d\\nfocus: f"];',
        '  n1 [label="writer  cmb-b\\nfocus: f"];',
    ]


@given(focus=TEXT, author=TEXT)
def test_what_a_peer_wrote_stays_one_label(focus: str, author: str) -> None:
    graph = graph_of(found(block("cmb-1", focus=focus, author=author)))
    (_, drawn, *rest) = mermaid(graph)
    assert re.fullmatch(r'  n0\["(?:\w|[ .,:…-]|#\d+;|<br/>)*"\]', drawn)
    assert rest == ["  classDef missing stroke-dasharray: 4"]
    lines = list(dot(graph))
    assert re.fullmatch(r'  n0 \[label="(?:[^"\\]|\\\\|\\"|\\n)*"\];', lines[2])
    assert len(lines) == 4


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_it() -> None:
    text = "\n".join(dot(graph_of(found(block("cmb-1", "cmb-2", focus=EVIL, author=EVIL)))))
    done = subprocess.run(
        ["dot", "-Tplain"], input=text, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.count("\nnode ") == 2
    assert done.stdout.count("\nedge ") == 1
