"""The fold: everything that is merged, as one prior. A function of a set, so that no order can be in it.

Rules: pure. Concepts and links of all contributors are folded in one pass over one order that follows from
what they are, and links follow their concepts to the folded ids. Trust discounts twice: a contributor's class
bounds how sure its concepts are, and how many blocks of memory its whole class counts as, however many speak.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import prod
from typing import Final, Literal

from covey import _core, limits
from covey.substrate.numbers import derived
from covey.substrate.values import (
    NUMBERS,
    OUTCOMES,
    Link,
    ShareableSubstrate,
    Statistics,
    Tally,
    concept_id,
    confidence_of,
)
from covey.values import dataclass

TrustClass = Literal["trusted", "known", "unknown"]
DISCOUNT: Final[Mapping[TrustClass, float]] = {"trusted": 1.0, "known": 0.3, "unknown": 0.1}
"""What a class's word counts for: trusted by the operator, met under this key, or only signed."""
_RANK: Final[Mapping[TrustClass, int]] = {"trusted": 0, "known": 1, "unknown": 2}
_SAME: Final = 0.44
"""From this cosine on two concepts of different contributors are one."""
_MUCH: Final = 5
"""Blocks that a contributor learned from for its word to count in half."""
_NO_TALLIES: Final = (Tally(), Tally())


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one contributor learned, and how far it is trusted now."""

    contributor: str
    signer: str
    trust: TrustClass
    substrate: ShareableSubstrate


@dataclass(frozen=True, slots=True)
class Folded:
    """One prior of all contributors.

    `concepts` are (vector, pull, members), by id; `mass` is how many blocks of memory they count as;
    `left_out` are contributors of another encoder and concepts that found no room.
    """

    concepts: tuple[tuple[bytes, float, int], ...]
    links: tuple[Link, ...]
    statistics: Statistics
    mass: float
    left_out: Mapping[str, int]

    def prior(self, encoder: _core.Encoder) -> _core.Prior | None:
        """Return it as admission takes it; None where nothing was learned."""
        pulled = [(vector, pull) for vector, pull, _ in self.concepts if pull]
        return _core.Prior(encoder, pulled, self.mass) if pulled and self.mass > 0 else None

    def share(self, held: int) -> float:
        """Return the stated bound: how much of a number is the prior's beside `held` blocks of memory."""
        return self.mass / (self.mass + limits.PRIOR_OWN + held)


def fold(contributions: Iterable[Contribution], kernel: str, dimensions: int) -> Folded:
    """Fold what was merged, for the encoder that a peer uses."""
    every = sorted(contributions, key=lambda each: (_RANK[each.trust], each.contributor, each.signer))
    encoder = (kernel, dimensions)
    mine = [each for each in every if (each.substrate.kernel, each.substrate.dimensions) == encoder]
    pool = _Pool()
    for each in mine:
        pool.take(each)
    concepts, ids = pool.folded()
    left_out = {"other_encoder": len(every) - len(mine), "no_room": pool.no_room}
    return Folded(concepts, _links(pool.links, ids), _statistics(mine), _mass(mine), left_out)


