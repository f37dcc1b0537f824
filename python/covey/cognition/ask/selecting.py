"""Self-selection (MMP 2.0 §12.10): does this peer have something to say, out of its own store alone?

Rules: pure. Only open, signed blocks of the room are sources: what was addressed to somebody is nobody
else's, and what a stock peer claimed cannot be cited as anybody's word. Answers are no sources, so that
nothing is cited as its own evidence; what authority has dismissed is none either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.cognition.ask.quiet import is_answer, is_question
from covey.cognition.ask.values import Selected, Silence, Source
from covey.cognition.relevance import Relevance
from covey.cognition.terms import query

if TYPE_CHECKING:
    from covey import _core
    from covey.model import Block
    from covey.ports import Memory

_HEARD: Final = 0.5
"""What a block of another counts beside one's own: its author is asked, too."""
_FALLEN: Final = frozenset({"dismissed", "archived"})


def select(
    question: str,
    memory: Memory,
    *,
    room: str,
    node_id: str,
    weights: Mapping[str, float],
    encoder: _core.Encoder,
) -> Selected | Silence:
    """Decide whether this peer contributes to a question, and what of its store it draws on.

    Args:
        question: The question's text.
        memory: The peer's own store, and nothing else (I-Ask-2).
        room: The room that is asked in.
        node_id: Whose store it is: what it said itself counts more than what it heard.
        weights: The peer's own category weights.
        encoder: Reads texts.
    """
    found = (block for block in memory.recall(query(question), limits.ASK_CANDIDATES) if query(question))
    candidates = [block for block in found if _may_be_cited(block, room)]
    if not candidates:
        return Silence("no-grounding")
    sources = rank(candidates, Relevance(question, weights, encoder), node_id)
    best = sources[0].score
    if best < limits.SELF_SELECT_THRESHOLD:
        return Silence("below-threshold", best)
    close = (source for source in sources if source.score >= limits.ASK_MARGIN * best)
    return Selected(tuple(close)[: limits.ASK_SOURCES])


def rank(blocks: Iterable[Block], relevance: Relevance, node_id: str) -> list[Source]:
    """Score blocks, the best first; of equals the older, then by key, so that nothing hangs on an order."""
    sources = []
    for block in blocks:
        match = relevance.of(block)
        own = 1.0 if block.node_id == node_id else _HEARD
        sources.append(Source(block, match.score * own, match.cells))
    return sorted(sources, key=lambda each: (-each.score, each.block.created_ms, each.block.key))


def _may_be_cited(block: Block, room: str) -> bool:
    return (
        block.to is None
        and block.room == room
        and block.proof == "signature"
        and block.lifecycle not in _FALLEN
        and not is_question(block.categories)
        and not is_answer(block.categories)
    )
