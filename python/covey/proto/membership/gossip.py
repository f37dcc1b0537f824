"""News still to be passed on: each piece rides on a bounded number of frames, the least told first."""

from __future__ import annotations

import heapq
import math

from covey import limits
from covey.proto.membership.claims import Claim, Self
from covey.values import dataclass

_KNOWN_WEIGHT = 2
"""Hearing what is told here from somebody else counts so often as telling it: most have it by then (rumour
mongering with feedback, Demers et al. 1987). What this leaves out is found by comparing tables."""


@dataclass(slots=True, eq=False)
class _Item:
    claim: Claim
    told: int
    order: int
    live: bool = True


def _accuser(claim: Claim) -> str:
    return "" if isinstance(claim, Self) else claim.accuser


class Gossip:
    """What is told of each member: its newest word, and who accuses it; and how often it was told.

    Taking a frame's news costs the logarithm of what there is to tell, not all of it.

    Args:
        factor: A claim is told `factor` times log10(n + 1), at least `factor` times.
    """

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._about: dict[str, dict[str, _Item]] = {}
        """By member, then by accuser; its own word under ""."""
        self._heap: list[tuple[int, int, _Item]] = []
        """Least told first, of those the newest; what is over or was told again stays until it comes up."""
        self._count = 0
        self._order = 0

    def __len__(self) -> int:
        return self._count

    def add(self, claim: Claim) -> None:
        """Tell this from now on, instead of what it supersedes: a word ends older words and accusations."""
        if isinstance(claim, Self):
            self.drop(claim.node_id)
        self._order += 1
        before = self._about.get(claim.node_id, {}).get(_accuser(claim))
        if before is not None:
            self._end(before)
        item = self._about.setdefault(claim.node_id, {})[_accuser(claim)] = _Item(claim, 0, self._order)
        self._count += 1
        self._push(item)
        if self._count > limits.MEMBERS:
            self._end(max(self._items(), key=lambda each: (each.told, -each.order)))

    def known(self, node_id: str) -> None:
        """Take note that somebody else tells a member's word too: it need not be told so often any more."""
        item = self._about.get(node_id, {}).get("")
        if item is not None:
            item.told += _KNOWN_WEIGHT
            self._push(item)

    def drop(self, node_id: str) -> None:
        """Tell nothing more of a member."""
        for item in list(self._about.get(node_id, {}).values()):
            self._end(item)

    def take(self, members: int, most: int = limits.MEMBER_PIGGYBACK) -> list[Claim]:
        """Return what the next frame carries, least told first; what was told often enough is forgotten."""
        enough = math.ceil(self._factor * max(1.0, math.log10(members + 1)))
        chosen: list[_Item] = []
        while self._heap and len(chosen) < most:
            told, _, item = heapq.heappop(self._heap)
            if item.live and told == item.told:
                if told >= enough:
                    self._end(item)
                else:
                    chosen.append(item)
        for item in chosen:
            item.told += 1
            if item.told >= enough:
                self._end(item)
            else:
                self._push(item)
        return [item.claim for item in chosen]

    def _push(self, item: _Item) -> None:
        heapq.heappush(self._heap, (item.told, -item.order, item))
        if len(self._heap) > 4 * self._count + 64:  # mostly what is over: begin anew
            self._heap = [(each.told, -each.order, each) for each in self._items()]
            heapq.heapify(self._heap)

    def _items(self) -> list[_Item]:
        return [item for about in self._about.values() for item in about.values()]

    def _end(self, item: _Item) -> None:
        item.live = False
        about = self._about[item.claim.node_id]
        del about[_accuser(item.claim)]
        if not about:
            del self._about[item.claim.node_id]
        self._count -= 1
