"""Who may move a block of memory (MMP 2.0 §3.5, §6.5): one function, over what the resolved set says.

Nothing else confers this: no claim in a hello, no field of a block, no trust in a peer.
"""

from __future__ import annotations

from typing import Final

from covey.model import LifecycleMove, Reach, Ruling

_NEEDED: Final[dict[LifecycleMove, Reach]] = {
    "validate": "validated",
    "dismiss": "validated",
    "canonise": "canonical",
}
_ORDER: Final[dict[Reach, int]] = {"none": 0, "validated": 1, "canonical": 2}


def ruling(move: LifecycleMove, reach: Reach, *, anchored: bool) -> Ruling:
    """Say whether somebody whose authority reaches so far may make a move.

    Args:
        move: What is to be done with a block.
        reach: How far the authority of the one who asks reaches for this block (`Authority.reach`).
        anchored: Whether this peer has pinned an anchor at all; without one nobody has authority (§6.6.1).
    """
    needed = _NEEDED[move]
    if not anchored:
        return Ruling(False, "no anchor is pinned here, so nobody has authority")
    if _ORDER[reach] >= _ORDER[needed]:
        return Ruling(True, f"authority reaches {reach}")
    return Ruling(False, f"to {move} needs authority that reaches {needed}; it reaches {reach}")
