"""Where peers can be dialled, told by themselves: two that met at a relay find the LAN they share.

Frame `x-covey-paths`, sealed: `at` tells where the sender itself listens, or answers for who told the sender
so in its own session; `ask` asks for nodeIds the receiver said it knows. Nothing goes further than one hop.

Rules: an address is a hint. It is dialled only where settings and the way it came allow: literal addresses on
networks this machine is on now; this machine's own only from a peer on it. What is beyond them is kept for
its while: of two that plug into one network the first tells one that is not on it yet. A hint ends after a
while, and with it the dialling. An answer names only whom its question named, and counts only where it was
asked for.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from covey import limits
from covey.proto.controls import json_object
from covey.proto.effects import Hint
from covey.proto.link import Lane
from covey.proto.peers import Address, spelled
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn

TOKEN = "x-covey-paths-v1"
FRAME = "x-covey-paths"
TOLD = "direct"
"""The path of an address that its owner told."""
HEARSAY = "peer-info"
"""The path of an address that another peer answered with."""
_TELL = "tell"
_NODE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


@dataclass(frozen=True, slots=True)
class Own:
    """Where this peer listens now, and the networks it is on, as the shell sees them."""

    addresses: tuple[Address, ...] = ()
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A hint for the roster."""

    hint: Hint


@dataclass(frozen=True, slots=True)
class Gone:
    """A hint has ended."""

    source: str
    node_id: str


@dataclass(slots=True)
class _Said:
    """Where somebody listens, in a teller's words, and what of it is dialled from here now."""

    teller: str
    here: bool
    """Whether the teller is on this machine."""
    addresses: tuple[Address, ...]
    hinted: tuple[Address, ...] = ()


class Paths:
    """Tells where we listen, and hints where others do.

    Args:
        own_id: This peer's nodeId.
        room: The room that every peer here has proved.
    """

    name = "paths"
    token: str | None = TOKEN
    frames = frozenset({FRAME})

    def __init__(self, own_id: str, room: str) -> None:
        self._own_id = own_id
        self._room = room
        self._own = Own()
        self._networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
        self._told: dict[str, tuple[Address, ...]] = {}
        self._ever: dict[str, set[str]] = {}
        """The hosts that each peer listed on its present sessions."""
        self._asked: dict[str, set[str]] = {}
        self._lanes: dict[str, Lane] = {}
        self._telling: set[str] = set()
        """Who was told at least one address on its present sessions."""
        self._said: dict[tuple[str, str], _Said] = {}
        """What was told, by source and nodeId, until its time."""

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host

    def started(self, turn: Turn) -> None:
        """Begin to tell, again and again: hints end."""
        self._host.timer(_TELL, turn.now.monotonic + limits.PATHS_TELL_SECONDS)

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Tell a new peer where we listen."""
        self._tell(peer, turn)

    def left(self, peer: Peer, turn: Turn) -> None:
        """Forget what a peer told of itself; a hint it gave stays until its time."""
        for kept in (self._told, self._ever, self._asked, self._lanes):
            kept.pop(peer.node_id, None)
        self._telling.discard(peer.node_id)

    def due(self, whom: str, turn: Turn) -> None:
        """Tell again, or end a hint."""
        if whom == _TELL:
            self._host.timer(_TELL, turn.now.monotonic + limits.PATHS_TELL_SECONDS)
            for peer in self._host.peers():
                self._tell(peer, turn)
            return
        source, _, node_id = whom.partition(" ")
        said = self._said.pop((source, node_id), None)
        if said is not None and said.hinted:
            self._host.want(Gone(source, node_id), turn)

    def told(self, what: object, turn: Turn) -> None:
        """Take where we listen now, and tell everybody: it has changed, or was lost for a moment.

        What others told is weighed again: they may have told it before this machine was on their network.
        """
        if not isinstance(what, Own):
            return
        self._own = what
        self._networks = tuple(ipaddress.ip_network(each) for each in what.networks)
        for peer in self._host.peers():
            self._tell(peer, turn)
        for key, said in self._said.items():
            if self._usable(said) != said.hinted:
                self._weigh(key, said, turn)

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Take addresses, or answer for them."""
        lane = self._lanes.setdefault(peer.node_id, Lane(limits.PATHS_PER_SECOND, limits.PATHS_BURST))
        lane.refill(turn.now.monotonic)
        if lane.wait_seconds() > 0.0:
            turn.count("paths.ignored.too_many")
            return
        lane.tokens -= 1.0
        value = json_object(frame) if len(frame) <= limits.PATHS_FRAME_BYTES else None
        if value is not None and value.keys() == {"type", "ask"} and _is_ids(value["ask"]):
            self._answer(peer, value["ask"], turn)
            return
        entries = _entries(value["at"]) if value is not None and value.keys() == {"type", "at"} else None
        if entries is None:
            turn.count(f"frames.refused.{FRAME}")
            turn.log("warn", "paths-frame-refused", peer=peer.name, node_id=peer.node_id)
            return
        if [node_id for node_id, _ in entries] == [peer.node_id]:
            self._moved(peer, entries[0][1], turn)
            self._hint(peer, TOLD, *entries[0], turn)
            return
        asked = self._asked.pop(peer.node_id, set())
        for node_id, addresses in entries:
            if node_id in asked and node_id != self._own_id:
                self._hint(peer, HEARSAY, node_id, addresses, turn)
            else:
                turn.count("paths.ignored.unasked")

    def ask(self, peer: Peer, node_ids: Sequence[str], turn: Turn) -> None:
        """Ask a peer where those are that it says it knows."""
        if not self._host.speaks(peer) or peer.node_id in self._asked:
            return  # one question at a time; the answer's arrival or the session's end makes room
        wanted = list(node_ids[: limits.PATHS_ASKED])
        if self._host.send(peer.node_id, _frame("ask", wanted), turn):
            self._asked[peer.node_id] = set(wanted)

    # --- below ----------------------------------------------------------------------------------

    def _moved(self, peer: Peer, now: tuple[Address, ...], turn: Turn) -> None:
        """Remember where a peer listens; what it ever listed and does not list now, it has left."""
        listed = {host for host, _ in now}
        ever = self._ever.setdefault(peer.node_id, set())
        left = ever - listed
        if len(ever) < limits.PATHS_ASKED:
            ever |= listed
        self._told[peer.node_id] = now
        if left and self._host.peer(peer.node_id) is not None:
            self._host.moved(peer.node_id, left, turn)

    def _tell(self, peer: Peer, turn: Turn) -> None:
        """Tell a peer where we listen: this machine's own addresses only to a peer on it."""
        here = any(link.loopback for link in peer.links)
        usable = [
            each for each in self._own.addresses if _is_loopback(each) == here or not _is_loopback(each)
        ]
        if usable or peer.node_id in self._telling:  # to list nothing any more says that it was left
            self._telling.add(peer.node_id)
            spelling = [spelled(*each) for each in usable[: limits.CANDIDATE_ADDRESSES]]
            self._host.send(peer.node_id, _frame("at", [[self._own_id, spelling]]), turn)

    def _answer(self, peer: Peer, node_ids: Sequence[str], turn: Turn) -> None:
        """Say where those are that told us themselves, and are here now."""
        known = [
            [node_id, [spelled(*each) for each in self._told[node_id] if not _is_loopback(each)]]
            for node_id in node_ids
            if node_id in self._told and node_id != peer.node_id
        ]
        self._host.send(peer.node_id, _frame("at", known), turn)

    def _hint(
        self, peer: Peer, source: str, node_id: str, addresses: tuple[Address, ...], turn: Turn
    ) -> None:
        told = sum(said.teller == peer.node_id for said in self._said.values())
        known = self._said.get((source, node_id))
        if known is None and told > limits.PATHS_ASKED:
            turn.count("paths.ignored.full")
            return
        here = any(link.loopback for link in peer.links)
        said = _Said(peer.node_id, here, addresses, known.hinted if known is not None else ())
        self._said[source, node_id] = said
        self._host.timer(f"{source} {node_id}", turn.now.monotonic + limits.PATHS_HINT_SECONDS)
        self._weigh((source, node_id), said, turn)
        turn.count("paths.ignored.address", len(addresses) - len(said.hinted))

    def _weigh(self, key: tuple[str, str], said: _Said, turn: Turn) -> None:
        """Hint what of somebody's words can be dialled from here, or that nothing of it can any more."""
        before, said.hinted = said.hinted, self._usable(said)
        source, node_id = key
        if said.hinted:
            turn.count(f"paths.taken.{source}")
            self._host.want(Found(Hint(source, node_id, self._room, "2.0", said.hinted)), turn)
        elif before:
            self._host.want(Gone(source, node_id), turn)

    def _usable(self, said: _Said) -> tuple[Address, ...]:
        return tuple(each for each in said.addresses if self._allowed(each, here=said.here))

    def _allowed(self, address: Address, *, here: bool) -> bool:
        """Tell whether an address may be dialled on the word of a peer, on this machine or elsewhere."""
        if _is_loopback(address):
            return here
        place = ipaddress.ip_address(address[0])
        return any(place.version == each.version and place in each for each in self._networks)


