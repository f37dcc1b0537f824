"""What peers tell of each other: `peer-info` (MMP 2.0 §5.6), and why a `wake-channel` is declined (§5.7).

Rules: what a third party says is a hint. It never makes a peer, pins no key and is not passed on: a peer is
told only of those that have proved themselves here. Frames are bounded and paced; what is beyond is counted.

covey has no account with a push service, so it can wake nobody: a wake channel is read under its schema,
refused with that reason, and not kept. A push token that nobody here can use is only something to lose.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from covey import limits
from covey.proto.controls import json_object
from covey.proto.link import Lane
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn

PEER_INFO = "peer-info"
WAKE_CHANNEL = "wake-channel"
_T = TypeVar("_T")
_NODE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


@dataclass(frozen=True, slots=True)
class Heard:
    """Somebody a peer knows of, in that peer's words; `last_seen_ms` is by its clock."""

    node_id: str
    name: str
    last_seen_ms: int
    teller: str


class Gossip:
    """Tells who is here, and remembers who is said to be elsewhere.

    Args:
        own_id: This peer's nodeId.
        heard_of: Called with a proven peer and the nodeIds it knows of that are not here.
    """

    name = "gossip"
    token: str | None = None
    frames = frozenset({PEER_INFO, WAKE_CHANNEL})

    def __init__(self, own_id: str, heard_of: Callable[[Peer, list[str], Turn], None] | None = None) -> None:
        self._own_id = own_id
        self._heard_of = heard_of
        self._heard: OrderedDict[str, Heard] = OrderedDict()
        self._lanes: OrderedDict[str, Lane] = OrderedDict()
        self._told_at: OrderedDict[str, float] = OrderedDict()
        self._declined: OrderedDict[str, None] = OrderedDict()

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host

    def started(self, turn: Turn) -> None:
        """Begin; nothing is restored: who is there is asked anew."""

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Tell a new peer who else is here; one that comes and goes hears it once in a while."""
        now = turn.now.monotonic
        self._heard.pop(peer.node_id, None)
        told = self._told_at.get(peer.node_id)
        if told is not None and now < told + limits.PEER_INFO_SECONDS:
            return
        _remember(self._told_at, peer.node_id, now)
        others = [other for other in self._host.peers() if other.node_id != peer.node_id]
        if not others:
            return
        newest = sorted(others, key=lambda other: -other.since_ms)[: limits.PEER_INFO_TOLD]
        listed = [
            {"nodeId": each.node_id, "name": each.name, "lastSeen": turn.now.wall_ms} for each in newest
        ]
        self._host.send(peer.node_id, _json({"type": PEER_INFO, "peers": listed}), turn)

    def left(self, peer: Peer, turn: Turn) -> None:
        """Forget what a peer told: nobody stands for it any more."""
        for node_id in [each.node_id for each in self._heard.values() if each.teller == peer.node_id]:
            del self._heard[node_id]

    def due(self, whom: str, turn: Turn) -> None:
        """Nothing here waits for a time."""

    def told(self, what: object, turn: Turn) -> None:
        """Nothing is asked of the shell."""

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Take hints, or decline a wake channel. The session has checked the schema of both."""
        if kind == WAKE_CHANNEL:
            self._decline(peer, turn)
            return
        lane = _remember(self._lanes, peer.node_id, self._lanes.get(peer.node_id) or _pace())
        lane.refill(turn.now.monotonic)
        if lane.wait_seconds() > 0.0:
            turn.count("gossip.ignored.too_many")
            return
        lane.tokens -= 1.0
        value = json_object(frame)
        listed = value.get("peers") if value is not None else None
        if not isinstance(listed, list):
            turn.count("frames.refused.peer-info")
            return
        turn.count("gossip.ignored.beyond_bound", max(0, len(listed) - limits.PEER_INFO_READ))
        self._take(peer, listed[: limits.PEER_INFO_READ], turn)

    def heard_of(self) -> list[Heard]:
        """Return who is said to be somewhere and is not here, the newest word last."""
        return list(self._heard.values())

    # --- below ----------------------------------------------------------------------------------

    def _take(self, peer: Peer, listed: list[object], turn: Turn) -> None:
        new: list[str] = []
        for each in listed:
            hint = _read(each, peer.node_id)
            if hint is None or hint.node_id == self._own_id:
                turn.count("gossip.ignored.unfit")
                continue
            if self._host.peer(hint.node_id) is not None:
                continue  # it speaks for itself
            known = self._heard.get(hint.node_id)
            if known is not None and known.teller != peer.node_id:
                continue  # the first who told stays, so that nobody crowds out another's words
            _remember(self._heard, hint.node_id, hint)
            new.append(hint.node_id)
        turn.count("gossip.taken", len(new))
        if new and self._heard_of is not None:
            self._heard_of(peer, new, turn)

    def _decline(self, peer: Peer, turn: Turn) -> None:
        turn.count("wake.refused.no_push_service")
        if peer.node_id not in self._declined:
            _remember(self._declined, peer.node_id, None)
            turn.log("info", "wake-channel-refused", peer=peer.name, reason="no_push_service")


def _read(each: object, teller: str) -> Heard | None:
    if not isinstance(each, dict):
        return None
    node_id, name, seen = each.get("nodeId"), each.get("name"), each.get("lastSeen")
    if not isinstance(node_id, str) or not _NODE_ID.match(node_id):
        return None
    if not isinstance(name, str) or type(seen) is not int:
        return None
    return Heard(node_id, name[: limits.PEER_NAME_BYTES], seen, teller)


def _pace() -> Lane:
    return Lane(1.0 / limits.PEER_INFO_SECONDS, limits.PEER_INFO_BURST)


def _remember(kept: OrderedDict[str, _T], key: str, value: _T) -> _T:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > limits.PEER_INFO_KEPT:
        kept.popitem(last=False)
    return value


def _json(value: dict[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
