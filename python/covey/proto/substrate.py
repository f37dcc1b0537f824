"""Bundles from peer to peer: offered to whom their owner names, and pulled by whoever wants one.

Rules: both sides consent, each by an act of its operator. An offer says digest, size and contributor, to the
named peers only; a pull is answered part by part, as it is asked for, so that the receiver sets the pace.
What is not offered to a peer and what does not exist are refused with one word. What came is held against the
digest that was asked for, and handed on as bytes: nothing here reads, merges or keeps a bundle.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.proto.controls import json_object
from covey.proto.link import Lane
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn

TOKEN: Final = "x-covey-substrate-v1"
FRAME: Final = "x-covey-substrate"
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_CONTRIBUTOR: Final = re.compile(r"[A-Za-z0-9.\-][A-Za-z0-9_.\-]{0,127}")
_NOT: Final = ("unknown", "busy")


@dataclass(frozen=True, slots=True)
class BundleOffer:
    """A bundle that somebody may have: its digest, whose learning it is, and its size in bytes."""

    digest: str
    contributor: str
    size: int


# --- what the shell says, and what it is asked ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offering:
    """What is offered from now on, each with the fingerprints (of old, nodeIds) it is offered to."""

    offers: Sequence[tuple[BundleOffer, frozenset[str]]] = ()


@dataclass(frozen=True, slots=True)
class PullWish:
    """The operator wants this bundle of that peer; answered by `Pulled` or `PullFailed` of the same token."""

    token: int
    node_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class PartRead:
    """The answer to `ReadPart`; `data` None where it could not be read."""

    node_id: str
    digest: str
    at: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class ReadPart:
    """Read one part of an offered bundle for a peer."""

    node_id: str
    digest: str
    at: int


@dataclass(frozen=True, slots=True)
class Pulled:
    """A bundle came whole, and is what was asked for. It is nobody's yet: unread, unverified, unmerged."""

    token: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class PullFailed:
    """A bundle did not come: not_here, unknown, busy, gone, late, wrong, or too many under way."""

    token: int
    reason: str


@dataclass(frozen=True, slots=True)
class HeardOffers:
    """What a peer offers now, in place of what it offered before."""

    node_id: str
    name: str
    offers: tuple[BundleOffer, ...]


@dataclass(slots=True)
class _Pull:
    token: int
    node_id: str
    digest: str
    size: int | None = None
    data: bytearray = field(default_factory=bytearray)


