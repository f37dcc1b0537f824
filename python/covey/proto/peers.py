"""Whom we dial, and which of two connections stays. The dial rule stands here and nowhere else.

Between two peers that both listen the smaller nodeId dials; a static address is always dialled, and an
outbound-only peer always dials. Of two sessions for one pair the one whose client is the smaller nodeId
stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import Final

from covey import limits
from covey.proto.effects import Dial, Hint
from covey.proto.link import Link
from covey.proto.timers import Timers
from covey.proto.turn import Turn
from covey.values import dataclass

Address = tuple[str, int]

_STOCK: Final = "stock "
"""Before the nodeId in a stock peer's key: what advertises itself as one never takes a core peer's place."""


def dials(own_id: str, peer_id: str, *, always: bool) -> bool:
    """Tell whether we are the one who dials this peer (MMP 2.0 §5.1)."""
    return always or own_id < peer_id


def stays(own_id: str, peer_id: str, links: Sequence[Link]) -> Link | None:
    """Return the one of several open sessions with a peer that records travel on.

    The client decides between sessions that it opened itself, because only it knows that both live: it
    keeps the first. The server follows: it uses the newest until the client closes one, so that a client
    that crashed and came back is never held off by its own ghost.

    Args:
        links: Open links with the peer, in the order they were authenticated here.
    """
    smaller_is_us = own_id < peer_id
    wanted = [link for link in links if link.inbound != smaller_is_us]
    if wanted:
        return wanted[-1] if wanted[-1].inbound else wanted[0]
    if not links:
        return None
    return links[-1] if links[-1].inbound else links[0]


def standing(own_id: str, peer_id: str, links: Sequence[Link]) -> list[Link]:
    """Return the session that stays on each path to a peer, the best path first.

    TCP comes before relays, relays come in their configured order. Each path keeps one session, so that the
    next best carries on at once when the best is lost (MMP 2.0 §4.6).
    """
    paths: dict[int, list[Link]] = {}
    for link in links:
        paths.setdefault(-1 if link.relay is None else link.relay, []).append(link)
    chosen = [
        stays(own_id, peer_id, paths[path]) if path < 0 else _newest(paths[path]) for path in sorted(paths)
    ]
    return [link for link in chosen if link is not None]


def _newest(links: Sequence[Link]) -> Link:
    """Return the relayed session that stays: the newest, for its client only once the peer has used it."""
    confirmed = [link for link in links if link.inbound or link.told]
    return confirmed[-1] if confirmed else links[0]


def fingerprint(public_key: bytes) -> str:
    """Return the SHA-256 of a raw public key in hex, as `covey fingerprint` prints it."""
    return hashlib.sha256(public_key).hexdigest()


def spelled(host: str, port: int) -> str:
    """Return an address as people write it: an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Tell whether a literal address stays on this machine."""
    return host.startswith("127.") or host in {"::1", "localhost"}


@dataclass(slots=True)
class Candidate:
    """Somebody we may dial: a hinted nodeId, or a static address."""

    key: str
    node_id: str | None
    always: bool
    pin: str | None = None
    """The fingerprint of the only key that may be proved at a static address."""
    misproved: str | None = None
    """The other key that was proved there last; said once for each."""
    stock: bool = False
    """A stock Node peer, by the configuration's word or by how it advertises itself."""
    addresses: dict[str, tuple[Address, ...]] = field(default_factory=dict)
    attempts: int = 0
    """Dials that came to nothing since it was last met, or gave new addresses."""
    place: int = 0
    """Which of its addresses is dialled next: it stays at one that led to it."""
    link: int | None = None
    blocked: str | None = None
    """Why it is not dialled again while this process lives (own nodeId, identity conflict)."""

    def choices(self) -> list[Address]:
        """Return the addresses of all sources, each once, in the order they became known."""
        return list(dict.fromkeys(address for known in self.addresses.values() for address in known))


