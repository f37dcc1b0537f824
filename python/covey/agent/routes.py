"""Routes: to whom an answer goes, and what became of it at each peer.

Rules: pure. A send is counted as what it is: it moves from `accepted` or `unknown` to the end its receipt
states, and is never counted twice. A receipt may come before the emission's own answer.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection

from covey.limits import AGENT_SETTLED
from covey.model import Block, PeerSend, SendState
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """Where an answer goes: `to` is a nodeId, or None for the room; `kind` says which rule sent it there.

    `absent` is true where it was meant for one peer that is not connected, and goes to the room instead.
    """

    to: str | None
    kind: str
    absent: bool = False


def route(routing: str, asker: Block, connected: Collection[str]) -> Route:
    """Choose where an answer goes (feature notes §4.2).

    Args:
        routing: broadcast, targeted, or auto: to the room while at most two peers are there, else targeted.
        asker: The block that is answered.
        connected: nodeIds with an open session.
    """
    if routing == "broadcast" or (routing == "auto" and len(connected) <= 2):
        return Route(None, "broadcast")
    if asker.node_id in connected:
        return Route(asker.node_id, "targeted")
    return Route(None, "broadcast", absent=True)


class Sends:
    """What became of every send, by its latest stated state."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._state: OrderedDict[tuple[str, str], SendState] = OrderedDict()
        self._early: OrderedDict[tuple[str, str], SendState] = OrderedDict()

    def began(self, key: str, send: PeerSend) -> None:
        """Count a send of a block that was just minted."""
        place = (key, send.node_id)
        state = self._early.pop(place, send.state)
        self.counts[state.value] += 1
        self._state[place] = state
        _bound(self._state)

    def settled(self, key: str, send: PeerSend) -> None:
        """Move a send to the end that was stated."""
        place = (key, send.node_id)
        before = self._state.get(place)
        if before is None:
            self._early[place] = send.state
            _bound(self._early)
            return
        self.counts[before.value] -= 1
        self.counts[send.state.value] += 1
        self._state[place] = send.state

    def as_dict(self) -> dict[str, int]:
        """Return the count of each state."""
        return {state.value: self.counts[state.value] for state in SendState}


def _bound(places: OrderedDict[tuple[str, str], SendState]) -> None:
    while len(places) > AGENT_SETTLED:
        places.popitem(last=False)
