"""Lineage: walking from a block to its ancestors through the blocks this peer holds.

Rules: pure reads over the Memory port. A block names only its direct parents (MMP 2.0 §8.8), so a walk
resolves one generation at a time, keeps the set of visited keys, and is bounded in depth and in blocks.
A parent that is not held ends its branch: the walk says so and never guesses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from covey.limits import LINEAGE_BLOCKS
from covey.model import Block
from covey.values import dataclass

Lookup = Callable[[str], Block | None]
"""Find a held block by content key; `Memory.block` is one."""


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A held block and how many generations it stands above the start."""

    depth: int
    block: Block


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a walk found. `missing` are parents that are named but not held; `cut` says a bound ended it."""

    ancestors: tuple[Ancestor, ...]
    missing: tuple[str, ...]
    cut: bool

    @property
    def complete(self) -> bool:
        """Say whether every ancestor up to the roots was resolved."""
        return not self.missing and not self.cut


def ancestors(
    lookup: Lookup, starts: Iterable[Block], *, depth: int, max_blocks: int = LINEAGE_BLOCKS
) -> Lineage:
    """Walk breadth-first from `starts` (not included) up to `depth` generations.

    Args:
        lookup: finds a held block by its content key.
        starts: the blocks whose ancestors are wanted.
        depth: generations to climb; 0 finds nothing.
        max_blocks: how many blocks the walk may resolve before it stops.

    Returns:
        Ancestors, nearest first, each once; the parents not held; and whether a bound ended the walk.
    """
    frontier = list(starts)
    seen = {block.key for block in frontier}
    found: list[Ancestor] = []
    missing: list[str] = []
    for level in range(1, depth + 1):
        above: list[Block] = []
        for key in _unseen_parents(frontier, seen):
            if len(found) >= max_blocks:
                return Lineage(tuple(found), tuple(missing), cut=True)
            block = lookup(key)
            if block is None:
                missing.append(key)
                continue
            found.append(Ancestor(level, block))
            above.append(block)
        if not above:
            return Lineage(tuple(found), tuple(missing), cut=False)
        frontier = above
    # Every resolved parent went into `seen`, so what is left unseen lies beyond the depth bound.
    cut = any(True for _ in _unseen_parents(frontier, seen))
    return Lineage(tuple(found), tuple(missing), cut)


def _unseen_parents(blocks: Iterable[Block], seen: set[str]) -> Iterable[str]:
    for block in blocks:
        for key in block.parents:
            if key not in seen:
                seen.add(key)
                yield key


def root_of(lookup: Lookup, block: Block, *, max_blocks: int = LINEAGE_BLOCKS) -> str:
    """Name the thread of a block: the key of its ultimate ancestor.

    A branch ends at a block without parents or at a parent that is not held; the oldest such end wins,
    by signed creation time and then by key, so peers that hold the same blocks name the same root.

    Args:
        lookup: finds a held block by its content key.
        block: where to start; a block without parents is its own root.
        max_blocks: how many blocks the walk may resolve before it settles for the oldest seen.

    Returns:
        The content key of the root. It may name a block this peer does not hold.
    """
    return root_and_whether(lookup, block, max_blocks=max_blocks)[0]


def root_and_whether(lookup: Lookup, block: Block, *, max_blocks: int = LINEAGE_BLOCKS) -> tuple[str, bool]:
    """Name the thread of a block as `root_of` does, and say whether that name is for good.

    It is, once every ancestor is held: a block's content is its key, so nothing can come in between later.
    """
    if not block.parents:
        return block.key, True
    walk = ancestors(lookup, [block], depth=max_blocks, max_blocks=max_blocks)
    tops = [a.block for a in walk.ancestors if not a.block.parents]
    if tops:
        oldest = min(tops, key=lambda top: (top.created_ms, top.key))
        return oldest.key, walk.complete
    return min(walk.missing, default=block.key), False
