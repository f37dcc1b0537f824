"""The lineage tether (MMP 2.0 §15.8): which root a remix is held against, and by which of its words.

Rules: pure; the measuring is the native core's. A remix is held against the oldest root that this peer can
reach, never against its parent, so that small steps do not add up. A category that one side leaves neutral
makes no claim and is not compared; where both do, they agree. Feedback is no remix: it names its targets, and
claims nothing of what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from covey.limits import LINEAGE_BLOCKS
from covey.memory.lineage import ancestors
from covey.model import CAT7, NEUTRAL, Block

Lookup = Callable[[str], Block | None]

SCHEMA: Final = "urn:covey:tether:1"
"""Names the application data of a remix that carries its tether attestation."""

_JUDGEMENTS = ("Validated cmb-", "Dismissed cmb-", "Archived cmb-", "Canonised cmb-")


def anchor_of(lookup: Lookup, parents: Sequence[str], *, max_blocks: int = LINEAGE_BLOCKS) -> Block | None:
    """Return the oldest root that can be reached from a remix's parents; None where none of them is held.

    Where a branch ends at a block whose parents are not held, that block is as far as can be seen.
    """
    held = [block for key in parents if (block := lookup(key)) is not None]
    walk = ancestors(lookup, held, depth=max_blocks, max_blocks=max_blocks)
    blocks = [*held, *(each.block for each in walk.ancestors)]
    roots = [block for block in blocks if not block.parents] or blocks
    return min(roots, key=lambda block: (block.created_ms, block.key), default=None)


def compared(remix: Mapping[str, str], root: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the texts of both sides that are compared; what is left out says "" to the measure."""
    sides: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for name in CAT7:
        texts = tuple(_text(side.get(name, "")) for side in (remix, root))
        silent = (texts[0] == NEUTRAL) != (texts[1] == NEUTRAL)
        for side, text in zip(sides, texts, strict=True):
            side[name] = "" if silent else text
    return sides


def is_feedback(categories: Mapping[str, str]) -> bool:
    """Tell whether a block speaks of its parents instead of going on from them."""
    commitment = categories.get("commitment", "")
    return categories.get("intent") == "ground" or commitment.startswith(_JUDGEMENTS)


def _text(text: str) -> str:
    return text if text.strip() else NEUTRAL
