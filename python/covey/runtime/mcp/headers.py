"""Compact headers and the bodies behind them: what a window that is small should see first (MMP 2.0 §13.9).

Rules: pure. A header is one line; whatever a peer wrote in it is one JSON string, so nothing can leave it. A
body stays for the last 200 blocks that were shown and is fetched by its id; an id that has gone says so.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from covey.agent.context import estimate_tokens
from covey.agent.prompt import quoted
from covey.model import said
from covey.runtime.mcp import bounds

SIGNALS: Final = ("HALT", "DIRECTIVE", "RESULT", "ACK")
"""The keywords whose priority a reader should see without the body (§13.9.1)."""

_ENVELOPE: Final = re.compile(r"\[(?P<label>[A-Z]{2,16})(?: · [^\]\n]{0,200})?\]")
_TAG: Final = re.compile(r" · focus=(?P<tag>[a-z0-9_]{1,80})")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}\Z")


class Bodies:
    """The last blocks that were shown, each under an id: m001, m002 …"""

    def __init__(self, most: int = bounds.BODIES) -> None:
        self._most = most
        self._count = 0
        self._blocks: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._ids: dict[str, str] = {}

    def keep(self, block: Mapping[str, Any]) -> str:
        """Keep a block and return its id; one that is kept already keeps its id."""
        known = self._ids.get(block["key"])
        if known is not None:
            return known
        self._count += 1
        name = f"m{self._count:03d}"
        self._blocks[name] = block
        self._ids[block["key"]] = name
        if len(self._blocks) > self._most:
            _, gone = self._blocks.popitem(last=False)
            del self._ids[gone["key"]]
        return name

    def get(self, name: str) -> Mapping[str, Any] | None:
        """Return the block of this id, or None where it has gone or never was."""
        return self._blocks.get(name)


def spoken(block: Mapping[str, Any]) -> dict[str, str]:
    """Return what a block says, from an answer of the control socket or from an event."""
    return dict(block["said"]) if "said" in block else said(block["categories"])


def named(name: str) -> str:
    """Return a peer's name as it may stand in a line: plain, or as one JSON string."""
    return name if _PLAIN_NAME.match(name) else quoted(name)


def signal(block: Mapping[str, Any], *, directed: bool) -> str:
    """Return the keyword of a block: its envelope's, one it begins with, else what kind of block it is."""
    for text in spoken(block).values():
        envelope = _ENVELOPE.match(text)
        word = (
            envelope["label"] if envelope else text.split(maxsplit=1)[0].rstrip(":,") if text.strip() else ""
        )
        if word in SIGNALS:
            return word
    return "MESSAGE" if directed else "CMB"


def subject(block: Mapping[str, Any]) -> str:
    """Return what a block is about, in at most 80 characters: its envelope's tag, else its first words."""
    words = spoken(block)
    first = words.get("focus") or next(iter(words.values()), "")
    envelope = _ENVELOPE.match(first)
    tag = _TAG.search(envelope[0]) if envelope else None
    if tag:
        return tag["tag"]
    text = first[envelope.end() :] if envelope else first
    return clipped(" ".join(text.split()), bounds.FOCUS_CHARS)


def compact(block: Mapping[str, Any], name: str, *, directed: bool) -> str:
    """Return a block's one line: `[sender] SIGNAL | focus="…" (mood: "…") (~Ntok) [m001]`."""
    words = spoken(block)
    mood = f" (mood: {quoted(clipped(words['mood'], 24))})" if words.get("mood") else ""
    tokens = estimate_tokens(*words.values())
    return (
        f"[{named(block['author'])}] {signal(block, directed=directed)} | "
        f"focus={quoted(subject(block))}{mood} (~{tokens}tok) [{name}]"
    )


def envelope_line(label: str, sender: str, to: str, focus: str) -> str:
    """Return the header line a message begins with (§13.9.1)."""
    tag = re.sub(r"[^a-z0-9]+", "_", focus.lower()).strip("_")[: bounds.FOCUS_CHARS] or "message"
    plain = {"from": sender, "to": to}
    clean = {key: re.sub(r"[\]\n·]", "", text)[:64] for key, text in plain.items()}
    return f"[{label} · from {clean['from']} · to {clean['to']} · focus={tag}]"


def clipped(text: str, most: int) -> str:
    """Return text of at most `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
