"""Waiting: blocks that may wake the agent and have not yet. Bounded, without doubles, taken by thread.

Rules: pure. What is pushed out or dropped is handed back to the caller, who says so; nothing vanishes here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from covey.model import Block


class Waiting:
    """A queue of blocks, oldest first, each key at most once."""

    def __init__(self, capacity: int) -> None:
        """Start empty; at most `capacity` blocks wait."""
        self._capacity = capacity
        self._blocks: OrderedDict[str, Block] = OrderedDict()

    def __len__(self) -> int:
        """Return how many blocks wait."""
        return len(self._blocks)

    def __contains__(self, key: object) -> bool:
        """Say whether a block waits under this key."""
        return key in self._blocks

    def add(self, block: Block) -> Block | None:
        """Let a block wait. Returns the oldest one when it had to make room."""
        self._blocks[block.key] = block
        if len(self._blocks) > self._capacity:
            return self._blocks.popitem(last=False)[1]
        return None

    def take(self, limit: int, thread_of: Callable[[Block], str]) -> tuple[str, list[Block]]:
        """Take the oldest block and those of its thread, oldest first.

        Args:
            limit: the most blocks one wake answers together.
            thread_of: names the thread of a block.

        Returns:
            The thread's root and one to `limit` blocks. Other threads keep their place.
        """
        root = thread_of(next(iter(self._blocks.values())))
        taken: list[Block] = []
        for block in list(self._blocks.values()):
            if len(taken) < limit and thread_of(block) == root:
                taken.append(self._blocks.pop(block.key))
        return root, taken

    def clear(self) -> list[Block]:
        """Take everything out."""
        blocks = list(self._blocks.values())
        self._blocks.clear()
        return blocks

    def drop_where(self, unwanted: Callable[[Block], bool]) -> list[Block]:
        """Take out the blocks that no longer may wake the agent."""
        gone = [block for block in self._blocks.values() if unwanted(block)]
        for block in gone:
            del self._blocks[block.key]
        return gone
