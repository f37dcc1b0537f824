"""Who may move blocks where no anchor is pinned; a room of its own, since it is what most peers have."""

from __future__ import annotations

from covey.model import LifecycleMove, Ruling
from covey.proto.authority import rights


class Unanchored:
    """Who may move blocks where no anchor is pinned: nobody (§6.6.1)."""

    def may(self, move: LifecycleMove, node_id: str) -> Ruling:
        """Say no, and why."""
        return rights.ruling(move, "none", anchored=False)

    def validators(self) -> tuple[str, ...]:
        """Return nobody."""
        return ()
