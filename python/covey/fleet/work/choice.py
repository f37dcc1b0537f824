"""Whom a task goes to: candidates, and the strategies that choose one of them.

Rules: pure; randomness is an argument. A strategy sees only candidates that are free and may be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from covey.errors import UsageError
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent that may be asked.

    `address` is its own (`nickname@nodeId`), `node_id` its peer. `running` of `capacity` are what it has to
    do, `latency_ms` how long its peer takes to answer, None where nobody measured. One that only `forwards`
    can do nothing itself; it may know somebody. `own` is one of the submitter's own peer.
    """

    address: str
    node_id: str
    capabilities: frozenset[str]
    capacity: int = 1
    running: int = 0
    latency_ms: float | None = None
    forwards: bool = False
    own: bool = False

    @property
    def load(self) -> float:
        """Return how much of its capacity is taken, from 0."""
        return self.running / self.capacity


Random = Callable[[], float]
"""Returns a number from 0 up to and without 1."""
Strategy = Callable[[Sequence[Candidate], Random, int], Candidate]
"""Chooses one of at least one, given randomness and how many choices were made before; the candidates come in
the order of their addresses."""


def least_loaded(candidates: Sequence[Candidate], random: Random, turn: int) -> Candidate:
    """Choose who has the smallest share of its capacity taken; of equals, one at random."""
    least = min(each.load for each in candidates)
    equal = [each for each in candidates if each.load == least]
    return equal[int(random() * len(equal))]


def power_of_two(candidates: Sequence[Candidate], random: Random, turn: int) -> Candidate:
    """Choose the less loaded of two that chance names: several submitters do not run to the same one."""
    first = candidates[int(random() * len(candidates))]
    second = candidates[int(random() * len(candidates))]
    return min(first, second, key=lambda each: each.load)


def round_robin(candidates: Sequence[Candidate], random: Random, turn: int) -> Candidate:
    """Choose one after the other."""
    return candidates[turn % len(candidates)]


def nearest(candidates: Sequence[Candidate], random: Random, turn: int) -> Candidate:
    """Choose whose peer answers fastest, of equals the least loaded; who was never measured comes last."""
    far = float("inf")
    return min(candidates, key=lambda each: (far if each.latency_ms is None else each.latency_ms, each.load))


def own_first(candidates: Sequence[Candidate], random: Random, turn: int) -> Candidate:
    """Choose one of the submitter's own peer where one is free, else the least loaded."""
    return least_loaded([each for each in candidates if each.own] or candidates, random, turn)


STRATEGIES: Final[Mapping[str, Strategy]] = {
    "least-loaded": least_loaded,
    "power-of-two": power_of_two,
    "round-robin": round_robin,
    "latency": nearest,
    "own-first": own_first,
}


def strategy(name: str, own: Mapping[str, Strategy]) -> Strategy:
    """Return a strategy by name, a program's own ones among them.

    Raises:
        UsageError: There is none of that name.
    """
    found = own.get(name) or STRATEGIES.get(name)
    if found is None:
        raise UsageError(f"choose: unknown strategy {name[:64]!r}: {', '.join(sorted({*STRATEGIES, *own}))}")
    return found
