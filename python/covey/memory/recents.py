"""Recents: what was said lately, by this agent and by the others of its room, ranked for a context.

Rules: pure reads over the Memory port. Relevance is shared words, nothing learned and nothing random, so
the same memory and the same waking block always give the same context.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from covey import limits
from covey.model import Block

if TYPE_CHECKING:
    from covey.ports import Memory

_WORD = re.compile(r"\w{3,}", re.UNICODE)


def own_recent(memory: Memory, limit: int, *, room: str, without: Collection[str]) -> list[Block]:
    """Return this agent's own newest blocks of a room, newest first, leaving out the keys in `without`."""
    return _recent(memory, limit, own=True, room=room, without=without)


def room_recent(memory: Memory, limit: int, *, room: str, without: Collection[str]) -> list[Block]:
    """Return the other authors' newest blocks of a room, newest first, leaving out the keys in `without`."""
    return _recent(memory, limit, own=False, room=room, without=without)


def feedback_blocks(memory: Memory, limit: int, *, room: str, without: Collection[str]) -> list[Block]:
    """Return what others said lately of this agent's own blocks (MMP 2.0 §11.1), newest first, each once.

    An outcome is shown whoever reports it, and a judgement whoever makes it: whether one moved the block is a
    question of authority, and an agent may learn from either.
    """
    words = memory.feedback_for_own(limit + len(without), room)
    keys = [key for key in dict.fromkeys(word.key for word in words) if key not in without]
    return [block for key in keys[:limit] if (block := memory.block(key)) is not None]


def _recent(memory: Memory, limit: int, *, own: bool, room: str, without: Collection[str]) -> list[Block]:
    if limit <= 0:
        return []
    # What is left out may be among the newest, so ask for that many more and cut afterwards.
    blocks = memory.recent(limit + len(without), own=own, room=room)
    return [block for block in blocks if block.key not in without][:limit]


def words(blocks: Iterable[Block]) -> frozenset[str]:
    """Return the distinct lower-case words of three letters or more that the blocks say."""
    return frozenset().union(*(_words_of(block) for block in blocks))


def by_relevance(blocks: Sequence[Block], topic: frozenset[str]) -> list[Block]:
    """Order blocks by the share of `topic` words they repeat, most first; the given order breaks ties."""

    def score(block: Block) -> float:
        said = _words_of(block)
        shared = len(said & topic)
        union = len(said) + len(topic) - shared
        return shared / union if union else 0.0

    return sorted(blocks, key=score, reverse=True)


def _words_of(block: Block) -> frozenset[str]:
    texts = tuple(block.said().values())
    short = sum(map(len, texts)) <= limits.RECENT_WORDS_CHARS
    return _kept(texts) if short else _read(texts)


def _read(texts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word for text in texts for word in _WORD.findall(text.lower()))


def forget() -> None:
    """Keep no words that were read before: the owner had blocks forgotten, and theirs may be among them."""
    _kept.cache_clear()


_kept = lru_cache(maxsize=limits.RECENT_WORDS_KEPT)(_read)
"""Most of what is recent at one wake was recent at the one before."""
