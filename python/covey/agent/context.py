"""Context: one bounded question to a model, made of what woke the agent and what it remembers.

Rules: pure. The budget is exact: system text, tool, waking blocks and everything else are inside it, and
what does not fit is trimmed item by item, least relevant first, and named in the result. Peer text only
ever stands as JSON strings between fences that its author could not have known.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from covey import _core
from covey.agent.prompt import (
    EMIT_TOOL,
    FENCE_MARK,
    Persona,
    Standing,
    fence_line,
    quoted,
    standing_text,
    system_text,
)
from covey.cognition.curation import curate
from covey.limits import CHARS_PER_TOKEN, FEEDBACK_SHOWN
from covey.memory.lineage import ancestors
from covey.memory.recents import by_relevance, feedback_blocks, own_recent, room_recent, words
from covey.model import CAT7, NEUTRAL, Block, ToolSpec
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.ports import Memory

_SMALLEST_TRIM_BYTES = 240
"""Below this a trimmed block says too little to be worth its heading."""

_FENCE_HEX = 16
"""Sixteen hex digits: 64 bits that a peer would have to guess while the request exists."""

_ASK = f"Decide now, by your role, whether to answer with {EMIT_TOOL.name}."


_ASK_JSON = "Decide now, by your role, what to answer."


class ContextTooSmall(ValueError):  # noqa: N818 - a condition with a name, not a fault of the code
    """The token bound cannot hold the instructions and one waking block."""


@dataclass(frozen=True, slots=True)
class ContextLimits:
    """How much of its memory an agent shows its model (configuration section `context`)."""

    k_lineage: int = 3
    n_own: int = 5
    n_room: int = 10
    max_tokens: int = 8000
    curated_tokens: int = 0
    """What of ancestors is shown, chosen category by category; 0 shows them whole."""


@dataclass(frozen=True, slots=True)
class Context:
    """One assembled question. `tokens` is the estimate for all of it; keys say what became of each block."""

    system: str
    user: str
    tokens: int
    included: tuple[str, ...]
    trimmed: tuple[str, ...]
    dropped: tuple[str, ...]


def estimate_tokens(*texts: str) -> int:
    """Return the estimated tokens of the texts together: UTF-8 bytes over four, rounded up.

    Bytes, not characters, so that it errs on the safe side for other scripts than English.
    """
    return -(-sum(len(text.encode()) for text in texts) // CHARS_PER_TOKEN)


def fence_for(secret: bytes, request: int, texts: Iterable[str]) -> str:
    """Derive the delimiter of one request, one that none of the texts contains.

    Args:
        secret: at least 16 random bytes that never leave this process.
        request: the number of the request, so that no two requests share a delimiter.
        texts: everything a peer wrote that will stand in the request.

    Returns:
        A delimiter such as `§3f9a4be1c0d27718`.
    """
    held = list(texts)
    attempt = 0
    while True:
        seed = f"{request}:{attempt}".encode()
        fence = FENCE_MARK + hashlib.blake2b(seed, key=secret[:64], digest_size=_FENCE_HEX // 2).hexdigest()
        if not any(fence in text for text in held):
            return fence
        attempt += 1


def assemble(
    persona: Persona,
    waking: Sequence[Block],
    memory: Memory,
    limits: ContextLimits,
    *,
    standing: Standing,
    secret: bytes,
    request: int,
    tools: Sequence[ToolSpec] = (EMIT_TOOL,),
) -> Context:
    """Build the question for one wake.

    Args:
        persona: who is asked.
        waking: the blocks that woke the agent, oldest first; at least one.
        memory: where lineage and recents are read.
        limits: how much of each to show, and the token bound for everything.
        standing: where the agent stands in the thread.
        secret: random bytes from which the request's fence is derived.
        request: the request's number.
        tools: what is offered beside the text; it counts against the bound too.

    Returns:
        The question, with what was included, trimmed and dropped.

    Raises:
        ContextTooSmall: the bound cannot hold the instructions and the waking blocks' headings.
    """
    sections = _sections(persona, waking, memory, limits)
    texts = (text for _, blocks in sections for block in blocks for text in _texts(block))
    fence = fence_for(secret, request, [*texts, *(text for block in waking for text in _texts(block))])
    system, opening = system_text(persona), fence_line(fence)
    composer = _Composer(fence, persona.node_id, limits.max_tokens * CHARS_PER_TOKEN)
    offered = [f"{tool.name}{tool.description}{json.dumps(tool.input_schema)}" for tool in tools]
    composer.reserve(system, *offered)
    stand = standing_text(standing)
    ask = _ASK_JSON if persona.as_json else _ASK
    composer.reserve(opening, stand, ask, "\n\n" * 4)
    composer.add_all("What woke you:", waking)
    for title, blocks in sections:
        composer.add_what_fits(title, blocks)
    user = "\n\n".join(part for part in (opening, *composer.parts, stand, ask) if part)
    return Context(
        system=system,
        user=user,
        tokens=estimate_tokens(system, user, *offered),
        included=tuple(composer.included),
        trimmed=tuple(composer.trimmed),
        dropped=tuple(composer.dropped),
    )


def _sections(
    persona: Persona, waking: Sequence[Block], memory: Memory, limits: ContextLimits
) -> tuple[tuple[str, list[Block]], ...]:
    """Choose what else to show, each block in the first section that wants it, most relevant first."""
    shown = {block.key for block in waking}
    room = waking[0].room
    above = [a.block for a in ancestors(memory.block, waking, depth=limits.k_lineage).ancestors]
    shown.update(block.key for block in above)
    title = "What it answers, nearest first:"
    if limits.curated_tokens and above:
        title = "What it answers, as far as it matters here, the most relevant first:"
        above = _curated(persona, waking, memory, limits)
    told = feedback_blocks(memory, FEEDBACK_SHOWN, room=room, without=shown)
    shown.update(block.key for block in told)
    own = own_recent(memory, limits.n_own, room=room, without=shown)
    shown.update(block.key for block in own)
    others = by_relevance(room_recent(memory, limits.n_room, room=room, without=shown), words(waking))
    return (
        (title, above),
        ("What others say of your own blocks, newest first (outcomes and judgements):", told),
        ("What you said lately:", own),
        ("What others in the room said lately:", others),
    )


def _curated(persona: Persona, waking: Sequence[Block], memory: Memory, limits: ContextLimits) -> list[Block]:
    """Return ancestors with those categories only that this agent weighs and its role wants (§12.4)."""
    weights = persona.weights or dict.fromkeys(CAT7, 1.0)
    found: dict[str, Block] = {}
    for block in waking:
        curated = curate(
            block,
            weights,
            persona.role,
            limits.curated_tokens // len(waking),
            lookup=memory.block,
            encoder=_encoder(),
            depth=limits.k_lineage,
            with_incoming=False,
        )
        for each in curated.blocks:
            texts = {**dict.fromkeys(CAT7, NEUTRAL), **each.shown}
            found.setdefault(each.block.key, replace(each.block, categories=texts))
    woke = {block.key for block in waking}
    return [block for key, block in found.items() if key not in woke]


@cache
def _encoder() -> _core.Encoder:
    return _core.Encoder()


def _texts(block: Block) -> Iterable[str]:
    yield from block.categories.values()
    yield block.author


class _Composer:
    """Fills the user message within a byte budget; every byte that goes in is paid for first."""

    def __init__(self, fence: str, own_node_id: str, budget_bytes: int) -> None:
        self._fence = fence
        self._own = own_node_id
        self._left = budget_bytes
        self.parts: list[str] = []
        self.included: list[str] = []
        self.trimmed: list[str] = []
        self.dropped: list[str] = []

    def reserve(self, *texts: str) -> None:
        """Pay for text that stands outside the blocks."""
        self._left -= sum(len(text.encode()) for text in texts)

    def add_all(self, title: str, blocks: Sequence[Block]) -> None:
        """Add every block, sharing what is left fairly: small blocks whole, large ones trimmed."""
        self._left -= len(title.encode()) + 2
        whole = {block.key: render(block, self._fence, self._own) for block in blocks}
        rendered: dict[str, str] = {}
        waiting = sorted(blocks, key=lambda block: len(whole[block.key].encode()))
        for position, block in enumerate(waiting):
            share = self._left // (len(waiting) - position) - 2
            text = self._fit(block, whole[block.key], share)
            if text is None:
                raise ContextTooSmall(
                    "max_context_tokens is too small for the instructions and the block that woke the agent"
                )
            rendered[block.key] = text
            self._left -= len(text.encode()) + 2
        self.parts.append("\n\n".join([title, *(rendered[block.key] for block in blocks)]))
        self.included += [block.key for block in blocks]

    def add_what_fits(self, title: str, blocks: Sequence[Block]) -> None:
        """Add blocks in order while the budget lasts, trimming the one that only partly fits."""
        heading = len(title.encode()) + 2
        texts: list[str] = []
        for block in blocks:
            room = self._left - 2 - (0 if texts else heading)
            whole = render(block, self._fence, self._own)
            text = self._fit(block, whole, room) if room >= min(len(whole), _SMALLEST_TRIM_BYTES) else None
            if text is None:
                self.dropped.append(block.key)
                continue
            self._left = room - len(text.encode())
            texts.append(text)
            self.included.append(block.key)
        if texts:
            self.parts.append("\n\n".join([title, *texts]))

    def _fit(self, block: Block, whole: str, room_bytes: int) -> str | None:
        if len(whole.encode()) <= room_bytes:
            return whole
        text = _trim(block, self._fence, self._own, room_bytes)
        if text is not None:
            self.trimmed.append(block.key)
        return text


def render(block: Block, fence: str, own_node_id: str, *, cap: int | None = None) -> str:
    """Quote one block: a heading, one JSON string per category that speaks, and an end line.

    Args:
        block: what to quote.
        fence: the request's delimiter.
        own_node_id: the agent's nodeId; its own blocks are marked as such.
        cap: the most code points of a category to show, or None for all.

    Returns:
        Lines of text; the fence stands in the first and in the last and nowhere else.
    """
    who = "you" if block.node_id == own_node_id else quoted(block.author)
    heading = f"{fence} block {block.key} by {who}"
    if block.parents:
        heading += " in answer to " + ", ".join(block.parents[:8])
    lines = [heading]
    for name, text in block.said().items():
        if cap is None or len(text) <= cap:
            lines.append(f"{name}: {quoted(text)}")
        else:
            lines.append(f"{name}: {quoted(text[:cap])} ({len(text) - cap} more characters left out)")
    lines.append(f"{fence} end")
    return "\n".join(lines)


def _trim(block: Block, fence: str, own_node_id: str, room_bytes: int) -> str | None:
    """Show as much of each category as fits; None when not even the headings do."""
    low, high = 0, max((len(text) for text in block.said().values()), default=0)
    best: str | None = None
    while low <= high:
        cap = (low + high) // 2
        text = render(block, fence, own_node_id, cap=cap)
        if len(text.encode()) <= room_bytes:
            best, low = text, cap + 1
        else:
            high = cap - 1
    return best
