"""The labelled set: receivers with a memory, and blocks that come to them. The same on every machine.

Generators, by slice (what a reader would decide about the block is its label):

- repeat: a held statement with other punctuation, case or an opening word: redundant.
- paraphrase: the hand-written restatement of a held statement: redundant.
- news: a statement of a held topic that the receiver does not hold, or its restatement; some under the very
  focus of a held block, as agents of one thread write: admit.
- answer: a terse reply whose parent the receiver holds: admit.
- near-miss: a lookalike of a held topic: reject.
- foreign: a statement of another domain of the same part: reject.
- stale: news, but signed some hundred freshness times of the receiver's profile ago: reject.
- poisoned: an honest focus over a hostile payload; a payload stuffed with the receiver's own words; an honest
  focus over the words of another domain: reject.

Each receiver holds statements of three of its domain's four topics, at ages from a minute to three weeks, and
some small talk. Blocks also carry, as agents' blocks do, an author's standing perspective or a mood.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from benches.admission.seeds import Domain, Part, Texts, Topic, domains, payloads

Label = Literal["admit", "redundant", "reject"]
LABELS: Final[tuple[Label, ...]] = ("admit", "redundant", "reject")
RECEIVERS_EACH: Final = 6

FRESHNESS_SECONDS: Final = {
    "uniform": 1_800.0,
    "coding": 7_200.0,
    "music": 1_800.0,
    "fitness": 10_800.0,
    "knowledge": 86_400.0,
    "legal": 86_400.0,
    "health": 10_800.0,
    "finance": 7_200.0,
}
"""What §19 publishes for each profile, in seconds."""

_MOODS: Final = ("calm", "concerned", "tired", "hopeful", "impatient", "neutral", "neutral", "neutral")
_OPENINGS: Final = ("Note: ", "As I said, ", "Again: ", "Reminder: ", "FYI, ")
_SMALL_TALK: Final = ("hello everybody", "thank you", "back in an hour", "good morning", "who is here?")
_ANSWERS: Final = (
    ("commitment", "agreed, I take it"),
    ("commitment", "done"),
    ("intent", "let us wait until tomorrow"),
    ("issue", "I do not think that is the cause"),
    ("perspective", "seen from here that would be too early"),
    ("intent", "go ahead"),
)
_ROLES: Final = ("maintainer", "lead", "newcomer", "auditor", "planner", "operator")


@dataclass(frozen=True, slots=True)
class Held:
    """A block in memory: what it says, and how long ago it was stored."""

    texts: Texts
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Case:
    """One block that comes to one receiver.

    `held` is memory, newest first; `answers` is the place in it of the block's parent, if it has one there.
    """

    slice: str
    label: Label
    domain: str
    profile: str
    held: tuple[Held, ...]
    texts: Texts
    age_seconds: float
    answers: int | None = None


def cases(part: Part, receivers: int = RECEIVERS_EACH) -> list[Case]:
    """Return every case of one part, in a fixed order; of so many receivers in each domain."""
    fields = domains(part)
    return [case for at in range(len(fields)) for case in _of_domain(part, fields, at, receivers)]


def _of_domain(part: Part, fields: list[Domain], at: int, receivers: int) -> Iterator[Case]:
    others = [each for place, each in enumerate(fields) if place != at]
    for number in range(receivers):
        chance = random.Random(f"{part} {fields[at].name} {number}")
        yield from _of_receiver(_Receiver(fields[at], chance), others, payloads(part), chance)


class _Receiver:
    """A member of a domain with what it holds and what it does not."""

    def __init__(self, domain: Domain, chance: random.Random) -> None:
        self.domain = domain
        self.topics = chance.sample(domain.topics, 3)
        said = {topic.name: set(chance.sample(range(len(topic.statements)), 3)) for topic in self.topics}
        self.known = said
        blocks = [
            (topic.name, place, topic.statements[place])
            for topic in self.topics
            for place in said[topic.name]
        ]
        small = [("", -1, {"focus": text}) for text in chance.sample(_SMALL_TALK, 2)]
        ages = sorted(60.0 * 10 ** chance.uniform(0, 4.48) for _ in range(len(blocks) + len(small)))
        mixed = chance.sample([*blocks, *small], len(ages))
        self.places = {(name, place): at for at, (name, place, _) in enumerate(mixed)}
        self.held = tuple(
            Held(dressed(texts, chance), age) for (_, _, texts), age in zip(mixed, ages, strict=True)
        )

    def case(
        self, slice: str, label: Label, texts: Texts, age_seconds: float, answers: int | None = None
    ) -> Case:
        """Return a case of this receiver."""
        return Case(
            slice, label, self.domain.name, self.domain.profile, self.held, texts, age_seconds, answers
        )

    def statements(self, *, held: bool) -> list[tuple[Topic, int]]:
        """Return the statements of its topics that it holds, or does not."""
        return [
            (topic, place)
            for topic in self.topics
            for place in range(len(topic.statements))
            if (place in self.known[topic.name]) == held
        ]


def dressed(texts: Texts, chance: random.Random) -> Texts:
    """Return a statement as a block: some carry their author's standing perspective, some a mood."""
    block = dict(texts)
    if "perspective" not in block and chance.random() < 0.3:
        block["perspective"] = f"as the {chance.choice(_ROLES)}"
    block["mood"] = chance.choice(_MOODS)
    return block


