"""Which of a peer's relays serve it: of those that are one cluster one at a time, the others in reserve."""

from __future__ import annotations

import re

from covey.proto.relay import frames

_CLUSTER = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_COLLISIONS = (frames.REPLACED, frames.DUPLICATE)


class Reserve:
    """Relays by number, clusters by the name they give in the answer to the WebSocket's request."""

    def __init__(self) -> None:
        self._serving: dict[str, int] = {}
        self._kept: dict[int, str] = {}

    def admit(self, number: int, cluster: str) -> bool:
        """Tell whether a relay that can be reached is to serve us; if not, it is kept in reserve."""
        if not _CLUSTER.fullmatch(cluster):  # a relay by itself, or one that says nonsense: both serve alone
            return True
        if self._serving.setdefault(cluster, number) == number:
            return True
        self._kept[number] = cluster
        return False

    def ended(self, number: int, code: int | None) -> list[int]:
        """Take note of a connection's end; return which relays of its cluster may serve now.

        A collision wakes nobody: to come back by another door of the same relay would go on with the quarrel.
        """
        cluster = next((name for name, held in self._serving.items() if held == number), None)
        if cluster is None or code in _COLLISIONS:
            return []
        del self._serving[cluster]
        woken = [other for other, name in self._kept.items() if name == cluster]
        for other in woken:
            del self._kept[other]
        return woken
