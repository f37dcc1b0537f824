"""News still to be passed on: each piece rides on a bounded number of frames, the least told first."""

from __future__ import annotations

import math

from covey import limits
from covey.proto.membership.claims import Claim, Self
from covey.values import dataclass


@dataclass(slots=True)
class _Item:
    claim: Claim
    told: int
    order: int


_Key = tuple[str, str]
"""Of a member's own word its nodeId alone; of an accusation the accuser's too."""


def _key(claim: Claim) -> _Key:
    return (claim.node_id, "" if isinstance(claim, Self) else claim.accuser)


class Gossip:
    """What is told of each member: its newest word, and who accuses it; and how often it was told.

    Args:
        factor: A claim is told `factor` times log10(n + 1), at least `factor` times.
    """

    def __init__(self, factor: int) -> None:
        self._factor = factor
        self._items: dict[_Key, _Item] = {}
        self._order = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, claim: Claim) -> None:
        """Tell this from now on, instead of what it supersedes: a word ends older words and accusations."""
        if isinstance(claim, Self):
            self.drop(claim.node_id)
        self._order += 1
        self._items[_key(claim)] = _Item(claim, 0, self._order)
        if len(self._items) > limits.MEMBERS:
            oldest = max(self._items.values(), key=lambda item: (item.told, -item.order))
            del self._items[_key(oldest.claim)]

    def drop(self, node_id: str) -> None:
        """Tell nothing more of a member."""
        for key in [key for key in self._items if key[0] == node_id]:
            del self._items[key]

    def take(self, members: int, most: int = limits.MEMBER_PIGGYBACK) -> list[Claim]:
        """Return what the next frame carries, least told first; what was told often enough is forgotten."""
        if not self._items:
            return []
        enough = math.ceil(self._factor * max(1.0, math.log10(members + 1)))
        chosen = sorted(self._items.values(), key=lambda item: (item.told, -item.order))[:most]
        for item in chosen:
            item.told += 1
            if item.told >= enough:
                del self._items[_key(item.claim)]
        return [item.claim for item in chosen]
