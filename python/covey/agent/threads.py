"""Threads: which blocks belong together, who has closed their part, and when everyone has.

Rules: pure bookkeeping over what was heard and what was emitted. A thread is named by its root, the
ultimate ancestor. Blocks may arrive before their parents, so a root is worked out when it is asked for, and
remembered only once nothing can change it. Authors are nodeIds: a label closes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable

from covey.limits import THREAD_BLOCKS, THREAD_CLOSINGS, THREAD_SEARCHED
from covey.memory.lineage import Lookup, root_and_whether
from covey.model import Block


def closes(block: Block) -> bool:
    """Say whether a block closes its author's part: it answers something and it commits to something."""
    return bool(block.parents) and "commitment" in block.said()


class ThreadBook:
    """What this agent knows of the threads of its room."""

    def __init__(self, lookup: Lookup) -> None:
        """Start with nothing noted; `lookup` reads blocks that were noted before this run."""
        self._lookup = lookup
        self._blocks: OrderedDict[str, Block] = OrderedDict()
        self._closings: OrderedDict[str, Block] = OrderedDict()
        self._roots: OrderedDict[str, str] = OrderedDict()

    def note(self, block: Block) -> bool:
        """Remember a block, heard or own. Returns whether it is its author's closing block."""
        self._blocks[block.key] = block
        self._blocks.move_to_end(block.key)
        while len(self._blocks) > THREAD_BLOCKS:
            self._blocks.popitem(last=False)
        if not closes(block):
            return False
        self._closings[block.key] = block
        while len(self._closings) > THREAD_CLOSINGS:
            self._closings.popitem(last=False)
        return True

    def block(self, key: str) -> Block | None:
        """Return a block by key, from what was noted or from the store."""
        return self._blocks.get(key) or self._lookup(key)

    def root(self, block: Block) -> str:
        """Name the thread of a block as known now."""
        known = self._roots.get(block.key)
        if known is not None:
            return known
        root, for_good = root_and_whether(self.block, block)
        if for_good:
            self._roots[block.key] = root
            while len(self._roots) > THREAD_BLOCKS:
                self._roots.popitem(last=False)
        return root

    def closed(self, root: str) -> dict[str, str]:
        """Return who has closed their part of a thread: author nodeId to the key of the closing block."""
        return {block.node_id: block.key for block in self._closings.values() if self.root(block) == root}

    def has_closed(self, node_id: str, root: str) -> bool:
        """Say whether an author has closed their part of a thread."""
        return any(block.node_id == node_id and self.root(block) == root for block in self._closings.values())

    def finished(self, participants: Collection[str], among: Iterable[Block]) -> str | None:
        """Return the root of a thread that every participant has closed, if there is one.

        Args:
            participants: nodeIds of all agents that take part; with none, no thread is ever finished.
            among: blocks whose threads are looked at.
        """
        if not participants:
            return None
        for root in {self.root(block): None for block in among}:
            if set(participants) <= self.closed(root).keys():
                return root
        return None

    def authors(self, root: str) -> tuple[str, ...]:
        """Return the labels of those who put a block into a thread lately, first come first."""
        recent = list(self._blocks.values())[-THREAD_SEARCHED:]
        return tuple(dict.fromkeys(block.author for block in recent if self.root(block) == root))

    def answered(self, node_id: str, root: str) -> int:
        """Count the blocks an author has put into a thread as an answer."""
        return sum(
            1
            for block in self._blocks.values()
            if block.node_id == node_id and block.parents and self.root(block) == root
        )
