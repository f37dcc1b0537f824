"""Waiting: blocks that may wake the agent and have not yet. Bounded, without doubles, taken by thread.

Rules: pure. What is pushed out or dropped is handed back to the caller, who says so; nothing vanishes here.
What still waits at the end of a run is kept by key, and waits again in the next one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from covey.limits import WAITING_SECONDS
from covey.model import Block
from covey.safety import state
from covey.values import dataclass

STATE_NAME = "agent.waiting"
"""The name its document is kept under."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A deferred block of an earlier run. `claimed`: it woke the agent there, and no call was made."""

    block: Block
    claimed: bool
    waited_s: float


class Waiting:
    """A queue of blocks, oldest first, each key at most once."""

    def __init__(self, capacity: int) -> None:
        """Start empty; at most `capacity` blocks wait."""
        self._capacity = capacity
        self._blocks: OrderedDict[str, Block] = OrderedDict()
        self._since: dict[str, float] = {}
        self.changes = 0
        """Raised whenever a block comes or goes: what is kept of the queue is old then."""

    def __len__(self) -> int:
        """Return how many blocks wait."""
        return len(self._blocks)

    def __contains__(self, key: object) -> bool:
        """Say whether a block waits under this key."""
        return key in self._blocks

    def add(self, block: Block, since: float) -> Block | None:
        """Let a block wait, from monotonic second `since`. Returns the oldest when it had to make room."""
        self._blocks[block.key] = block
        self._since[block.key] = since
        self.changes += 1
        if len(self._blocks) > self._capacity:
            return self._popped(next(iter(self._blocks)))
        return None

    def put_back(self, blocks: Iterable[Block], since: float) -> list[Block]:
        """Let blocks wait again, in front of all others. Returns those there was no room for."""
        for block in reversed(list(blocks)):
            self._blocks[block.key] = block
            self._blocks.move_to_end(block.key, last=False)
            self._since.setdefault(block.key, since)
            self.changes += 1
        return [self._popped(next(iter(self._blocks))) for _ in range(len(self._blocks) - self._capacity)]

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
                taken.append(self._popped(block.key))
        return root, taken

    def clear(self) -> list[Block]:
        """Take everything out."""
        return [self._popped(key) for key in list(self._blocks)]

    def drop_where(self, unwanted: Callable[[Block], bool]) -> list[Block]:
        """Take out the blocks that no longer may wake the agent."""
        return [self._popped(block.key) for block in list(self._blocks.values()) if unwanted(block)]

    def too_old(self, now: float) -> list[Block]:
        """Take out what has waited so long that nobody expects an answer any more."""
        return self.drop_where(lambda block: self._since[block.key] + WAITING_SECONDS <= now)

    def since(self) -> list[tuple[str, float]]:
        """Return what waits, with the monotonic second it waits from."""
        return list(self._since.items())

    def _popped(self, key: str) -> Block:
        del self._since[key]
        self.changes += 1
        return self._blocks.pop(key)


def pack(waiting: Iterable[tuple[str, float]], claimed: Iterable[str], moment: state.Moment) -> bytes:
    """Return the document by which a restart finds what still waits.

    Args:
        waiting: Keys with the monotonic second they wait from.
        claimed: Those of them that had woken the agent already, for a call that was never made.
        moment: Now.
    """
    keys = {key: max(0, int((moment.monotonic - since) * 1000)) for key, since in waiting}
    started = [key for key in claimed if key in keys]
    return state.pack(
        STATE_NAME,
        {**state.stamp(moment), "keys": list(keys), "ages_ms": list(keys.values()), "claimed": started},
    )


def unpack(raw: bytes, block: Callable[[str], Block | None], moment: state.Moment) -> list[Kept]:
    """Return what an earlier run left waiting; a block that is held no more is left out.

    Args:
        raw: What `pack` made.
        block: Gives a stored block by its key.
        moment: Now.

    Raises:
        StoreError: The document cannot be read.
    """
    content = state.unpack(STATE_NAME, raw)
    away_ms = state.away_ms(STATE_NAME, content, moment)
    keys, ages_ms = state.words(STATE_NAME, content, "keys"), state.wholes(STATE_NAME, content, "ages_ms")
    if len(keys) != len(ages_ms):
        raise state.unreadable(STATE_NAME, "keys and ages do not pair up")
    claimed = set(state.words(STATE_NAME, content, "claimed"))
    found = ((block(key), key, age_ms) for key, age_ms in zip(keys, ages_ms, strict=True))
    return [
        Kept(held, key in claimed, (age_ms + away_ms) / 1000)
        for held, key, age_ms in found
        if held is not None
    ]
