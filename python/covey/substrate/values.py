"""What can be shared of what was learned: numbers and ids. No value here can hold a text of a block.

Rules: frozen. An `Episode` is the one thing that knows texts; it stands in `learning` and nothing here can
refer to it, so that no composer can put one into a bundle.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Final

from covey import limits
from covey.errors import CoveyError
from covey.model import CAT7
from covey.values import dataclass

CONTRIBUTOR: Final = re.compile(r"[A-Za-z0-9.\-][A-Za-z0-9_.\-]{0,127}")
KERNEL: Final = re.compile(r"[a-z0-9][a-z0-9:.\-]{0,99}")

OUTCOMES: Final[Mapping[str, float]] = {
    "canonical": 1.5,
    "validated": 1.0,
    "verified": 1.0,
    "remixed": 0.5,
    "admitted": 0.25,
    "failed": -0.5,
    "dismissed": -1.0,
}
"""What can become of a block, and how much that says for or against what is like it."""


class BundleError(CoveyError):
    """A bundle cannot be made, read, merged or given; the code says by which rule (docs/substrate.md)."""

    default_code = "bundle"


@dataclass(frozen=True, slots=True)
class Concept:
    """What blocks of a matter have in common: a centroid of whole numbers, and how many blocks it is of."""

    vector: bytes
    members: int

    @property
    def id(self) -> str:
        """Return its id, which follows from the vector."""
        return concept_id(self.vector)


@dataclass(frozen=True, slots=True)
class Link:
    """What followed: after blocks of a concept came an outcome, or blocks of a concept.

    `predicted` is the share of the concept's blocks that it followed for, `confidence` grows with the count.
    """

    cause: str
    effect: str
    count: int
    predicted: float
    confidence: float

    @property
    def valence(self) -> int:
        """Return 1 or -1 for an outcome, 0 for a concept."""
        said = OUTCOMES.get(self.effect, 0.0)
        return (said > 0) - (said < 0)


@dataclass(frozen=True, slots=True)
class Tally:
    """Count, mean and sum of squared deviations of one number: enough to go on counting (Welford, Chan)."""

    count: int = 0
    mean: float = 0.0
    spread: float = 0.0

    def with_value(self, value: float) -> Tally:
        """Return the tally with one number more."""
        count = self.count + 1
        away = value - self.mean
        mean = self.mean + away / count
        return Tally(count, mean, self.spread + away * (value - mean))

    def joined(self, other: Tally) -> Tally:
        """Return the tally of both. The order matters in the last bits, so folds go in a fixed one."""
        count = self.count + other.count
        if not count:
            return self
        away = other.mean - self.mean
        spread = self.spread + other.spread + away * away * self.count * other.count / count
        return Tally(count, self.mean + away * other.count / count, spread)


@dataclass(frozen=True, slots=True)
class Statistics:
    """How admission went: decisions by their word, and drifts of blocks that turned out well and badly.

    `drifts` has an entry for each category, and `total`, as (well, badly).
    """

    decisions: Mapping[str, int] = field(default_factory=dict)
    drifts: Mapping[str, tuple[Tally, Tally]] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    guarded: float | None = None
    """What follows from the drifts: a factor for each category's weight, and where good and bad part."""


@dataclass(frozen=True, slots=True)
class ShareableSubstrate:
    """All that a bundle can carry beside who says it. `as_of_ms` is when its newest block was stored."""

    kernel: str
    dimensions: int
    as_of_ms: int
    concepts: tuple[Concept, ...] = ()
    links: tuple[Link, ...] = ()
    statistics: Statistics = field(default_factory=Statistics)

    @property
    def members(self) -> int:
        """Return how many blocks its concepts are of."""
        return sum(each.members for each in self.concepts)


NUMBERS: Final = (*CAT7, "total")
"""What drifts are kept of."""


def concept_id(vector: bytes) -> str:
    """Return the id of a vector."""
    return "c-" + hashlib.sha256(vector).hexdigest()[:24]


def confidence_of(count: int) -> float:
    """Return how sure that many observations make: 0 for none, never over the bound."""
    return min(count / (count + 2.0), limits.CONFIDENCE)


def contributor_id(word: str) -> str:
    """Return a contributor's id.

    Raises:
        BundleError: It is none, or one that covey keeps for itself.
    """
    if word.startswith("_"):
        raise BundleError(f"contributor: ids that begin with _ are covey's own: {word[:64]}", code="reserved")
    if CONTRIBUTOR.fullmatch(word) is None:
        raise BundleError(
            f"contributor: expected letters, digits, `_`, `.` and `-`, at most 128, got: {word[:64]!r}",
            code="bad_contributor",
        )
    return word


def finite(value: object, least: float, most: float) -> float:
    """Return a number within bounds.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("expected a finite number")
    if not least <= value <= most:
        raise ValueError(f"expected {least:g} to {most:g}, got {value:g}")
    return float(value)
