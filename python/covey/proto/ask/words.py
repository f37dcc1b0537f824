"""What the engine of questions and its shell say to each other, and what a question is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core

PERSPECTIVE: Final = "ask"
"""What a question's perspective says (MMP 2.0 §12.9)."""
CONTRIBUTION_SCHEMA: Final = "urn:covey:ask:contribution:1"
"""Names the application data of a contribution: its question, and its sources as they were signed."""
REASONS: Final = ("no-grounding", "below-threshold", "stranger", "busy", "failed")
"""What a peer may say of its silence."""


def question_of(text: str) -> dict[str, str]:
    """Return what a question's block says: its text alone, so that its key follows from its text."""
    return {"focus": text, "issue": text, "perspective": PERSPECTIVE}


# --- the shell's wishes --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Put:
    """Put a question, which is minted, to everybody who is there."""

    key: str
    text: str
    within_ms: int


@dataclass(frozen=True, slots=True)
class Decline:
    """Tell a peer that nothing is contributed to its question, and why."""

    node_id: str
    key: str
    reason: str


# --- what the engine tells -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class There:
    """One peer of the room; `state` is asked, or why it was not: deaf, unheeded, slow."""

    node_id: str
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Asked:
    """To whom a question went, of all who have a session."""

    key: str
    there: tuple[There, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A peer asks; it may be answered within that time."""

    node_id: str
    name: str
    key: str
    text: str
    within_ms: int


@dataclass(frozen=True, slots=True)
class Declined:
    """A peer has nothing to say to a question."""

    node_id: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Contributed:
    """A verified, durable record, addressed here as a contribution; `heeded`: its author is trusted."""

    record: _core.Record
    heeded: bool


@dataclass(frozen=True, slots=True)
class Gone:
    """A peer's last session ended."""

    node_id: str
