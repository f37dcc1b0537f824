"""Acting on what blocks say of others: which step authority makes, and whether a block is grounded.

Rules: pure. Who may is asked of one port and nowhere else (MMP 2.0 §6.5): no field of a block, no name and no
trust confers anything. A grounding moves nothing (§6.7). Whether one is believed follows from what its author
may do *now*, and, among equals, from the order in which this store took them, never from a signed time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Literal

from covey.hindsight import Feedback, FeedbackKind
from covey.model import Lifecycle, LifecycleMove
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.ports import LifecycleAuthority

_STEPS: Final[dict[FeedbackKind, tuple[LifecycleMove, Lifecycle]]] = {
    "validate": ("validate", "validated"),
    # The Canon is left by an explicit dismissal or archiving, by whoever may dismiss (§6.3).
    "dismiss": ("dismiss", "dismissed"),
    "archive": ("dismiss", "archived"),
    "canonise": ("canonise", "canonical"),
}
COUNTS: Final[dict[Lifecycle, float]] = {
    "observed": 1.0,
    "remixed": 1.5,
    "validated": 2.0,
    "canonical": 3.0,
    "dismissed": 0.5,
    "archived": 0.5,
}
"""How much a block counts among those that newcomers are compared with, by where it stands (§6.4)."""
VERBS: Final[dict[FeedbackKind, str]] = {
    "validate": "Validated",
    "dismiss": "Dismissed",
    "archive": "Archived",
    "canonise": "Canonised",
}
"""The word a judgement's commitment begins with, as the published example has it (§11.4)."""

Tier = Literal[0, 1, 2]
"""What somebody may do here: nothing, validate, canonise."""


@dataclass(frozen=True, slots=True)
class Step:
    """A block is to be moved, for somebody who may."""

    key: str
    to: Lifecycle
    by: str
    because: str


@dataclass(frozen=True, slots=True)
class NoStep:
    """Nothing is moved; `reason` says why, in one line."""

    key: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Grounding:
    """How a block turned out, as this peer sees it: by which word, of whose tier."""

    held: bool
    word: Feedback
    tier: Tier


def step_of(word: Feedback, authority: LifecycleAuthority) -> Step | NoStep | None:
    """Say what a judgement does to its block; None for a report of an outcome, which does nothing.

    Args:
        word: What a held, signed block says.
        authority: Who may move blocks, by what is in force now.
    """
    if word.grounds:
        return None
    move, to = _STEPS[word.kind]
    ruling = authority.may(move, word.node_id)
    if not ruling.allowed:
        return NoStep(word.target, word.node_id, ruling.reason)
    return Step(word.target, to, word.node_id, word.assertion_id)


def tier_of(authority: LifecycleAuthority, node_id: str) -> Tier:
    """Return what somebody may do here now."""
    if authority.may("canonise", node_id).allowed:
        return 2
    return 1 if authority.may("validate", node_id).allowed else 0


def grounding(words: Iterable[Feedback], tier: Callable[[str], Tier]) -> Grounding | None:
    """Say how a block turned out: within the highest tier that speaks, the word stored last (§6.7).

    So a report by somebody of lower standing never overturns one of higher, however many there are, and a
    real regression among equals does.

    Args:
        words: What is said of the block, in any order; judgements are passed over.
        tier: What an author may do here now.

    Returns:
        None where nobody reported an outcome.
    """
    best: Grounding | None = None
    for word in words:
        if not word.grounds:
            continue
        found = Grounding(word.kind == "verified", word, tier(word.node_id))
        if best is None or (found.tier, word.seq) > (best.tier, best.word.seq):
            best = found
    return best


def words_about(
    key: str,
    said_of: Callable[[str], Iterable[Feedback]],
    children: Callable[[str], Iterable[str]],
    tethered: Callable[[str], bool],
    *,
    max_blocks: int,
) -> list[Feedback]:
    """Gather what is said of a block, directly or of what this peer holds below it.

    Grounding runs upward: a report about a remix is one about what it descends from, as long as the remix is
    still about that (§15.8). It never runs down: a remix of what held is not itself verified.

    Args:
        key: The block.
        said_of: Gives the words about one block.
        children: Gives the held blocks that descend from one directly.
        tethered: Says whether a held block is still about the block that is asked for.
        max_blocks: How many blocks below are looked at.
    """
    seen, frontier = {key}, [key]
    words: dict[str, Feedback] = {}
    while frontier and len(seen) <= max_blocks:
        speakers: set[str] = set()
        for each in frontier:
            for word in said_of(each):
                speakers.add(word.key)
                if word.grounds:
                    words.setdefault(word.key, word)
        below = dict.fromkeys(
            child
            for each in frontier
            for child in children(each)
            if child not in seen and child not in speakers
        )
        seen.update(below)
        frontier = [child for child in below if tethered(child)]
    return list(words.values())