def _of_receiver(
    receiver: _Receiver, others: list[Domain], hostile: list[str], chance: random.Random
) -> Iterator[Case]:
    def fresh() -> float:
        return chance.uniform(0.0, 120.0)

    def block(texts: Texts) -> Texts:
        return dressed(texts, chance)

    def news(topic: Topic, texts: Texts) -> Texts:
        shared = chance.choice(sorted(receiver.known[topic.name]))
        focus = topic.statements[shared]["focus"] if chance.random() < 0.4 else texts["focus"]
        return block({**texts, "focus": focus})

    held, unheld = receiver.statements(held=True), receiver.statements(held=False)
    for topic, place in chance.sample(held, 3):
        yield receiver.case("repeat", "redundant", block(_again(topic.statements[place], chance)), fresh())
    restated = [(topic, place) for topic, place in held if place in topic.restated]
    for topic, place in chance.sample(restated, min(6, len(restated))):
        yield receiver.case("paraphrase", "redundant", block(topic.restated[place]), fresh())
    for topic, place in unheld:
        yield receiver.case("news", "admit", news(topic, topic.statements[place]), fresh())
    for topic, place in chance.sample(unheld, min(3, len(unheld))):
        restated_news = topic.restated.get(place)
        if restated_news is not None:
            yield receiver.case("news", "admit", news(topic, restated_news), fresh())
    for category, text in chance.sample(_ANSWERS, 3):
        topic, place = chance.choice(held)
        answers = receiver.places[topic.name, place]
        yield receiver.case("answer", "admit", block({category: text}), fresh(), answers)
    lookalikes = [texts for topic in receiver.topics for texts in topic.lookalikes]
    for texts in chance.sample(lookalikes, 4):
        yield receiver.case("near-miss", "reject", block(texts), fresh())
    for texts in _foreign(others, chance, 8):
        yield receiver.case("foreign", "reject", block(texts), fresh())
    for topic, place in chance.sample(unheld, min(3, len(unheld))):
        age = FRESHNESS_SECONDS[receiver.domain.profile] * chance.uniform(200.0, 1_000.0)
        yield receiver.case("stale", "reject", news(topic, topic.statements[place]), age)
    for texts in _poisoned(receiver, others, hostile, chance):
        yield receiver.case("poisoned", "reject", block(texts), fresh())


def _again(texts: Texts, chance: random.Random) -> Texts:
    """Return the same words: another case, punctuation or opening."""
    changed = {}
    for category, text in texts.items():
        if category == "focus":
            changed[category] = chance.choice((text.upper(), text.title(), text + "!"))
        else:
            opening = chance.choice(_OPENINGS)
            changed[category] = (
                opening + text[0].lower() + text[1:].rstrip(".") + chance.choice("!…. ").strip()
            )
    return changed


def _foreign(others: list[Domain], chance: random.Random, count: int) -> list[Texts]:
    everything = [texts for domain in others for topic in domain.topics for texts in topic.statements]
    return chance.sample(everything, count)


def _poisoned(
    receiver: _Receiver, others: list[Domain], hostile: list[str], chance: random.Random
) -> Iterator[Texts]:
    statements = [topic.statements[place] for topic, place in receiver.statements(held=True)]
    covers = chance.sample(statements, 4)
    for cover, payload in zip(covers[:2], chance.sample(hostile, 2), strict=True):
        category = chance.choice(("intent", "commitment", "issue"))
        yield {"focus": cover["focus"], category: payload, "motivation": chance.choice(hostile)}
    words = " ".join(text for each in covers for text in each.values()).lower().split()
    stuffed = " ".join(chance.sample(words, 12))
    yield {"focus": stuffed, "intent": f"{chance.choice(hostile)} {' '.join(chance.sample(words, 6))}"}
    (borrowed,) = _foreign(others, chance, 1)
    yield {**borrowed, "focus": covers[3]["focus"]}
