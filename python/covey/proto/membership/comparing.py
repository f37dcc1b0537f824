"""Comparing tables with peers, so that what every piece of gossip missed still arrives.

A digest goes first, and a whole table only where the digests differ. With a peer that has just come tables
are compared at once, with several that come together one after another: what the first one tells makes most
of the others equal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.proto.membership import frames
from covey.proto.membership.claims import Claim

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.turn import Turn

_PACE_SECONDS: Final = 0.5
"""Between two comparisons of those that have just come: a table crosses the room in that."""


class Tables:
    """What one node told whom of its table, and who still has to be compared with.

    Args:
        digest: Gives what the table comes to.
        known: Gives everything in it.
        often: The least seconds between two times that one peer is told everything.
    """

    def __init__(self, digest: Callable[[], str], known: Callable[[], Sequence[Claim]], often: float) -> None:
        self._digest = digest
        self._known = known
        self._often = often
        self._host: ExtensionHost
        self._held: set[str] = set()
        """Whom we told what our table comes to; its answer may ask for all of it, once."""
        self._told: dict[str, float] = {}
        """When a connected peer that holds another table was told everything."""
        self._new: deque[str] = deque(maxlen=limits.MEMBER_MEETINGS)
        self._paced = False
        self._asked = float("-inf")

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host

    def met(self, node_id: str, turn: Turn) -> None:
        """Compare with a peer that has just come, or was met while another one's table is on its way."""
        if node_id not in self._new:
            self._new.append(node_id)
        if not self._paced:
            self.next(turn)

    def left(self, node_id: str) -> None:
        """Forget a peer whose session is gone."""
        self._told.pop(node_id, None)
        self._held.discard(node_id)

    def next(self, turn: Turn) -> None:
        """Compare with the next of those that have come."""
        self._paced = bool(self._new)
        if self._paced:
            self.hold(self._new.popleft(), turn)
            self._host.timer("meet:", turn.now.monotonic + _PACE_SECONDS)

    def hold(self, node_id: str, turn: Turn) -> None:
        """Tell a peer what our table comes to."""
        if self._host.send(node_id, frames.write("hold", digest=self._digest()), turn):
            self._held.add(node_id)

    def compared(self, node_id: str, digest: str, turn: Turn) -> None:
        """Exchange everything with a peer whose table is another; not more often than it is honest to ask."""
        now = turn.now.monotonic
        if digest == self._digest():
            turn.count("members.compared.same")
        elif now < self._told.get(node_id, float("-inf")) + self._often:
            turn.count("members.compared.too_soon")
        elif now < self._asked + _PACE_SECONDS:  # another's table is on its way: that may be all there is
            turn.count("members.compared.later")
            self.met(node_id, turn)
        else:
            turn.count("members.compared.other")
            self._told[node_id] = self._asked = now
            self._tell(node_id, turn)
            self._host.send(node_id, frames.write("want"), turn)

    def wanted(self, node_id: str, turn: Turn) -> None:
        """Tell everything to a peer that we told what our table comes to, once."""
        if node_id not in self._held:
            turn.count("members.want.unasked")
            return
        self._held.discard(node_id)
        self._tell(node_id, turn)

    def _tell(self, node_id: str, turn: Turn) -> None:
        known = self._known()
        for start in range(0, len(known), limits.MEMBER_CLAIMS):
            frame = frames.write("news", known[start : start + limits.MEMBER_CLAIMS])
            self._host.send(node_id, frame, turn)
