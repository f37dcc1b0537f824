"""A bounded queue that is fair to peers: turns among peers, weighted turns among priorities.

Rules: pure. Whoever has little waiting is served before whoever has much; a peer's own requests keep their
order. Where the queue is full, the newcomer displaces the newest request of the peer that holds most of it,
unless that is the newcomer's own: a peer that floods only ever crowds out itself.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Final

from covey import limits
from covey.inference.keys import PRIORITIES, Priority
from covey.values import dataclass

WEIGHTS: Final = dict(zip(PRIORITIES, limits.DOOR_PRIORITY_WEIGHTS, strict=True))


@dataclass(frozen=True, slots=True)
class Waiting:
    """One request that waits: whose, how urgent, and until when (monotonic seconds)."""

    ticket: int
    account: str
    priority: Priority
    since: float
    until: float


class FairQueue:
    """Requests that wait for a slot.

    Args:
        most: Of all peers together.
        most_each: Of one peer.
    """

    def __init__(self, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._classes: dict[Priority, OrderedDict[str, deque[Waiting]]] = {
            name: OrderedDict() for name in PRIORITIES
        }
        self._turns: dict[Priority, int] = dict.fromkeys(PRIORITIES, 0)
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._held.total()

    def __iter__(self) -> Iterator[Waiting]:
        """Yield everything that waits, in no order that means anything."""
        for peers in self._classes.values():
            for line in peers.values():
                yield from line

    def held(self, account: str) -> int:
        """Return how many requests of a peer wait."""
        return self._held[account]

    def put(self, new: Waiting) -> Waiting | None:
        """Let a request wait; return the one that has to go for it: itself, another's, or None."""
        if self._held[new.account] >= self._most_each:
            return new
        gone: Waiting | None = None
        if len(self) >= self._most:
            account, count = max(self._held.items(), key=lambda item: item[1], default=(new.account, 0))
            if count <= self._held[new.account] + 1:
                return new
            gone = max((each for each in self if each.account == account), key=lambda each: each.ticket)
            self.drop(gone.ticket)
        self._classes[new.priority].setdefault(new.account, deque()).append(new)
        self._held[new.account] += 1
        return gone

    def take(self, may: Callable[[str], bool] = lambda _: True) -> Waiting | None:
        """Take the next request of a peer that may have one more under way, or None."""
        ready = {
            name: account
            for name, peers in self._classes.items()
            if (account := next((each for each in peers if may(each)), None)) is not None
        }
        if not ready:
            return None
        for name in ready:
            self._turns[name] += WEIGHTS[name]
        chosen = max(ready, key=lambda name: self._turns[name])
        self._turns[chosen] -= sum(WEIGHTS[name] for name in ready)
        peers, account = self._classes[chosen], ready[chosen]
        taken = peers[account].popleft()
        if peers[account]:
            peers.move_to_end(account)
        else:
            del peers[account]
        self._less(account)
        return taken

    def drop(self, ticket: int) -> bool:
        """Forget a request; say whether it waited."""
        for peers in self._classes.values():
            for account, line in peers.items():
                for each in line:
                    if each.ticket == ticket:
                        line.remove(each)
                        if not line:
                            del peers[account]
                        self._less(account)
                        return True
        return False

    def late(self, now: float) -> list[Waiting]:
        """Take out and return whatever has waited as long as it may."""
        over = [each for each in self if each.until <= now]
        for each in over:
            self.drop(each.ticket)
        return over

    def next_due(self) -> float | None:
        """Return when the next request will have waited too long, or None."""
        return min((each.until for each in self), default=None)

    def _less(self, account: str) -> None:
        self._held[account] -= 1
        if not self._held[account]:
            del self._held[account]
