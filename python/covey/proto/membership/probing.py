"""Probes under way: ours, and those that others asked us for."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from covey import limits
from covey.values import dataclass

Verdict = Literal["wait", "silent", "no-way"]


@dataclass(slots=True, eq=False)
class Probe:
    """One probe of ours: a direct question, then through helpers, until its period is over.

    `waited` says that the direct question had its time, or that there was no way to put it. `asked` are the
    helpers; `declined` those of them that said `nack`: they are well, the target is silent; `away` those that
    have no way to it either, which says nothing of it. `lost`: a session to it has just ended here.
    """

    target: str
    seq: int
    asked: frozenset[str] = frozenset()
    declined: set[str] = field(default_factory=set)
    away: set[str] = field(default_factory=set)
    waited: bool = False
    lost: bool = False

    def verdict(self, *, session: bool, suspect: bool, over: bool) -> Verdict:
        """Return what it came to: wait where an answer may still come, silent, or no-way: nobody could look.

        Args:
            session: Whether one leads to the target.
            suspect: Whether it is one already.
            over: Whether the probe's time is.
        """
        if not over and not (self.waited and self.declined | self.away == self.asked):
            return "wait"
        if not session and self.away and not self.declined and not self.lost:
            return "no-way"
        return "silent" if over or suspect or self.declined or not session else "wait"


@dataclass(frozen=True, slots=True)
class Errand:
    """A probe that `asker` wants: its answer goes back under the asker's own number."""

    asker: str
    their_seq: int
    target: str


class Probes:
    """What is under way, by sequence number; both tables are bounded."""

    def __init__(self) -> None:
        self._seq = 0
        self.own: dict[int, Probe] = {}
        self.errands: dict[int, Errand] = {}

    def begin(self, target: str) -> Probe:
        """Begin a probe of ours."""
        self._seq += 1
        probe = self.own[self._seq] = Probe(target, self._seq)
        return probe

    def run_for(self, asker: str, their_seq: int, target: str) -> int | None:
        """Begin an errand; its number, or None where too many are under way."""
        if len(self.errands) >= limits.MEMBER_ERRANDS:
            return None
        self._seq += 1
        self.errands[self._seq] = Errand(asker, their_seq, target)
        return self._seq

    def about(self, target: str) -> Probe | None:
        """Return our own probe of somebody that is under way."""
        return next((probe for probe in self.own.values() if probe.target == target), None)

    def targets(self) -> set[str]:
        """Return whom our own probes are about."""
        return {probe.target for probe in self.own.values()}


def by_luck(asked: int, sessions: int, members: int) -> bool:
    """Tell whether it may be luck that none of so many helpers had a way to a member.

    A helper has one as often as we have one to members at all. Where luck would make it one time in a hundred
    and fifty (e to the fifth), nobody may be left who has.
    """
    return asked * sessions < 5 * members
