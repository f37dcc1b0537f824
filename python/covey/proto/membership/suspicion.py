"""How long a suspect may still say that it lives (Lifeguard §IV.B), and how well we are ourselves (§IV.A)."""

from __future__ import annotations

import math

from covey.proto.membership.options import MembershipOptions


class Suspicion:
    """The deadline of one suspect: far while one peer accuses it, nearer with each independent accuser."""

    __slots__ = ("_confirmations", "_least", "_most", "accusers", "began", "unanswered")

    def __init__(self, accuser: str, began: float, *, least: float, most: float, confirmations: int) -> None:
        self.began = began
        self.accusers = {accuser}
        self.unanswered = 0
        """How many of our own probes since then came to nothing."""
        self._least, self._most, self._confirmations = least, most, confirmations

    def accuse(self, accuser: str) -> bool:
        """Take one more accuser; True where it is a new one that counts."""
        if accuser in self.accusers or len(self.accusers) > self._confirmations:
            return False
        self.accusers.add(accuser)
        return True

    def deadline(self) -> float:
        """Return the monotonic instant at which the suspect is taken for dead."""
        others = min(len(self.accusers) - 1, self._confirmations)
        if self._confirmations == 0:
            return self.began + self._most
        share = math.log(others + 1) / math.log(self._confirmations + 1)
        return self.began + max(self._least, self._most - (self._most - self._least) * share)

    def level(self, now: float) -> float:
        """Return how much of its time is over, 0 to 1."""
        return min(1.0, max(0.0, (now - self.began) / (self.deadline() - self.began)))


def suspicion(accuser: str, now: float, members: int, options: MembershipOptions) -> Suspicion:
    """Begin a suspicion in a group of that many members."""
    confirmations = min(options.confirmations, max(0, members - 2))
    unit = max(1.0, math.log10(members + 1))
    most = options.suspicion_most * unit if confirmations else options.suspicion_alone
    return Suspicion(
        accuser,
        now,
        least=options.suspicion_least * options.period,
        most=most * options.period,
        confirmations=confirmations,
    )


class Health:
    """A score of our own slowness, 0 when well: the worse, the longer our probes wait before they accuse."""

    __slots__ = ("_most", "score")

    def __init__(self, most: int) -> None:
        self._most = most
        self.score = 0

    def better(self) -> None:
        """A probe was answered."""
        self.score = max(0, self.score - 1)

    def worse(self, by: int = 1) -> None:
        """A probe failed, a helper did not even say no, or our own clock came late."""
        self.score = min(self._most, self.score + by)

    def stretch(self, seconds: float) -> float:
        """Return a time of ours, longer the worse we are."""
        return seconds * (self.score + 1)
