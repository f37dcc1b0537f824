"""Who learns from what, and who judges what: two halves of each domain's statements, which share no sentence.

The teacher hears one half: statements, their restatements, lookalikes and blocks of other domains. Its
operator says a word about half of them: validates what belongs there, dismisses what does not. The newcomer
holds `known` statements of the other half, and hears the rest of it: news, restatements of what it holds,
lookalikes, and as many blocks of other domains as news. What a reader would decide is the label, as in
benches/admission.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from benches.admission.scenarios import Label, dressed
from benches.admission.seeds import Domain, Part, Texts, Topic, domains
from covey import _core
from covey.substrate.bundle import Filtered, compose, read
from covey.substrate.folding import Contribution, Folded, TrustClass, fold
from covey.substrate.identity import IdentityFilter
from covey.substrate.learning import Episode, learn

JUDGED: Final = 0.5
"""The share of blocks that a teacher's operator says a word about."""
_FOREIGN_HEARD: Final = 20


@dataclass(frozen=True, slots=True)
class Heard:
    """One block that comes to the newcomer, with what a reader would decide."""

    slice: str
    label: Label
    texts: Texts


@dataclass(frozen=True, slots=True)
class Half:
    """One half of what is said in a domain."""

    domain: Domain
    statements: list[tuple[Topic, int]]
    lookalikes: list[Texts]
    foreign: list[Texts]


def half(part: Part, at: int, side: int) -> Half:
    """Return one half of a domain: every other statement, lookalike and foreign block."""
    fields = domains(part)
    own = fields[at]
    statements = [(topic, place) for topic in own.topics for place in range(side, len(topic.statements), 2)]
    lookalikes = [texts for topic in own.topics for texts in topic.lookalikes[side::2]]
    others = [topic for place, field in enumerate(fields) if place != at for topic in field.topics]
    return Half(
        own, statements, lookalikes, [texts for topic in others for texts in topic.statements[side::2]]
    )


def taught(part: Part, at: int, encoder: _core.Encoder, chance: random.Random) -> bytes:
    """Return the bundle of a peer that heard one half of a domain."""
    heard = half(part, at, 0)
    episodes: list[Episode] = []

    def hear(texts: Texts, outcome: str) -> None:
        outcomes = (outcome,) if chance.random() < JUDGED else ()
        if outcome != "dismissed" or outcomes:  # what nobody dismissed, admission mostly kept out by itself
            episodes.append(Episode(f"cmb-{len(episodes)}", dressed(texts, chance), (), outcomes))

    for topic, place in heard.statements:
        hear(topic.statements[place], "validated")
        if place in topic.restated:
            hear(topic.restated[place], "validated")
    for texts in heard.lookalikes + chance.sample(heard.foreign, _FOREIGN_HEARD):
        hear(texts, "dismissed")
    # The corpus writes about made-up people and towns; whether guessing at names helps is not asked here.
    learned = learn(episodes, {}, encoder, IdentityFilter(guess=False))
    return compose(learned.substrate, "teacher", Filtered(False, 2, 0))


def merged(bundles: list[bytes], encoder: _core.Encoder, trust: TrustClass) -> Folded:
    """Return what a newcomer makes of bundles."""
    found = [
        Contribution(f"teacher-{place}", "", trust, read(raw).substrate) for place, raw in enumerate(bundles)
    ]
    return fold(found, encoder.kernel, encoder.dimensions)


def newcomer(
    part: Part, at: int, known: int, chance: random.Random
) -> tuple[Domain, list[Texts], list[Heard]]:
    """Return a newcomer's domain, what it holds, and what comes to it."""
    other = half(part, at, 1)
    statements = list(other.statements)
    chance.shuffle(statements)
    held, rest = statements[:known], statements[known:]
    heard = [Heard("news", "admit", topic.statements[place]) for topic, place in rest]
    heard += [
        Heard("paraphrase", "redundant", topic.restated[place])
        for topic, place in held
        if place in topic.restated
    ]
    heard += [Heard("near-miss", "reject", texts) for texts in other.lookalikes]
    heard += [Heard("foreign", "reject", texts) for texts in chance.sample(other.foreign, len(rest))]
    chance.shuffle(heard)
    dressed_all = [Heard(each.slice, each.label, dressed(each.texts, chance)) for each in heard]
    return other.domain, [dressed(topic.statements[place], chance) for topic, place in held], dressed_all
