"""Values of a question to the mesh (MMP 2.0 §12.8): contributions, claims, sentences, and the answer.

Rules: frozen, with slots, no behaviour beyond reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from covey.model import Block, Payload, Usage
from covey.values import dataclass

SYNTHESISE: Final = "synthesize"
SYNTHESIS: Final = "synthesis"
"""What an answer's intent and perspective say (§12.13)."""

SYNTHESIS_SCHEMA: Final = "urn:covey:ask:synthesis:1"
"""Names the application data of an answer: its sentences, each with what it cites."""

VOUCHED: Final = "vouched"
"""The proof of a block whose author's key is not known here."""

Quiet = Literal[
    "no-grounding",
    "below-threshold",
    "stranger",
    "busy",
    "failed",
    "no-word",
    "left",
    "deaf",
    "slow",
    "unheeded",
]
"""Why a peer contributed nothing. The first five are its own words; the others are what was seen of it."""

QUIET: Final[Mapping[str, str]] = {
    "no-grounding": "no grounding in own store",
    "below-threshold": "grounding below relevance threshold",
    "stranger": "it does not answer this peer: not trusted there",
    "busy": "it looks into too many questions just now",
    "failed": "it could not look: its store or its voice failed",
    "no-word": "no word within the time",
    "left": "it left before it answered",
    "slow": "it reads too slowly just now",
    "unheeded": "not asked: not trusted here",
    "deaf": "it does not speak this: a stock peer, or an older one",
}
"""Each reason in words; the first two are the specification's own (§12.10)."""

Mode = Literal["model", "illustrative"]
"""How an answer was composed (§12.12): by a model, or by restating what was contributed."""


@dataclass(frozen=True, slots=True)
class Source:
    """A block that was found for a question, and what it has to do with it, in [0, 1]."""

    block: Block
    score: float
    cells: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Selected:
    """A peer has something to say: sources, the best first."""

    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Silence:
    """A peer has nothing to say, or does not: the reason is information, too (§12.10)."""

    reason: Quiet
    best: float | None = None
    """The score of the best block there was; never told to others."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """A verified, durable block that somebody contributes, with what admission decided about it here.

    `sources` are those blocks of its lineage that are shown: verified, or `vouched` by whoever contributes
    where their author's key is not known here. `decision` is None where none is kept.
    """

    block: Block
    sources: tuple[Block, ...]
    decision: str | None
    drift: float | None
    wakes: bool
    """Whether its author is somebody this peer listens to."""
    question: str | None = None
    """What it answers: no source, though its lineage may name it."""

    @property
    def named(self) -> tuple[str, ...]:
        """Return the sources it names, shown or not."""
        return tuple(key for key in self.block.parents if key != self.question)


@dataclass(frozen=True, slots=True)
class Claim:
    """What an answer may be made of: one admitted contribution, or what the asker itself holds.

    `cites` are the contribution's key and those of its verified sources (§12.11); `author` and `node_id`
    say whose it is; `prior` is an earlier answer that this one builds on.
    """

    number: int
    text: str
    cites: tuple[str, ...]
    author: str
    node_id: str
    own: bool = False
    prior: bool = False
    not_shown: tuple[str, ...] = ()
    """Sources that it names and that are not held here: nothing was checked against them."""
    vouched: tuple[tuple[str, str], ...] = ()
    """Sources whose author has no key here, each with the author's label: their text is that of their
    address, and who contributed them vouches for whose they are."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A contribution that does not enter the answer, and why."""

    key: str
    author: str
    node_id: str
    reason: str
    detail: str
    drift: float | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """What admission made of all contributions."""

    claims: tuple[Claim, ...]
    dropped: tuple[Dropped, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """One sentence as a model or the restatement gives it: what it says, and the numbers it cites."""

    text: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence whose citations were checked: the claims' numbers, and every key they stand for."""

    text: str
    numbers: tuple[int, ...]
    cites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Withheld:
    """A sentence that is not printed, and why."""

    text: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Composed:
    """The sentences of one synthesis (§12.12)."""

    mode: Mode
    sentences: tuple[Sentence, ...]
    withheld: tuple[Withheld, ...] = ()
    model: str = ""
    """Which model wrote it; empty where none did."""
    usage: Usage | None = None
    note: str = ""
    """Why there was no model's answer, where one was wanted."""


@dataclass(frozen=True, slots=True)
class Crystal:
    """What is written back (§12.13): categories, parents and application data."""

    categories: Mapping[str, str]
    parents: tuple[str, ...]
    application: Payload