def _entries(listed: object) -> list[tuple[str, tuple[Address, ...]]] | None:
    if not isinstance(listed, list) or len(listed) > limits.PATHS_ASKED:
        return None
    entries = []
    for each in listed:
        if not isinstance(each, list) or len(each) != 2 or not _is_ids(each[:1]):
            return None
        places = list(_places(each[1]))
        if None in places:
            return None
        entries.append((each[0], tuple(place for place in places if place is not None)))
    return entries


def _places(listed: object) -> Iterator[Address | None]:
    """Read literal addresses with ports; None for what is none."""
    if not isinstance(listed, list) or len(listed) > limits.CANDIDATE_ADDRESSES:
        yield None
        return
    for each in listed:
        host, colon, port = (
            each.rpartition(":") if isinstance(each, str) and len(each) <= 64 else ("", "", "")
        )
        whole = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
        try:
            place = ipaddress.ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
        except ValueError:
            yield None
            continue
        # a link-local IPv6 address means nothing without a scope, and a scope means nothing elsewhere
        unfit = place.is_multicast or place.is_unspecified or (place.version == 6 and place.is_link_local)
        fit = colon and 1 <= whole <= 65_535 and not unfit
        yield (str(place), whole) if fit else None


def _is_ids(listed: object) -> bool:
    if not isinstance(listed, list) or len(listed) > limits.PATHS_ASKED:
        return False
    return all(isinstance(each, str) and _NODE_ID.match(each) for each in listed)


def _is_loopback(address: Address) -> bool:
    place = ipaddress.ip_address(address[0].partition("%")[0])
    mapped = getattr(place, "ipv4_mapped", None)
    return bool((mapped or place).is_loopback)


def _frame(member: str, value: object) -> bytes:
    return json.dumps({"type": FRAME, member: value}, separators=(",", ":")).encode()
