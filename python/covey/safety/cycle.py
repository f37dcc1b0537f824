"""The cycle guard: an agent does not answer its own answers, and no thread goes on for ever.

It works on what the wire guarantees: content keys, which admission never renames, and parents, which the
author signed. It walks from the proposed block's parents towards the root of the thread:

- an own block that itself answered something, at most `depth` answers back, makes the proposal *suspect*;
- a suspect proposal may still go out as this peer's one *closing* block of the thread, if it carries a
  commitment; after any own block with a commitment the thread is closed for this peer;
- a chain longer than `max_hops` is refused whatever it carries, and so is a lineage too wide to be walked;
- after `max_calls` model calls in one thread this peer listens only: three peers end a task in twelve.

An own block without parents is a question, not an answer: what others say to it may be answered.
Rules: pure; the store is a lookup that comes in. A lineage that is not held ends there: it proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from covey.limits import CYCLE_NODES, THREADS
from covey.model import NEUTRAL, Block
from covey.safety import state
from covey.values import dataclass

Lookup = Callable[[str], Block | None]
"""Gives the stored, verified block with a content key, or None where it is not held."""

_NAME = "threads"


@dataclass(frozen=True, slots=True)
class Clear:
    """Nothing stands against it. `threads` are the root keys of the thread, `hops` the length of its chain.

    `closing_only` (before a call): only a closing block can pass. `closes` (before an emission): once it
    is minted, the thread must be reported closed.
    """

    threads: tuple[str, ...]
    hops: int
    closing_only: bool = False
    closes: bool = False


@dataclass(frozen=True, slots=True)
class Suspect:
    """It must not go out, or not be asked for.

    `reason` is self-ancestor, thread-closed, thread-calls-used, too-many-hops or lineage-too-wide.
    """

    reason: str
    threads: tuple[str, ...]
    hops: int
    hit_key: str | None = None
    hit_depth: int | None = None


@dataclass(frozen=True, slots=True)
class _Walk:
    threads: tuple[str, ...]
    hops: int
    own: tuple[str, int] | None
    whole: bool


class CycleGuard:
    """Judges what one peer wants to say against the thread it says it in.

    Args:
        node_id: This peer's nodeId; an own block is one it signed.
        depth: How many answers back an own answer makes a circle.
        max_hops: Longest chain of answers in one thread.
        max_calls: Most model calls of this peer in one thread.
    """

    def __init__(self, node_id: str, *, depth: int, max_hops: int, max_calls: int) -> None:
        self._node_id = node_id
        self._depth = depth
        self._max_hops = max_hops
        self._max_calls = max_calls
        self._calls: dict[str, int] = {}  # by thread, least recently used first
        self._closed: dict[str, None] = {}  # in the order of closing

    def before_call(self, waking_key: str, lookup: Lookup) -> Clear | Suspect:
        """Say, before a model is paid, whether any answer to a block could go out."""
        walk = self._walk((waking_key,), lookup)
        refusal = self._refusal(walk)
        if refusal is None and any(self._calls.get(root, 0) >= self._max_calls for root in walk.threads):
            return Suspect("thread-calls-used", walk.threads, walk.hops)
        return refusal or Clear(walk.threads, walk.hops, closing_only=walk.own is not None)

    def called(self, threads: Sequence[str]) -> None:
        """Count one model call that was made for these threads."""
        for root in threads:
            self._calls[root] = self._calls.pop(root, 0) + 1
        _forget_oldest(self._calls)

    def uncalled(self, threads: Sequence[str]) -> None:
        """Take one count back: the call was not made after all."""
        for root in threads:
            if self._calls.get(root, 0) > 0:
                self._calls[root] -= 1

    def before_emission(
        self, parents: Sequence[str], categories: Mapping[str, str], lookup: Lookup
    ) -> Clear | Suspect:
        """Say whether a proposed block may go out.

        Args:
            parents: Content keys the block answers.
            categories: What it says; a commitment that says something makes it a closing block.
            lookup: The stored blocks.
        """
        walk = self._walk(tuple(parents), lookup)
        refusal = self._refusal(walk)
        if refusal is not None:
            return refusal
        closes = bool(walk.threads) and is_closing(categories)
        if walk.own is not None and not closes:
            return Suspect("self-ancestor", walk.threads, walk.hops, *walk.own)
        return Clear(walk.threads, walk.hops, closes=closes)

    def close(self, threads: Sequence[str]) -> None:
        """Remember that this peer has said its last word in these threads."""
        for root in threads:
            self._closed.pop(root, None)
            self._closed[root] = None
        _forget_oldest(self._closed)

    def reopen(self, threads: Sequence[str]) -> None:
        """Take a last word back: the block that was to be it never came to be."""
        for root in threads:
            self._closed.pop(root, None)

    def is_closed(self, threads: Sequence[str]) -> bool:
        """Say whether this peer has closed one of these threads."""
        return any(root in self._closed for root in threads)

    def export(self) -> bytes:
        """Return what must survive a restart."""
        return state.pack(
            _NAME,
            {"closed": list(self._closed), "called": list(self._calls), "calls": list(self._calls.values())},
        )

    def restore(self, raw: bytes) -> None:
        """Take over the threads an earlier run closed, and the calls it made in others.

        Raises:
            StoreError: The document cannot be read; the guard is as it was.
        """
        content = state.unpack(_NAME, raw)
        closed, called = state.words(_NAME, content, "closed"), state.words(_NAME, content, "called")
        calls = state.wholes(_NAME, content, "calls")
        if len(called) != len(calls):
            raise state.unreadable(_NAME, "threads and calls do not pair up")
        self.close(closed)
        for root, count in zip(called, calls, strict=True):
            self._calls[root] = self._calls.get(root, 0) + count

    def _refusal(self, walk: _Walk) -> Suspect | None:
        if self.is_closed(walk.threads):
            return Suspect("thread-closed", walk.threads, walk.hops)
        if not walk.whole:
            return Suspect("lineage-too-wide", walk.threads, walk.hops)
        if walk.hops > self._max_hops:
            return Suspect("too-many-hops", walk.threads, walk.hops)
        return None

    def _walk(self, start: Sequence[str], lookup: Lookup) -> _Walk:
        """Walk from `start` (one hop away) towards the roots, level by level."""
        level = list(dict.fromkeys(start))
        seen, hops = set(level), 0
        roots: list[str] = []
        own: tuple[str, int] | None = None
        while level and hops <= self._max_hops and len(seen) <= CYCLE_NODES:
            hops += 1
            above: dict[str, None] = {}
            for key in level:
                block = lookup(key)
                if block is None or not block.parents:
                    roots.append(key)
                    continue
                if own is None and hops <= self._depth and block.node_id == self._node_id:
                    own = (key, hops)
                above.update(dict.fromkeys(parent for parent in block.parents if parent not in seen))
            seen.update(above)
            level = list(above)
        whole = not level or hops > self._max_hops
        return _Walk(tuple(sorted(roots)), hops, own, whole)


def _forget_oldest(threads: dict[str, int] | dict[str, None]) -> None:
    while len(threads) > THREADS:
        del threads[next(iter(threads))]


def is_closing(categories: Mapping[str, str]) -> bool:
    """Say whether a block carries a commitment that says something."""
    said = categories.get("commitment", "").strip()
    return bool(said) and said != NEUTRAL
