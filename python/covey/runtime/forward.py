"""The shell of forwarding: reads of this peer's store, on its writer's thread or beside the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from covey.errors import StoreError
from covey.limits import FORWARD_ROOTS, LINEAGE_BLOCKS
from covey.memory.lineage import Lookup, ancestors
from covey.proto.forward import words
from covey.proto.forward.engine import Forwarding

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.extension import Extension
    from covey.runtime.plugin import Tell

Logger = Callable[[str, str, Mapping[str, Any]], None]


class Shelves(Protocol):
    """What forwarding asks of the node's store; answers come on the loop's thread."""

    def missing(self, keys: Sequence[str], looked: Callable[[Sequence[str]], None]) -> None:
        """Say which keys are not held."""

    def record(self, key: str, loaded: Callable[[_core.Record | None], None]) -> None:
        """Read one held record and verify it again."""


class ForwardPlugin:
    """The extension with what performs its wishes.

    Args:
        own_id: This peer's nodeId.
        shelves: The store behind its writer.
        lookup: Finds a held block; called on a worker thread.
        hands_on: Offer what is admitted here.
        log: Called with level, event word and facts.
    """

    def __init__(self, own_id: str, shelves: Shelves, lookup: Lookup, *, hands_on: bool, log: Logger) -> None:
        self.extension: Extension = Forwarding(own_id, hands_on=hands_on)
        self._shelves = shelves
        self._lookup = lookup
        self._log = log
        self._reading: set[asyncio.Task[None]] = set()
        self._tell: Tell = lambda _: None

    async def start(self, tell: Tell) -> None:
        """Take the way to the engine."""
        self._tell = tell

    def perform(self, what: object) -> None:
        """Read what the engine wants to know."""
        if isinstance(what, words.FindRoots):
            task = asyncio.get_running_loop().create_task(self._roots(what))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)
        elif isinstance(what, words.FindLacking):
            token = what.token
            self._shelves.missing(what.keys, lambda keys: self._tell(words.Lacking(token, frozenset(keys))))
        elif isinstance(what, words.Load):
            node_id, key = what.node_id, what.key
            self._shelves.record(key, lambda record: self._tell(words.Loaded(node_id, key, record)))

    async def stop(self) -> None:
        """Leave no reading behind; what was not offered is nobody's loss but of time."""
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)

    async def _roots(self, what: words.FindRoots) -> None:
        try:
            rooted = await asyncio.to_thread(roots_of, self._lookup, what.keys)
        except StoreError as error:
            self._log("error", "forward-roots", {"error": str(error), "blocks": len(what.keys)})
            rooted = words.Rooted(tuple((key, ()) for key in what.keys))
        self._tell(rooted)


def roots_of(lookup: Lookup, keys: Sequence[str]) -> words.Rooted:
    """Say where the lineages of held blocks begin; nowhere, where one is not held whole.

    Raises:
        StoreError: The store cannot be read.
    """
    rooted: list[tuple[str, tuple[str, ...]]] = []
    for key in keys:
        block = lookup(key)
        if block is None:
            rooted.append((key, ()))
            continue
        walk = ancestors(lookup, [block], depth=LINEAGE_BLOCKS)
        held = [block, *(each.block for each in walk.ancestors)]
        ends = sorted(each.key for each in held if not each.parents)
        rooted.append((key, tuple(ends[: FORWARD_ROOTS + 1]) if walk.complete else ()))
    return words.Rooted(tuple(rooted))
