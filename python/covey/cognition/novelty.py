"""The gate of remixes (MMP 2.0 §15.7): who speaks of others' blocks must have something new to say.

What counts as new is what did not come from the mesh: an own observation since the last remix, or what the
proposal itself brings — a model's own output, a tool's result, an outcome, a person's or a program's word.
What a proposal says of itself buys no freedom: words that only repeat a parent are refused whatever stands
behind them, and what machines say in one thread is counted, so that one root can cause a bounded number of
emissions in any room, whatever the others do.

Rules: pure. Threads are named by the keys of their roots; the caller walks the lineage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from covey.limits import REMIXES_CUT_OFF, REMIXES_PER_ROOT, THREADS
from covey.model import NEUTRAL, Block, EmissionRefused, Proposal

_MACHINE: Final = frozenset({"model", "tool"})
"""What a block can set off by itself; a person, a program or the world is no echo of the mesh."""

NOTHING_NEW: Final = "no_new_domain_data"
THREAD_SPENT: Final = "thread_spent"
LINEAGE_SPENT: Final = "lineage_spent"
UNRESOLVED: Final = "unresolved"
"""Names all threads whose root cannot be reached: each peer would name them by another block, without end."""
_NOTHING_NEW: Final = (
    "a remix needs an observation of one's own since the last one; say what is new (observe), or what this "
    "comes from: a model, a tool, an outcome, a person"
)


class NoveltyGate:
    """Judges the proposals of one peer.

    What passes is counted at once, so that two that are under way do not both take the last place; what then
    comes to nothing is given back.

    Args:
        per_root: Emissions that a model or a tool may set off in one thread.
        cut_off: Remixes that machines may cut off from their lineage until something comes from outside.
    """

    def __init__(self, per_root: int = REMIXES_PER_ROOT, cut_off: int = REMIXES_CUT_OFF) -> None:
        self._per_root = per_root
        self._most_cut_off = cut_off
        self._observed = 0
        """Own observations since the last remix that had nothing else to stand on."""
        self._cut_off = 0
        self._said: dict[str, int] = {}
        """Machine-made emissions by root, least recently used first."""

    def judge(
        self, proposal: Proposal, parents: Sequence[Block], roots: Sequence[str]
    ) -> EmissionRefused | None:
        """Say why a proposal may not go out, or None; then it is counted.

        Args:
            proposal: What is to be said.
            parents: Those of its parents that are held.
            roots: The threads it would go on; UNRESOLVED where a parent of its lineage is not held.
        """
        if not proposal.parents:
            self._observed += 1
            self._from_outside()
            return None
        if proposal.to is None and _repeats(proposal, parents):
            return EmissionRefused(NOTHING_NEW, "it says only what the block it answers says already")
        if proposal.fresh is None and proposal.to is None:
            if not self._observed:
                return EmissionRefused(NOTHING_NEW, _NOTHING_NEW)
            self._observed = 0
        if proposal.fresh not in _MACHINE:
            self._from_outside()
            return None
        if any(self._said.get(root, 0) >= self._per_root for root in roots):
            return EmissionRefused(
                THREAD_SPENT, f"machines of this peer spoke {self._per_root} times in this thread already"
            )
        for root in roots:
            self._said[root] = self._said.pop(root, 0) + 1
        while len(self._said) > THREADS:
            del self._said[next(iter(self._said))]
        return None

    def cut_off(self, proposal: Proposal) -> EmissionRefused | None:
        """Say why a remix that left its subject may not go out as a root of its own, or None.

        Nobody could tell a row of those from talk without end: nothing in them says what they came from.
        """
        if proposal.fresh not in _MACHINE:
            return None
        if self._cut_off >= self._most_cut_off:
            return EmissionRefused(
                LINEAGE_SPENT,
                f"machines of this peer left their subject {self._most_cut_off} times in a row: "
                "nothing came from outside in between",
            )
        self._cut_off += 1
        return None

    def _from_outside(self) -> None:
        self._cut_off = 0
        self._said.pop(UNRESOLVED, None)

    def undone(self, proposal: Proposal, roots: Iterable[str]) -> None:
        """Take back what a proposal was counted as: it came to nothing."""
        if not proposal.parents:
            self._observed = max(0, self._observed - 1)
        elif proposal.fresh is None and proposal.to is None:
            self._observed += 1
        elif proposal.fresh in _MACHINE:
            for root in roots:
                if self._said.get(root, 0) > 0:
                    self._said[root] -= 1


def _repeats(proposal: Proposal, parents: Sequence[Block]) -> bool:
    """Tell whether every word of a proposal stands in one held parent already, whatever its spelling."""
    words = {_plain(text) for text in proposal.categories.values() if text not in ("", NEUTRAL)}
    return bool(words) and any(
        words <= {_plain(text) for text in parent.said().values()} for parent in parents
    )


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
