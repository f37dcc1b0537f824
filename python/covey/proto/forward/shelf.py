"""What one peer has to hand on: blocks that wait for their roots, those on offer, and who was offered which.

Rules: everything is bounded, the oldest forgotten; nothing is offered twice to one peer while it is here.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import field
from typing import TypeVar

from covey import limits
from covey.proto.forward.frames import Offer
from covey.proto.link import Lane
from covey.values import dataclass

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Fresh:
    """An admitted block that somebody else wrote: who brought it, and how often it was handed on so far."""

    key: str
    author: str
    bringer: str
    hops: int
    again: bool = False
    """Its lineage was looked at once, and did not reach its roots."""


@dataclass(slots=True)
class Neighbour:
    """What one peer was offered, and what it may cost."""

    lane: Lane = field(
        default_factory=lambda: Lane(limits.FORWARD_FRAMES_PER_SECOND, limits.FORWARD_FRAMES_BURST)
    )
    offered: OrderedDict[str, bool] = field(default_factory=OrderedDict)
    """Keys, and whether each may still be asked for."""

    def offer(self, key: str) -> bool:
        """Note that a block is offered; False where it was before."""
        if key in self.offered:
            return False
        remember(self.offered, key, True, limits.FORWARD_OFFERED)
        return True

    def asks(self, key: str) -> bool:
        """Tell whether it may ask for a block: once for each that it was offered."""
        if not self.offered.get(key):
            return False
        self.offered[key] = False
        return True


@dataclass(frozen=True, slots=True)
class OnOffer:
    """A block with its roots, as it may be offered; not to who wrote it, nor to who brought it."""

    offer: Offer
    bringer: str

    def may_lack(self, node_id: str) -> bool:
        """Tell whether a peer may lack it: it neither wrote nor brought it."""
        return node_id not in (self.offer.author, self.bringer)


class Shelf:
    """Blocks on offer, and to whom."""

    def __init__(self) -> None:
        self.fresh: dict[str, Fresh] = {}
        """By key, waiting for their roots."""
        self._blocks: OrderedDict[str, OnOffer] = OrderedDict()
        self._shown: OrderedDict[str, float] = OrderedDict()

    def wait(self, fresh: Fresh) -> bool:
        """Let a block wait for its roots; False where too many do."""
        if fresh.key not in self.fresh and len(self.fresh) >= limits.FORWARD_WAITING:
            return False
        self.fresh.setdefault(fresh.key, fresh)
        return True

    def put(self, block: OnOffer) -> None:
        """Keep a block for who comes later."""
        remember(self._blocks, block.offer.key, block, limits.FORWARD_SHELF)

    def show(self, node_id: str, now: float) -> list[OnOffer]:
        """Return what a peer that has come may be offered; nothing where it was shown a moment ago."""
        last = self._shown.get(node_id)
        if not self._blocks or (last is not None and now < last + limits.FORWARD_SHELF_SECONDS):
            return []
        remember(self._shown, node_id, now, limits.LINKS)
        return [block for block in self._blocks.values() if block.may_lack(node_id)]


def remember(kept: OrderedDict[str, Value], key: str, value: Value, most: int) -> None:
    """Keep a value as the newest of at most so many."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
