"""Whether shared state converges: per scope and peer, how it stands, since when it differs, when to worry.

Rules: pure; what stands and what time it is comes in. Peers that are away differ, and are no alarm: they
catch up when they come. One that is here, and differs for longer than the bound, is one alarm, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Lag:
    """How one peer stands to one scope.

    `equal` is whether both hold the same state, by hash. `behind` are operations this peer lacks, `ahead`
    those the other does. `synced_ms` is when the other last said where it stands (None: never), `since_ms`
    when they began to differ, `alarm` that it has been so for too long while the peer is here.
    """

    scope: str
    node_id: str
    name: str | None
    here: bool
    state: str
    equal: bool
    behind: int
    ahead: int
    synced_ms: int | None
    since_ms: int | None
    alarm: bool


class Convergence:
    """Follows how scopes stand over time.

    Args:
        after_ms: How long a peer that is here may differ.
    """

    def __init__(self, after_ms: int) -> None:
        self.after_ms = after_ms
        self._since: dict[tuple[str, str], int] = {}
        self._together: dict[tuple[str, str], int] = {}
        """Since when who differs is here too: a partition's time counts for no alarm."""
        self._told: set[tuple[str, str]] = set()

    def look(self, scopes: Sequence[Mapping[str, Any]], now_ms: int) -> tuple[list[Lag], list[Lag]]:
        """Take how everything stands now.

        Args:
            scopes: As `covey.runtime.state.SharedState.status()["scopes"]` has them.
            now_ms: Wall clock.

        Returns:
            All, and of them those whose alarm is new.
        """
        found = [self._lag(str(scope["scope"]), peer, now_ms) for scope in scopes for peer in scope["peers"]]
        seen = {(each.scope, each.node_id) for each in found}
        self._since = {place: at for place, at in self._since.items() if place in seen}
        self._together = {place: at for place, at in self._together.items() if place in seen}
        alarmed = {(each.scope, each.node_id) for each in found if each.alarm}
        fresh = [each for each in found if each.alarm and (each.scope, each.node_id) not in self._told]
        self._told = alarmed
        return found, fresh

    def _lag(self, scope: str, peer: Mapping[str, Any], now_ms: int) -> Lag:
        place = (scope, str(peer["node_id"]))
        equal = peer["state"] == "equal"
        if equal:
            self._since.pop(place, None)
        elif peer["here"] or place in self._since:
            self._since.setdefault(place, now_ms)
        since = self._since.get(place)
        if equal or not peer["here"]:
            self._together.pop(place, None)
            late = False
        else:
            late = now_ms - self._together.setdefault(place, now_ms) > self.after_ms
        return Lag(
            scope=scope,
            node_id=place[1],
            name=peer["name"],
            here=bool(peer["here"]),
            state=str(peer["state"]),
            equal=equal,
            behind=int(peer["behind"]),
            ahead=int(peer["ahead"]),
            synced_ms=peer["said_ms"],
            since_ms=since,
            alarm=late,
        )
