"""Probes under way: ours, and those that others asked us for."""

from __future__ import annotations

from dataclasses import field

from covey import limits
from covey.values import dataclass


@dataclass(slots=True, eq=False)
class Probe:
    """One probe of ours: a direct question, then through helpers, until its period is over.

    `asked` are the helpers; `declined` those of them that said `nack`: they are well, the target is silent.
    """

    target: str
    seq: int
    asked: frozenset[str] = frozenset()
    declined: set[str] = field(default_factory=set)


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

    def targets(self) -> set[str]:
        """Return whom our own probes are about."""
        return {probe.target for probe in self.own.values()}
