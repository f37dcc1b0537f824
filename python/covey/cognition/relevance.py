"""How much a block has to do with a text, category by category, under an agent's own weights (§12.10).

Rules: pure. Two looks at each category, in equal parts: which of the text's words it repeats, and how alike
the native encoder finds the two. A word counts as much as the category it stands in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from covey import _core
from covey.cognition.terms import terms
from covey.model import CAT7, NEUTRAL, Block
from covey.values import dataclass

_LEXICAL = 0.6
"""The part of shared words: what the built-in encoder adds is only closeness of spelling."""


@dataclass(frozen=True, slots=True)
class Match:
    """What a block has to do with a text: all of it, and each category that says something, in [0, 1]."""

    score: float
    cells: Mapping[str, float] = field(default_factory=dict)


class Relevance:
    """Scores blocks against one text.

    Args:
        text: A question, or a task.
        weights: How much each category counts to whoever looks, in CAT7 names; none counts for less than 0.
        encoder: Reads texts; one of the native core's.
    """

    def __init__(self, text: str, weights: Mapping[str, float], encoder: _core.Encoder) -> None:
        self._terms = terms(text)
        self._encoder = encoder
        highest = max((weights.get(name, 0.0) for name in CAT7), default=0.0)
        self._weights = {
            name: max(0.0, weights.get(name, 0.0)) / highest if highest > 0 else 1.0 for name in CAT7
        }
        self._text = encoder.traces({"focus": text if text.strip() else NEUTRAL})

    @property
    def says_something(self) -> bool:
        """Tell whether the text has a word that carries it."""
        return bool(self._terms)

    def of(self, block: Block) -> Match:
        """Return what a block has to do with the text."""
        said = {name: text for name, text in block.said().items() if self._weights[name] > 0.0}
        if not said or not self._terms:
            return Match(0.0)
        count = len(self._terms)
        shared = {name: self._terms & terms(text) for name, text in said.items()}
        alike = {name: self._weights[name] * self._alike(text) for name, text in said.items()}
        cells = {
            name: _LEXICAL * self._weights[name] * len(shared[name]) / count + (1 - _LEXICAL) * alike[name]
            for name in said
        }
        covered = sum(
            max(self._weights[name] for name in said if word in shared[name])
            for word in frozenset().union(*shared.values())
        )
        return Match(_LEXICAL * covered / count + (1 - _LEXICAL) * max(alike.values()), cells)

    def _alike(self, text: str) -> float:
        """Return how alike the encoder finds a text and the one that is looked for, in [0, 1]."""
        return min(1.0, max(0.0, self._encoder.traces({"focus": text}).likeness(self._text)))
