"""Contributions (MMP 2.0 §12.11): what a peer says of the sources it selected, with their lineage.

Rules: pure. Without a model a contribution is an extract: the categories of its sources that have to do with
the question, in their authors' words, cut to a bound. Nothing is put in that no source says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.cognition.ask.values import Selected
from covey.model import CAT7, Payload, Proposal
from covey.proto.ask.words import CONTRIBUTION_SCHEMA

if TYPE_CHECKING:
    from covey.model import Block

_CELLS: Final = 3
"""Categories of one source that are carried over, the best: §12.4 expects three."""


def contribution(
    question_key: str,
    selected: Selected,
    records: Iterable[bytes],
    *,
    by: str,
    to: str,
    within_seconds: float,
    held: bool = False,
) -> Proposal:
    """Return the block that answers a question for who asked it.

    Args:
        question_key: The question's content key.
        selected: What it draws on.
        records: The sources as their authors signed them, so that the asker can hold it against them.
        by: Who says it: an extract of one source would be that source's own words, and so its own address.
        to: Who asked; nobody else is told.
        within_seconds: After that nobody waits for it.
        held: The question is held here, so that the block can name it beside its sources: what answers is
            judged as an answer where that is held, whatever else memory is about.
    """
    sources = tuple(source.block.key for source in selected.sources)
    return Proposal(
        {**extract(selected), "perspective": f"contribution of {by}"},
        (*sources, question_key) if held else sources,
        to,
        within_seconds,
        Payload("application/json", CONTRIBUTION_SCHEMA, packed(question_key, records)),
        fresh="application",
    )


def extract(selected: Selected) -> dict[str, str]:
    """Return what the sources say of the question, category by category, in their own words."""
    said: dict[str, list[str]] = {}
    for source in selected.sources:
        texts = source.block.said()
        best = sorted(texts, key=lambda name: (-source.cells.get(name, 0.0), CAT7.index(name)))[:_CELLS]
        for name in best:
            kept = said.setdefault(name, [])
            if texts[name] not in kept:
                kept.append(texts[name])
    said.pop("perspective", None)
    return {name: clipped("; ".join(said[name]), limits.ASK_TEXT_CHARS) for name in CAT7 if name in said}


def packed(question_key: str, records: Iterable[bytes]) -> bytes:
    """Return a contribution's application data; a source that does not fit is named by its key alone."""
    room = limits.ASK_SOURCE_BYTES
    shown = []
    for record in records:
        room -= len(record)
        if room >= 0:
            shown.append(json.loads(record))
    return json.dumps({"question": question_key, "sources": shown}, ensure_ascii=False).encode()


def unpacked(data: bytes) -> tuple[str, list[tuple[str, bytes]]] | None:
    """Read what `packed` wrote; None where it is something else.

    Returns:
        The question's key, and unverified records, each with the nodeId of who it says wrote it.
    """
    try:
        body = json.loads(data)
        named = body.get("question") if isinstance(body, dict) else None
        rows = body.get("sources", []) if isinstance(body, dict) else None
        if not isinstance(named, str) or not isinstance(rows, list) or len(rows) > limits.ASK_SOURCES:
            return None
        return named, [(_author(row), json.dumps(row).encode()) for row in rows]
    except (ValueError, RecursionError):
        return None


def _author(row: object) -> str:
    metadata = row.get("metadata") if isinstance(row, dict) else None
    author = metadata.get("createdByNodeId") if isinstance(metadata, dict) else None
    return author if isinstance(author, str) else ""


def text_of(categories: Mapping[str, str], most: int = limits.ASK_CLAIM_CHARS) -> str:
    """Return what a block says as one line: its categories in order, each once."""
    kept = list(dict.fromkeys(" ".join(text.split()) for text in categories.values()))
    return clipped("; ".join(kept), most)


def line_of(block: Block) -> str:
    """Return what a contribution says as one line; its perspective only says whose it is."""
    return text_of({name: text for name, text in block.said().items() if name != "perspective"})


def clipped(text: str, most: int) -> str:
    """Return a text, cut at a word where it is too long."""
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut[most // 2 :] else cut) + "…"
