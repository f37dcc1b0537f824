"""Which blocks belong to a question's own course: they are remembered, and wake no agent.

A question is answered out of stores, and an answer is read by who asked; a model that wakes for either
would spend money on what nobody asked of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from covey.cognition.ask.values import SYNTHESIS, SYNTHESISE
from covey.proto.ask.words import PERSPECTIVE


def is_question(categories: Mapping[str, str]) -> bool:
    """Tell whether a block is a question to the mesh (MMP 2.0 §12.9)."""
    focus = categories.get("focus", "")
    return categories.get("perspective") == PERSPECTIVE and focus == categories.get("issue")


def is_answer(categories: Mapping[str, str]) -> bool:
    """Tell whether a block is the synthesis of one (§12.13)."""
    return categories.get("intent") == SYNTHESISE and categories.get("perspective") == SYNTHESIS
