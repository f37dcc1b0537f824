"""When a block is handed on (MMP 2.0 §15.7.1), and every reason for which it is not.

A block is handed on only to who lacks a source of it: where one of its lineage's roots is held, or is on its
way, it would be an echo. It goes as its author signed it, so no root is made for what has one, and nothing is
chosen: all that is admitted is offered. How often a block is handed on is bounded, and so is how often it is
offered to one peer and asked for by one: once.
"""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Final

from covey import limits

if TYPE_CHECKING:
    from covey.proto.forward.frames import Offer

# --- why a block is not offered -----------------------------------------------------------------

NOT_ADMITTED: Final = "not_admitted"
"""Admission turned it down here: what one does not hold one does not hand on."""
CONTEXT: Final = "context"
"""It came as somebody's missing parent: who needs it asks for it, too."""
HOPS: Final = "hops"
UNRESOLVED: Final = "unresolved"
"""Its lineage does not reach its roots here, so nobody can say whether it is new to anybody."""
WIDE: Final = "wide"
"""More roots than one offer names."""
CROWDED: Final = "crowded"
"""More was admitted than waits to be offered."""
UNSPOKEN: Final = "unspoken"
"""The peer does not speak this: nobody can know what it holds."""
SLOW: Final = "slow"
"""The peer reads too slowly to be told."""
GONE: Final = "gone"
"""It was asked for, and is not held any more."""

# --- why an offered block is not asked for ------------------------------------------------------

HELD: Final = "held"
KNOWN_SOURCE: Final = "known_source"
COMING: Final = "coming"
JUDGED: Final = "judged"
AUTHOR_UNKNOWN: Final = "author_unknown"
"""No key of its author is known here, so it could not be verified: a third peer's word binds no key."""
PACE: Final = "pace"
BUSY: Final = "busy"

DECLINED: Final = frozenset({HELD, KNOWN_SOURCE, COMING, JUDGED, AUTHOR_UNKNOWN, HOPS, PACE, BUSY})


def declined(offer: Offer, lacking: Container[str], coming: Container[str]) -> str | None:
    """Say why an offered block is not new to its receiver, or None.

    Args:
        offer: What is offered.
        lacking: Of its key and its roots, those that the receiver does not hold.
        coming: Blocks and roots that are on their way to it.
    """
    if offer.hops > limits.FORWARD_HOPS:
        return HOPS
    if offer.key not in lacking:
        return HELD
    if offer.key in coming:
        return COMING
    if all(root not in lacking or root in coming for root in offer.roots):
        return KNOWN_SOURCE
    return None