class _Pool:
    """Concepts as they are folded, those for and those against a block apart."""

    def __init__(self) -> None:
        self._sides = {
            True: (_core.Gather(_SAME, limits.PRIOR_FOR), limits.PRIOR_FOR),
            False: (_core.Gather(_SAME, limits.PRIOR_AGAINST), limits.PRIOR_AGAINST),
        }
        self._pulls: dict[tuple[bool, int], list[tuple[float, int]]] = defaultdict(list)
        self.links: list[tuple[tuple[bool, int], tuple[bool, int] | str, Link]] = []
        self.no_room = 0

    def take(self, contribution: Contribution) -> None:
        """Fold one contributor's concepts in, then its links."""
        places: dict[str, tuple[bool, int]] = {}
        substrate = contribution.substrate
        valences = _valences(substrate.links)
        for concept in sorted(substrate.concepts, key=lambda each: each.id):
            pull = valences.get(concept.id, 1.0) * confidence_of(concept.members)
            place = self._place(concept.vector, concept.members, good=pull >= 0)
            if place is None:
                self.no_room += 1
                continue
            places[concept.id] = place
            self._pulls[place].append((pull * DISCOUNT[contribution.trust], concept.members))
        for link in substrate.links:
            effect = places.get(link.effect, link.effect)
            if link.cause in places and (link.effect in OUTCOMES or link.effect in places):
                self.links.append((places[link.cause], effect, link))

    def folded(self) -> tuple[tuple[tuple[bytes, float, int], ...], Mapping[tuple[bool, int], str]]:
        """Return the concepts by id, and which id each place has."""
        found: dict[str, tuple[bytes, float, int]] = {}
        ids: dict[tuple[bool, int], str] = {}
        for place, pulls in sorted(self._pulls.items()):
            good, at = place
            vector = self._sides[good][0].vector(at)
            members = sum(count for _, count in pulls)
            if vector is None:
                continue
            ids[place] = concept_id(vector)
            pull = sum(pull * count for pull, count in pulls) / members
            found[ids[place]] = (vector, pull, min(members, limits.COUNT))
        return tuple(found[each] for each in sorted(found)), ids

    def _place(self, vector: bytes, members: int, *, good: bool) -> tuple[bool, int] | None:
        gather, capacity = self._sides[good]
        if len(gather) >= capacity:
            nearest = gather.nearest(vector)
            if nearest is None or nearest[1] < _SAME:
                return None
        return (good, gather.add(vector, members))


def _valences(links: Iterable[Link]) -> Mapping[str, float]:
    """Return for each concept what became of its blocks, from -1 to 1."""
    said: dict[str, float] = defaultdict(float)
    weight: dict[str, float] = defaultdict(float)
    for link in links:
        if link.effect in OUTCOMES:
            said[link.cause] += OUTCOMES[link.effect] * link.count
            weight[link.cause] += abs(OUTCOMES[link.effect]) * link.count
    return {cause: said[cause] / total for cause, total in weight.items() if total}


def _links(
    links: Iterable[tuple[tuple[bool, int], tuple[bool, int] | str, Link]],
    ids: Mapping[tuple[bool, int], str],
) -> tuple[Link, ...]:
    """Join links of the same cause and effect: counts add up, predictions are weighed by them."""
    joined: dict[tuple[str, str], tuple[int, float]] = {}
    for cause, effect, link in links:
        name = effect if isinstance(effect, str) else ids.get(effect)
        if cause not in ids or name is None:
            continue
        count, weighed = joined.get((ids[cause], name), (0, 0.0))
        joined[ids[cause], name] = (count + link.count, weighed + link.predicted * link.count)
    return tuple(
        Link(
            cause, effect, min(count, limits.COUNT), min(weighed / count, 1.0), confidence_of(count)
        )
        for (cause, effect), (count, weighed) in sorted(joined.items())
    )  # fmt: skip


def _statistics(contributions: Iterable[Contribution]) -> Statistics:
    decisions: Counter[str] = Counter()
    drifts: dict[str, tuple[Tally, Tally]] = {}
    for each in contributions:
        said = each.substrate.statistics
        decisions.update(said.decisions)
        for name in NUMBERS:
            if name in said.drifts:
                (well, badly), (more, worse) = drifts.get(name, _NO_TALLIES), said.drifts[name]
                drifts[name] = (well.joined(more), badly.joined(worse))
    return derived(replace(Statistics(), decisions=dict(decisions), drifts=drifts))


def _mass(contributions: Iterable[Contribution]) -> float:
    """Return how many blocks all of them count as: a class has its part, however many speak for it."""
    doubts: dict[TrustClass, list[float]] = defaultdict(list)
    for each in contributions:
        members = each.substrate.members
        doubts[each.trust].append(_MUCH / (members + _MUCH))
    parts = (DISCOUNT[trust] * (1 - prod(doubt)) for trust, doubt in sorted(doubts.items()))
    return limits.PRIOR_BLOCKS * min(1.0, sum(parts))