class Roster:
    """The candidates, and when each is dialled next."""

    def __init__(
        self,
        own_id: str,
        room: str,
        *,
        lan: bool,
        outbound_only: bool,
        timers: Timers,
        legacy: bool = False,
    ) -> None:
        self._own_id = own_id
        self._room = room
        self._lan = lan
        self._outbound_only = outbound_only
        self._legacy = legacy
        self._timers = timers
        self._candidates: dict[str, Candidate] = {}
        self._next_link = 1
        self.closed = False

    def candidate(self, key: str | None) -> Candidate | None:
        """Return a candidate by its key."""
        return self._candidates.get(key) if key is not None else None

    def hinted(self, hint: Hint, turn: Turn) -> str | None:
        """Take a hint; return the candidate's key where it may be worth a dial.

        A hint of another room or protocol, of ourselves, or of an address we may not use is only counted.
        """
        reason = self._unfit(hint)
        if reason is not None:
            turn.count(f"hints.ignored.{reason}")
            return None
        key = _STOCK + hint.node_id if hint.stock else hint.node_id
        found = self._candidates.get(key)
        if found is None:
            if len(self._candidates) >= limits.CANDIDATES:
                turn.count("hints.ignored.full")
                return None
            # a stock peer may not know of us at all, so nobody waits for its dial
            found = Candidate(key, hint.node_id, self._outbound_only or hint.stock, stock=hint.stock)
            self._candidates[key] = found
            turn.count(f"hints.taken.{hint.source}")
        allowed = self._allowed(hint.addresses)
        if found.addresses.get(hint.source) != allowed:
            found.addresses.pop(hint.source, None)
            found.addresses = {hint.source: allowed, **found.addresses}
            self._moved(found, turn)
        return found.key

    def vanished(self, source: str, node_id: str) -> None:
        """Forget what one source said. A candidate nobody vouches for is not dialled again."""
        for key in (node_id, _STOCK + node_id):
            found = self._candidates.get(key)
            if found is None:
                continue
            found.addresses.pop(source, None)
            if not found.addresses and found.link is None:
                self._forget(found)

    def static(self, host: str, port: int, *, stock: bool = False, pin: str | None = None) -> str:
        """Take a static address, always dialled; return its candidate's key."""
        key = spelled(host, port)
        if key not in self._candidates:
            known: dict[str, tuple[Address, ...]] = {"static": ((host, port),)}
            self._candidates[key] = Candidate(key, None, always=True, pin=pin, stock=stock, addresses=known)
        return key

    def expects(self, link: Link, mark: str, turn: Turn) -> bool:
        """Tell whether a key may be proved on a link: at an address with a pinned one, only that."""
        found = self.candidate(link.candidate)
        if found is None or found.pin is None or found.pin == mark:
            link.pinned = found is not None and found.pin is not None
            return True
        if found.misproved != mark:  # it is dialled again, and said again only where the answer changes
            found.misproved = mark
            turn.log("warn", "address-misproved", address=link.address, expected=found.pin, proved=mark)
        return False

    def dial(self, key: str, connected: Iterable[str], turn: Turn) -> Link | None:
        """Dial a candidate now if the rule says so and no session or dial stands; return the new link."""
        found = self._candidates.get(key)
        if found is None or self.closed or found.blocked or found.link is not None:
            return None
        if found.node_id is not None and (found.node_id in connected or self._dialling(found)):
            return None
        choices = found.choices()
        if not choices or (found.node_id and not dials(self._own_id, found.node_id, always=found.always)):
            return None
        host, port = choices[found.place % len(choices)]
        link = Link(self.next_link(), inbound=False, address=spelled(host, port), candidate=key)
        link.path = next(iter(found.addresses))
        found.link = link.id
        self._timers.cancel(("dial", key))
        turn.add(Dial(link.id, host, port, limits.CONNECT_SECONDS))
        turn.count("dials.started")
        return link

    def ended(self, link: Link, *, lived_seconds: float, turn: Turn) -> None:
        """Take note that a dialled link is gone, and plan the next try with jittered backoff."""
        found = self.candidate(link.candidate)
        if found is None or found.link != link.id:
            return
        found.link = None
        if not found.addresses:
            self._forget(found)
            return
        healthy = lived_seconds >= limits.HEALTHY_SECONDS
        found.attempts = 0 if healthy else found.attempts + 1
        found.place += not healthy
        self._plan(found, turn)

    def lost_peer(self, node_id: str, turn: Turn) -> None:
        """Plan a dial to every candidate for a peer whose last session has ended."""
        for found in self._candidates.values():
            if found.node_id == node_id and found.link is None:
                self._plan(found, turn)

    def proven(self, link: Link, node_id: str) -> None:
        """Remember whom a dialled address turned out to be."""
        found = self.candidate(link.candidate)
        if found is not None:
            found.node_id = node_id

    def block(self, link: Link, reason: str) -> None:
        """Never dial this candidate again while the process lives."""
        found = self.candidate(link.candidate)
        if found is not None:
            found.blocked = reason
            self._timers.cancel(("dial", found.key))

    def _moved(self, found: Candidate, turn: Turn) -> None:
        """Try the newest address first, and soon: what failed were addresses of before it restarted."""
        found.attempts = found.place = 0
        planned = self._timers.wanted(("dial", found.key))
        if planned is not None:  # never at once, however often somebody advertises a new address
            soon = turn.now.monotonic + self.backoff(1, turn)
            self._timers.set(("dial", found.key), min(planned, soon))

    def _dialling(self, wanted: Candidate) -> bool:
        """Tell whether another candidate with the same nodeId is being dialled on the same wire."""
        others = (c for c in self._candidates.values() if c.node_id == wanted.node_id and c is not wanted)
        return any(other.link is not None and other.stock == wanted.stock for other in others)

    def next_link(self) -> int:
        """Return the number of a new link of ours; accepted connections have even ones."""
        self._next_link += 2
        return self._next_link - 2

    def backoff(self, attempts: int, turn: Turn) -> float:
        """Return the jittered seconds to wait after that many tries, one at least."""
        delay = min(limits.REDIAL_FIRST_SECONDS * 2.0 ** (attempts - 1), limits.REDIAL_LAST_SECONDS)
        return delay * (1.0 + limits.REDIAL_JITTER * turn.jitter())

    def _plan(self, found: Candidate, turn: Turn) -> None:
        """Dial the next address soon; only a round of all of them that failed is waited out, ever longer.

        A host has addresses that do not lead to it from here: were each failure of one waited out alike, the
        one that does would have its next turn after minutes.
        """
        if self.closed or found.blocked:
            return
        rounds, within = divmod(found.attempts, max(1, len(found.choices())))
        delay = self.backoff(1 if within or not rounds else rounds, turn)
        self._timers.set(("dial", found.key), turn.now.monotonic + delay)

    def _unfit(self, hint: Hint) -> str | None:
        if hint.node_id == self._own_id:
            return "self"
        if hint.room != self._room:
            return "room"
        if hint.stock:
            return "address" if not self._allowed(hint.addresses) else None if self._legacy else "stock"
        if "2.0" not in (version.strip() for version in hint.mmp.split(",")):
            return "version"
        return None if self._allowed(hint.addresses) else "address"

    def _allowed(self, addresses: tuple[Address, ...]) -> tuple[Address, ...]:
        """Keep the addresses we may dial on a hint: without `lan` only this machine's own."""
        kept = addresses if self._lan else tuple(a for a in addresses if is_loopback(a[0]))
        return kept[: limits.CANDIDATE_ADDRESSES]

    def _forget(self, found: Candidate) -> None:
        self._timers.cancel(("dial", found.key))
        self._candidates.pop(found.key, None)
