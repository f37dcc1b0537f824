"""What is known of well-known roles: their usual weights, and which categories they should lean on.

Rules: facts only. A role may be any word; the ones here spare their owners seven numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from covey.model import CAT7

HIGH_WEIGHT: Final = 1.5
"""From this weight on a category counts as one the role leans on."""

PRESETS: Final[Mapping[str, tuple[float, ...]]] = {
    # focus, issue, intent, motivation, commitment, perspective, mood
    "writer": (2.0, 1.0, 2.5, 1.5, 1.0, 0.5, 0.6),
    "reviewer": (1.0, 2.5, 1.2, 0.8, 2.0, 0.5, 0.6),
    "test-writer": (1.2, 2.0, 1.0, 0.8, 2.5, 0.5, 0.6),
    "auditor": (1.0, 2.0, 0.8, 0.8, 1.5, 2.5, 0.6),
    "generator": (2.5, 1.0, 2.0, 1.2, 1.0, 0.5, 0.6),
    "spec": (2.0, 1.0, 2.5, 1.5, 1.2, 0.5, 0.6),
    "generic": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
}

_LEANS_ON: Final[Mapping[str, tuple[str, ...]]] = {
    "writer": ("intent", "focus"),
    "reviewer": ("issue", "commitment"),
    "test-writer": ("commitment", "issue"),
    "spec": ("intent", "focus"),
    "spec-drafter": ("intent", "focus"),
    "auditor": ("perspective", "issue"),
    "generator": ("focus", "intent"),
    "mood": ("mood", "perspective"),
}


def preset(role: str) -> dict[str, float] | None:
    """Return the usual weights of a well-known role by category, or None."""
    weights = PRESETS.get(role.lower())
    return None if weights is None else dict(zip(CAT7, weights, strict=True))


def too_light(role: str, weights: Mapping[str, float]) -> tuple[str, ...] | None:
    """Return the categories a well-known role leans on that weigh under 1.5; None for other roles."""
    leans_on = _LEANS_ON.get(role.lower())
    if leans_on is None:
        return None
    return tuple(name for name in leans_on if weights[name] < HIGH_WEIGHT)
