"""How every peer stands to a scope: equal, behind by so much, diverged since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from covey.proto.link import Peer
    from covey.proto.state.held import Held


def standings(held: Held, here: Sequence[Peer], authors: Mapping[str, str]) -> dict[str, object]:
    """Return what a scope holds, and for each peer that speaks of it how it stood when it last said so.

    `behind` counts operations that the peer has and this one lacks, `ahead` the other way.
    """
    present = {peer.node_id: peer.name for peer in here}
    may = {node for node in present if held.scope.holder(authors.get(node, ""))}
    return {
        "scope": held.scope.name,
        "writer": held.scope.owner or None,
        "entries": len(held.map),
        "tombstones": held.map.tombstones,
        "bytes": held.map.size_bytes,
        "hash": held.map.state_hash.hex(),
        "seen": held.map.seen.entries,
        "peers": [_stands(held, node, present.get(node)) for node in sorted({*held.told, *may})],
    }


def _stands(held: Held, node_id: str, name: str | None) -> dict[str, object]:
    told = held.told.get(node_id)
    facts: dict[str, object] = {"node_id": node_id, "name": name, "here": name is not None}
    if told is None:
        return facts | {
            "state": "unknown",
            "behind": 0,
            "ahead": 0,
            "said_ms": None,
            "diverged_since_ms": None,
        }
    standing = held.map.standing_of(told.digest)
    if standing.diverged:
        state = "diverged"
    elif standing.reset:
        state = "reset"
    else:
        state = "equal" if not standing.behind and not standing.ahead else "apart"
        state = "behind" if standing.behind and not standing.ahead else state
        state = "ahead" if standing.ahead and not standing.behind else state
    return facts | {
        "state": state,
        "behind": standing.behind,
        "ahead": standing.ahead,
        "said_ms": told.at_ms,
        "diverged_since_ms": held.diverged.get(node_id),
    }
