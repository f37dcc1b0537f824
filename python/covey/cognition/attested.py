"""What a block's author says of its tether, held against what this peer knows (MMP 2.0 §15.8).

Rules: pure. An attestation proves who measured, in which kernel, with what result; never that it was honest.
So one that does not verify is forged and counts as nothing, and one that does is measured again where its
root is held and the kernel is this build's. A key that nobody proved here proves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from covey import _core
from covey.cognition.tether import compared
from covey.limits import LINEAGE_BLOCKS
from covey.memory.lineage import ancestors
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.memory.lineage import Lookup
    from covey.model import Block

Standing = Literal["own", "confirmed", "contradicted", "attested", "unknown", "severed", "astray", "forged"]
MEANINGS: Final[dict[Standing, str]] = {
    "own": "this peer measured it",
    "confirmed": "measured again here, with the same verdict",
    "contradicted": "measured again here, with the other verdict",
    "attested": "its author's word: the root or the kernel is not here",
    "unknown": "no key of its author is known here",
    "severed": "its author says that it left this root, and it names parents all the same",
    "astray": "it does not descend from this root, as far as is held here",
    "forged": "the attestation does not verify: it counts as nothing",
}
"""Each standing in words for people."""


@dataclass(frozen=True, slots=True)
class Attested:
    """An attestation that a block carries, and what it is worth here; numbers only where it could be read."""

    standing: Standing
    root: str | None = None
    kernel: str | None = None
    drift: float | None = None
    here: float | None = None
    """The drift as it was measured again."""
    detail: str = ""


def attested(block: Block, carried: bytes, key: bytes | None, lookup: Lookup, *, own: bool) -> Attested:
    """Read and weigh the attestation that a held block carries.

    Args:
        block: The remix.
        carried: The application data, as it was signed with the block.
        key: The raw public key that its author is bound to here; None for an author that proved none.
        lookup: Finds held blocks.
        own: It is this peer's own block.
    """
    try:
        told = _core.TetherAttestation.parse(carried)
    except _core.CoreError as error:
        return Attested("forged", detail=error.detail)
    facts = (told.root, told.kernel, told.drift)
    if told.of != block.key or told.by != block.node_id:
        what = "of another block" if told.of != block.key else "of another author"
        return Attested("forged", *facts, detail=f"it is {what}")
    if own:
        return Attested("own", *facts)
    if key is None:
        return Attested("unknown", *facts)
    try:
        told.verify(key)
    except _core.CoreError as error:
        return Attested("forged", *facts, detail=error.detail)
    if told.verdict == "severed":
        return Attested("severed", *facts)
    return _measured(block, told, lookup)


def _measured(block: Block, told: _core.TetherAttestation, lookup: Lookup) -> Attested:
    facts = (told.root, told.kernel, told.drift)
    walk = ancestors(lookup, [block], depth=LINEAGE_BLOCKS)
    above = {each.block.key for each in walk.ancestors}
    if told.root not in above and walk.complete:
        return Attested("astray", *facts)
    root = lookup(told.root) if told.root in above else None
    if root is None:
        return Attested("attested", *facts)
    tether = _core.Tether.of_texts(*compared(block.categories, root.categories))
    if not tether.checked or tether.kernel != told.kernel:
        return Attested("attested", *facts)
    return Attested("confirmed" if tether.tethered else "contradicted", *facts, tether.drift)
