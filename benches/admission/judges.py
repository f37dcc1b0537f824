"""The paths under test, each as a function from a case to a label. All of them are the native ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

from benches.admission.scenarios import FRESHNESS_SECONDS, Case, Label
from covey import _core, core

Judge = Callable[[Case], Label]

LABEL_OF: dict[str, Label] = {
    "aligned": "admit",
    "guarded": "admit",
    "redundant": "redundant",
    "rejected": "reject",
}
"""What a decision amounts to."""
WEIGHTS = {
    "uniform": (1.0,) * 7,
    "coding": (2.0, 1.5, 1.5, 1.0, 1.2, 1.0, 0.8),
    "music": (1.0, 0.8, 0.8, 0.8, 0.8, 1.2, 2.0),
    "fitness": (1.5, 1.5, 1.0, 1.5, 1.0, 1.0, 2.0),
    "knowledge": (2.0, 1.5, 1.5, 1.0, 0.5, 1.5, 0.3),
    "legal": (2.0, 2.0, 1.5, 1.0, 2.0, 1.5, 0.5),
    "health": (1.5, 2.0, 1.0, 1.5, 1.0, 1.5, 2.0),
    "finance": (2.0, 2.0, 1.5, 1.0, 2.0, 2.0, 0.3),
}
"""What §8.4 publishes for each profile, in CAT7 order."""

BASELINE_WINDOW = 5
DECAY_FLOOR = 0.8
"""What age leaves of a held block at least, on the selective path."""


def baseline(case: Case) -> Label:
    """Judge as the reference does: `ngram-h32`, the five newest blocks, neutral compared with neutral."""
    anchors = [(held.texts, held.age_seconds) for held in case.held[:BASELINE_WINDOW]]
    said = core.evaluate(case.texts, anchors, case.profile, age_seconds=case.age_seconds)
    return LABEL_OF[said.decision]


def selective(encoder: _core.Encoder, authors: int | None = None) -> Judge:
    """Return covey's own path with an encoder and its numbers; each block held has an author of its own.

    Args:
        encoder: What reads the blocks.
        authors: How many authors wrote memory instead, in turn.
    """

    def judge(case: Case) -> Label:
        incoming, memory = recalled(encoder, case)
        said = encoder.judge(
            incoming,
            memory,
            {"weights": WEIGHTS[case.profile], "freshness_seconds": FRESHNESS_SECONDS[case.profile]},
            age_seconds=case.age_seconds,
            answers=case.answers is not None,
            authors=[place % (authors or len(memory)) for place in range(len(memory))],
        )
        return LABEL_OF[said.decision]

    return judge


def recalled(encoder: _core.Encoder, case: Case) -> tuple[_core.Traces, list[tuple[_core.Traces, float]]]:
    """Return what a block says, and the memory it comes to: traces with how much they count for their age."""
    freshness = FRESHNESS_SECONDS[case.profile]
    memory = [
        (
            _read(encoder, tuple(held.texts.items())),
            max(math.exp(-held.age_seconds / freshness), DECAY_FLOOR),
        )
        for held in case.held
    ]
    return _read(encoder, tuple(case.texts.items())), memory


@cache
def _read(encoder: _core.Encoder, said: tuple[tuple[str, str], ...]) -> _core.Traces:
    return encoder.traces(dict(said))
