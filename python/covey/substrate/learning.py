"""What a peer learns of what it holds: concepts, what followed what, and how admission went.

Rules: pure, and a function of its input alone: the same episodes in the same order make the same substrate.
Texts end here. Each is held against the identity filter and scrubbed before a vector is made of it; a concept
is made of two blocks at least, and keeps only the dimensions that two of them share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Final

from covey import _core, limits
from covey.substrate.identity import IdentityFilter, scrub
from covey.substrate.numbers import derived, drifts_of
from covey.substrate.values import (
    OUTCOMES,
    Concept,
    Link,
    ShareableSubstrate,
    Statistics,
    concept_id,
    confidence_of,
)
from covey.values import dataclass

_ALIKE: Final = {"lexis-h1024": 0.12}
_ALIKE_USUAL: Final = 0.3
"""How like a concept a block must be to belong to it, by encoder; chosen on the tuning part of the bench."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One held block with what became of it. It knows texts, and never leaves the peer.

    `outcomes` are words of `OUTCOMES`; `drifts` are what admission measured, by category and as `total`,
    where a decision is kept.
    """

    key: str
    texts: Mapping[str, str]
    parents: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    drifts: Mapping[str, float] = field(default_factory=dict)
    stored_ms: int = 0

    @property
    def weight(self) -> float:
        """Return how much what became of it says for it, or against."""
        return sum(OUTCOMES[each] for each in self.outcomes)


@dataclass(frozen=True, slots=True)
class Learned:
    """A substrate, and what was left out of it: (key, why), for whoever exports it and nobody else."""

    substrate: ShareableSubstrate
    blocks: int
    dropped: tuple[tuple[str, str], ...]


def learn(
    episodes: Iterable[Episode],
    decisions: Mapping[str, int],
    encoder: _core.Encoder,
    identities: IdentityFilter,
) -> Learned:
    """Learn of what a peer holds.

    Args:
        episodes: Oldest first.
        decisions: How often admission decided what.
        encoder: What reads texts.
        identities: What is left out.
    """
    seen, dropped = _Seen(encoder), []
    newest_ms = blocks = 0
    for episode in episodes:
        complaint = identities.complaint(episode.texts.values())
        if complaint is not None:
            dropped.append((episode.key, complaint))
        elif seen.take(episode):
            blocks += 1
            newest_ms = max(newest_ms, episode.stored_ms)
    concepts, ids = seen.concepts()
    counts = {word: min(count, limits.COUNT) for word, count in sorted(decisions.items()) if count}
    made = ShareableSubstrate(
        encoder.kernel,
        encoder.dimensions,
        newest_ms,
        concepts,
        seen.links(ids),
        derived(Statistics(counts, drifts_of(seen.drifts))),
    )
    return Learned(made, blocks, tuple(dropped))


class _Seen:
    """Blocks as they are gathered, for and against apart: what was dismissed must not blur what was kept."""

    def __init__(self, encoder: _core.Encoder) -> None:
        alike = _ALIKE.get(encoder.kernel, _ALIKE_USUAL)
        self._encoder = encoder
        self._sides = {
            True: _core.Gather(alike, limits.CONCEPTS_KEPT),
            False: _core.Gather(alike, limits.CONCEPTS_AGAINST),
        }
        self._place: dict[str, tuple[bool, int]] = {}
        self._outcomes: dict[tuple[bool, int], Counter[str]] = {}
        self._followed: Counter[tuple[tuple[bool, int], tuple[bool, int]]] = Counter()
        self.drifts: dict[str, tuple[list[float], list[float]]] = {}
        """Of blocks that turned out well, and badly, by what they are of."""

    def take(self, episode: Episode) -> bool:
        """Gather one block; False where it says nothing that can be compared."""
        code = self._encoder.traces(scrub(episode.texts)).code
        if code is None:
            return False
        good = episode.weight >= 0
        place = (good, self._sides[good].add(code))
        self._place[episode.key] = place
        self._outcomes.setdefault(place, Counter()).update(set(episode.outcomes) or {"admitted"})
        for parent in episode.parents:
            if parent in self._place:
                self._followed[self._place[parent], place] += 1
        if set(episode.outcomes) - {"admitted"}:  # only where somebody or something said how it turned out
            for name, drift in episode.drifts.items():
                self.drifts.setdefault(name, ([], []))[0 if good else 1].append(drift)
        return True

    def concepts(self) -> tuple[tuple[Concept, ...], Mapping[tuple[bool, int], str]]:
        """Return the concepts in the order of their ids, and which id each place has."""
        ids: dict[tuple[bool, int], str] = {}
        found: dict[str, Concept] = {}
        for good, gather in self._sides.items():
            for place in range(len(gather)):
                members = min(gather.members(place), limits.COUNT)
                vector = gather.vector(place, limits.CONCEPT_MEMBERS)
                if vector is None or members < limits.CONCEPT_MEMBERS or concept_id(vector) in found:
                    continue
                ids[good, place] = concept_id(vector)
                found[ids[good, place]] = Concept(vector, members)
        return tuple(found[each] for each in sorted(found)), ids

    def links(self, ids: Mapping[tuple[bool, int], str]) -> tuple[Link, ...]:
        """Return what followed what: all outcomes, and of concepts the most counted."""
        found = [
            _link(ids[place], word, count, self._members(place))
            for place, words in self._outcomes.items()
            if place in ids
            for word, count in words.items()
        ]
        followed = [
            _link(ids[cause], ids[effect], count, self._members(cause))
            for (cause, effect), count in self._followed.items()
            if cause in ids and effect in ids
        ]
        room = limits.LINKS - len(found)
        followed.sort(key=lambda each: (-each.count, each.cause, each.effect))
        return tuple(sorted([*found, *followed[:room]], key=lambda each: (each.cause, each.effect)))

    def _members(self, place: tuple[bool, int]) -> int:
        good, at = place
        return max(self._sides[good].members(at), 1)


def _link(cause: str, effect: str, count: int, members: int) -> Link:
    counted = min(count, limits.COUNT)
    return Link(cause, effect, counted, min(count / members, 1.0), confidence_of(counted))
