"""The section [svaf]: how the peer decides which blocks its memory takes (MMP 2.0 §9.2).

Rules: values only. What is not said is the path's and the encoder's own: each encoder has its thresholds.
"""

from __future__ import annotations

from pathlib import Path

from covey.settings.rules import OneOf, Real, Text, key
from covey.values import dataclass

FRESHNESS_SECONDS = {
    "uniform": 1_800.0,
    "coding": 7_200.0,
    "music": 1_800.0,
    "fitness": 10_800.0,
    "messaging": 3_600.0,
    "knowledge": 86_400.0,
    "legal": 86_400.0,
    "health": 10_800.0,
    "finance": 7_200.0,
}
"""What §19 publishes for each profile."""


@dataclass(frozen=True, slots=True)
class SvafSettings:
    """Which path decides, what reads texts for it, and its numbers."""

    path: str = key(
        OneOf(("selective", "baseline")),
        "selective: covey's own way to decide; baseline: the reference's, exactly",
        default="selective",
    )
    kernel: str = key(
        OneOf(("words-1", "lexis-h1024", "ngram-h64")),
        "the built-in encoder of the selective path; the baseline has its own",
        default="words-1",
    )
    table: Path | None = key(
        Text(1, 4_096, parse=Path),
        "folder with a static-embedding table (model.safetensors, tokenizer.json) for the selective path",
        default=None,
    )
    profile: str = key(
        OneOf(tuple(FRESHNESS_SECONDS)), "a published profile, for how fast things age", default="uniform"
    )
    freshness_seconds: float | None = key(
        Real(1, 31_536_000),
        "in place of the profile's: after so long, 63 % of freshness is gone",
        default=None,
    )
    stable: float | None = key(
        Real(0, 1), "drift up to which a block is aligned; not said, the path's own", default=None
    )
    guarded: float | None = key(
        Real(0, 1), "drift up to which a block is guarded; not said, the path's own", default=None
    )
    redundancy: float | None = key(
        Real(0, 1), "distance below which a block only repeats; not said, the path's own", default=None
    )

    @property
    def ages(self) -> float:
        """Return the freshness in seconds, said or the profile's."""
        said = self.freshness_seconds
        return FRESHNESS_SECONDS[self.profile] if said is None else said
