"""Values of memory over time: what blocks say of others, what is looked for, what was found.

Rules: as for `covey.model`: frozen, with slots, no behaviour beyond reading.
"""

from __future__ import annotations

from typing import Literal

from covey.model import Block
from covey.values import dataclass

FeedbackKind = Literal["verified", "failed", "validate", "dismiss", "canonise", "archive"]
"""What a block can say of another: how it turned out (§6.7), or what authority makes of it (§6.5)."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """One held block's word on another; `seq` is its place in the order of storing.

    No other order counts. `words` are those of its commitment, as its author signed them.
    """

    seq: int
    key: str
    assertion_id: str
    node_id: str
    stored_ms: int
    kind: FeedbackKind
    target: str
    words: str

    @property
    def grounds(self) -> bool:
        """Say whether it reports an outcome, which moves nothing by itself."""
        return self.kind in ("verified", "failed")


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for in memory; the default is everything. Times are wall milliseconds of storing.

    `author` is a nodeId, `label` what authors call themselves; `below` asks for what descends from a key,
    `above` for what it descends from; with a `category` the words are looked for in it.
    """

    text: str = ""
    category: str | None = None
    author: str | None = None
    label: str | None = None
    own: bool | None = None
    room: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    lifecycle: str | None = None
    below: str | None = None
    above: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found. `capped`: more matched than is looked at, and the newest were."""

    blocks: tuple[Block, ...]
    capped: bool
