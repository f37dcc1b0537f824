"""Whose records are verified next, where more come than can be verified at once: deficit round robin.

One peer alone has the whole machine. Where several send more than it verifies, each has the same number of
records in each round, however many connections it has and however fast it writes; who sends little does not
queue behind who sends much. A fixed rate would be wrong on every machine but one: too high to protect a small
one, too low for what an honest peer may bring to a large one.
"""

from __future__ import annotations

import math
from dataclasses import field
from typing import TYPE_CHECKING

from covey import limits
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.link import Peer


@dataclass(slots=True)
class Share:
    """One peer's part of the verification work. Its credit may be negative: a batch is judged whole."""

    credit: int = 0
    round: int = -1
    """In which round it was given its part last."""
    waited_at: float = field(default=-math.inf)
    """When it had to wait for its turn last."""
    since: float = 0.0
    """Since when it has had to wait again and again."""
    pressing: bool = False
    """It has sent more than its share for a while, and still does."""

    def waits(self, now: float) -> bool:
        """Note that it has to wait for its turn; tell whether it counts as pressing from now on."""
        if now > self.waited_at + limits.CALM_SECONDS:
            self.since = now
        self.waited_at = now
        began = not self.pressing and now >= self.since + limits.PRESSING_SECONDS
        self.pressing = self.pressing or began
        return began


class Turns:
    """The round: who has its part of it still, and who waits for the next."""

    def __init__(self) -> None:
        self._round = 0
        self._began = -math.inf
        self._ring: dict[Peer, None] = {}

    def __bool__(self) -> bool:
        return bool(self._ring)

    def may(self, peer: Peer, now: float) -> bool:
        """Tell whether one more batch of this peer may be verified now.

        Who has had nothing in this round yet need not queue for it: the first part of a round is given when
        it is wanted, so a peer that sends little waits for nobody's flood.
        """
        if not self._ring and now >= self._began + limits.ROUND_SECONDS:
            self._round += 1
            self._began = now
        if peer not in self._ring and peer.share.round != self._round:
            self._give(peer)
        return peer.share.credit > 0

    def wait(self, peer: Peer) -> None:
        """Let a peer queue for its part of the next round."""
        self._ring.setdefault(peer)

    def next(self) -> Peer | None:
        """Give the one that has waited longest its part, and return it; None where nobody waits."""
        if not self._ring:
            return None
        peer = next(iter(self._ring))
        del self._ring[peer]
        if peer.share.round == self._round:
            self._round += 1  # everybody who waits has had its part of this one
        self._give(peer)
        return peer

    def _give(self, peer: Peer) -> None:
        peer.share.round = self._round
        peer.share.credit = min(0, peer.share.credit) + limits.ROUND_RECORDS