class SubstrateExchange:
    """Both ends of giving a bundle away."""

    name = "substrate"
    token: str | None = TOKEN
    frames = frozenset({FRAME})

    def __init__(self) -> None:
        self._offers: dict[str, tuple[BundleOffer, frozenset[str]]] = {}
        self._heard: dict[str, int] = {}
        self._pulls: dict[str, _Pull] = {}
        self._lanes: dict[str, Lane] = {}

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host

    def started(self, turn: Turn) -> None:
        """Begin; what is offered comes as `Offering`."""

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Tell a peer what it is offered, where it is offered anything."""
        if mine := self._of(peer):
            self._tell(peer.node_id, mine, turn)

    def left(self, peer: Peer, turn: Turn) -> None:
        """End what was under way with a peer."""
        self._lanes.pop(peer.node_id, None)
        if self._heard.pop(peer.node_id, 0):
            self._host.want(HeardOffers(peer.node_id, peer.name, ()), turn)
        for pull in [each for each in self._pulls.values() if each.node_id == peer.node_id]:
            self._failed(pull, "gone", turn)

    def due(self, whom: str, turn: Turn) -> None:
        """Give a pull up that has waited for a part too long."""
        pull = self._pulls.get(whom)
        if pull is not None:
            self._failed(pull, "late", turn)

    def told(self, what: object, turn: Turn) -> None:
        """Take offers, a wish, or a part that was read."""
        if isinstance(what, Offering):
            before = [(peer, self._of(peer)) for peer in self._host.peers()]
            self._offers = {offer.digest: (offer, to) for offer, to in what.offers}
            for peer, was in before:
                if (now := self._of(peer)) != was:
                    self._tell(peer.node_id, now, turn)
        elif isinstance(what, PullWish):
            self._begin(what, turn)
        elif isinstance(what, PartRead):
            self._give(what, turn)

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Read one frame; what is none of ours is counted."""
        value = json_object(frame)
        acts = {"offers": self._offered, "pull": self._asked, "part": self._part, "none": self._none}
        act = acts.get(str(value.get("op"))) if value is not None else None
        if value is None or act is None or not act(peer, value, turn):
            turn.count(f"frames.refused.{FRAME}")
            turn.log("warn", "substrate-frame-refused", peer=peer.name, node_id=peer.node_id)

    # --- giving ---------------------------------------------------------------------------------

    def _of(self, peer: Peer) -> tuple[BundleOffer, ...]:
        return tuple(offer for _, (offer, to) in sorted(self._offers.items()) if _named(peer, to))

    def _tell(self, node_id: str, offers: Sequence[BundleOffer], turn: Turn) -> None:
        listed = [[each.digest, each.contributor, each.size] for each in offers]
        self._host.send(node_id, _frame(op="offers", offers=listed), turn)

    def _asked(self, peer: Peer, value: Mapping[str, Any], turn: Turn) -> bool:
        if value.keys() != {"type", "op", "digest", "at"} or not _is_digest(value["digest"]):
            return False
        at = value["at"]
        if type(at) is not int or not 0 <= at < limits.BUNDLE_BYTES or at % limits.PULL_PART_BYTES:
            return False
        digest = value["digest"]
        offer, to = self._offers.get(digest, (None, frozenset[str]()))
        if offer is None or not _named(peer, to) or at >= offer.size:
            turn.count("substrate.refused.unknown")
            self._host.send(peer.node_id, _frame(op="none", digest=digest, reason="unknown"), turn)
            return True
        lane = self._lanes.setdefault(
            peer.node_id, Lane(limits.PULL_SERVED_PER_SECOND, limits.PULL_SERVED_BURST)
        )
        lane.refill(turn.now.monotonic)
        if lane.wait_seconds() > 0.0:
            turn.count("substrate.refused.busy")
            self._host.send(peer.node_id, _frame(op="none", digest=digest, reason="busy"), turn)
            return True
        lane.tokens -= 1.0
        turn.count("substrate.parts_asked")
        self._host.want(ReadPart(peer.node_id, digest, at), turn)
        return True

    def _give(self, part: PartRead, turn: Turn) -> None:
        offer, to = self._offers.get(part.digest, (None, frozenset[str]()))
        peer = self._host.peer(part.node_id)
        # it left, or it was withdrawn meanwhile, or lost
        if offer is None or peer is None or not _named(peer, to) or part.data is None:
            self._host.send(part.node_id, _frame(op="none", digest=part.digest, reason="unknown"), turn)
            return
        data = base64.b64encode(part.data).decode()
        said = {"digest": part.digest, "at": part.at, "size": offer.size, "data": data}
        self._host.send(part.node_id, _frame(op="part", **said), turn)
        if part.at + len(part.data) >= offer.size:
            turn.log("info", "substrate-given", node_id=part.node_id, digest=part.digest)

    # --- taking ---------------------------------------------------------------------------------

    def _offered(self, peer: Peer, value: Mapping[str, Any], turn: Turn) -> bool:
        listed = value.get("offers")
        if value.keys() != {"type", "op", "offers"} or not isinstance(listed, list):
            return False
        if len(listed) > limits.OFFERS or not all(map(_is_offer, listed)):
            return False
        others = sum(self._heard.values()) - self._heard.get(peer.node_id, 0)
        if others + len(listed) > limits.OFFERS_HEARD:
            turn.count("substrate.offers_unheard")
            return True
        self._heard[peer.node_id] = len(listed)
        offers = tuple(BundleOffer(*each) for each in listed)
        turn.log("info", "substrate-offered", peer=peer.name, node_id=peer.node_id, offers=len(offers))
        self._host.want(HeardOffers(peer.node_id, peer.name, offers), turn)
        return True

    def _begin(self, wish: PullWish, turn: Turn) -> None:
        pull = _Pull(wish.token, wish.node_id, wish.digest)
        if len(self._pulls) >= limits.PULLS or wish.digest in self._pulls:
            self._host.want(PullFailed(wish.token, "too_many"), turn)
        elif self._host.peer(wish.node_id) is None:
            self._host.want(PullFailed(wish.token, "not_here"), turn)
        else:
            self._pulls[wish.digest] = pull
            self._next(pull, turn)

    def _next(self, pull: _Pull, turn: Turn) -> None:
        self._host.timer(pull.digest, turn.now.monotonic + limits.PULL_SECONDS)
        self._host.send(pull.node_id, _frame(op="pull", digest=pull.digest, at=len(pull.data)), turn)

    def _part(self, peer: Peer, value: Mapping[str, Any], turn: Turn) -> bool:
        if value.keys() != {"type", "op", "digest", "at", "size", "data"}:
            return False
        pull = self._pulls.get(value["digest"]) if _is_digest(value["digest"]) else None
        if pull is None or pull.node_id != peer.node_id or value["at"] != len(pull.data):
            turn.count("substrate.parts_unasked")
            return True
        data, size = _decoded(value["data"]), value["size"]
        fits = type(size) is int and 0 < size <= limits.BUNDLE_BYTES and size == (pull.size or size)
        if not data or not fits or len(pull.data) + len(data) > size:
            self._failed(pull, "wrong", turn)
            return False
        pull.size = size
        pull.data += data
        if len(pull.data) < size:
            self._next(pull, turn)
        elif hashlib.sha256(pull.data).hexdigest() != pull.digest:
            self._failed(pull, "wrong", turn)
        else:
            self._end(pull)
            turn.count("substrate.pulled")
            self._host.want(Pulled(pull.token, bytes(pull.data)), turn)
        return True

    def _none(self, peer: Peer, value: Mapping[str, Any], turn: Turn) -> bool:
        if value.keys() != {"type", "op", "digest", "reason"} or value["reason"] not in _NOT:
            return False
        pull = self._pulls.get(value["digest"]) if _is_digest(value["digest"]) else None
        if pull is not None and pull.node_id == peer.node_id:
            self._failed(pull, value["reason"], turn)
        return True

    def _failed(self, pull: _Pull, reason: str, turn: Turn) -> None:
        self._end(pull)
        turn.count(f"substrate.failed.{reason}")
        turn.log("warn", "substrate-not-pulled", node_id=pull.node_id, digest=pull.digest, reason=reason)
        self._host.want(PullFailed(pull.token, reason), turn)

    def _end(self, pull: _Pull) -> None:
        del self._pulls[pull.digest]
        self._host.cancel(pull.digest)


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _is_offer(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and _is_digest(value[0])
        and isinstance(value[1], str)
        and _CONTRIBUTOR.fullmatch(value[1]) is not None
        and type(value[2]) is int
        and 0 < value[2] <= limits.BUNDLE_BYTES
    )


def _decoded(value: object) -> bytes | None:
    if not isinstance(value, str) or len(value) > 2 * limits.PULL_PART_BYTES:
        return None
    try:
        return base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        return None


def _frame(**members: object) -> bytes:
    return json.dumps({"type": FRAME, **members}, separators=(",", ":")).encode()


def _named(peer: Peer, to: frozenset[str]) -> bool:
    """Tell whether an offer is to a peer: to the key it proved, or to its nodeId, as offers of old say."""
    return peer.fingerprint in to or peer.node_id in to
