"""Sessions through relays: who begins them, which frame belongs to which, when one is given up (§5.2.2).

A relay carries frames between nodeIds, not connections, so the links here are made and found by what frames
say of themselves: hellos by their sender, sealed frames by their session. The smaller nodeId dials, as on
TCP. What a relay says is a hint: a peer exists once its session proves it.

In a legacy room a stock peer is met by the handshake it says first. While both stay it never says another, so
that one is kept. A handshake of the core's goes on beside it: who proves a nodeId ends who claimed it.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from covey import _core, limits
from covey.proto.effects import Collided, LinkOpened, Relayed, RelaySend
from covey.proto.link import Lane, Link
from covey.proto.peers import Roster, dials
from covey.proto.relay import told as relay
from covey.proto.timers import Timers
from covey.proto.turn import Turn

if TYPE_CHECKING:
    from covey.proto.sessions import Sessions

Key = tuple[int, str]
"""Which relay, which nodeId."""

_SEALED = ("cmb-encrypted", "control-encrypted")
_CLEAR = ("ping", "pong", "error")
_SESSION = re.compile(r"session:([0-9a-f]{32})")
_UNKNOWN_SESSION = 1011


class RelayPaths:
    """Every session through a relay.

    Args:
        own_id: This peer's nodeId.
        labels: The relays' addresses, in the order of preference.
        hear: Acts on what a session said.
        lose: Forgets a link that is gone.
    """

    def __init__(
        self,
        own_id: str,
        labels: Sequence[str],
        *,
        sessions: Sessions,
        roster: Roster,
        timers: Timers,
        hear: Callable[[Link, Iterable[Any], Turn], None],
        lose: Callable[[int, str, Turn], None],
    ) -> None:
        self._own_id = own_id
        self._labels = tuple(labels)
        self._sessions = sessions
        self._roster = roster
        self._timers = timers
        self._hear = hear
        self._lose = lose
        self._here: set[Key] = set()
        self._links: dict[Key, list[Link]] = {}
        self._attempts: dict[Key, int] = {}
        self._blocked: set[str] = set()
        self._full: set[int] = set()
        self._answered: OrderedDict[Key, float] = OrderedDict()
        self._answers = Lane(limits.UNKNOWN_SESSION_PER_SECOND, limits.UNKNOWN_SESSION_BURST)
        self._stock: dict[Key, bytes] = {}
        """In a legacy room: the handshakes of stock peers that are here."""

    def take(self, event: Relayed, turn: Turn) -> None:
        """Take what one relay says."""
        said, at = event.said, event.relay
        if isinstance(said, relay.Arrived):
            self._arrived(at, said, turn)
        elif isinstance(said, relay.Presence):
            self._presence((at, said.node_id), said, turn)
        elif isinstance(said, relay.Undelivered):
            turn.count(f"relay.undelivered.{said.why}")
            self._drop((at, said.node_id), f"relay: {said.why}", turn)
        elif isinstance(said, relay.Pace):
            self._pace(at, said.full, turn)
        elif isinstance(said, relay.Collision):
            turn.add(Collided("another process was at this relay first, under this peer's nodeId"))
        elif not said.here:
            self._gone(at, turn)

    def ended(self, link: Link, turn: Turn) -> None:
        """Take note that a link is gone, and plan the next one where we dial."""
        if link.relay is None:
            return
        key = (link.relay, link.remote)
        links = self._links.get(key, [])
        if link in links:
            links.remove(link)
        if not links:
            self._links.pop(key, None)
        if link.why == "identity_conflict":
            self._blocked.add(link.remote)
        if link.told and turn.now.monotonic - link.opened_at >= limits.HEALTHY_SECONDS:
            self._attempts.pop(key, None)
        if link.stock and (link.node_id is None or link.why == "claim_disproved"):
            self._stock.pop(key, None)
        elif link.stock or not link.inbound:
            self._plan(key, turn)

    def block(self, link: Link) -> None:
        """Never dial this node again through a relay while the process lives."""
        if link.relay is not None:
            self._blocked.add(link.remote)

    def due(self, whom: str, turn: Turn) -> None:
        """Dial a peer whose time has come, unless a session with it stands and is not doubted."""
        at, _, node_id = whom.partition(" ")
        self._dial((int(at), node_id), turn)

    def unconfirmed(self, link: Link, turn: Turn) -> None:
        """Give up a session on which the peer has sealed nothing: it may be a ghost's; an older one stays."""
        turn.count("relay.unconfirmed")
        self._sessions.end(link, "unconfirmed-by-peer", turn)

    # --- presence -------------------------------------------------------------------------------

    def _presence(self, key: Key, said: relay.Presence, turn: Turn) -> None:
        if not said.online:
            self._here.discard(key)
            self._stock.pop(key, None)
            self._timers.cancel(_timer(key))
            self._attempts.pop(key, None)
            self._drop(key, "left the relay", turn)
            return
        self._here.add(key)
        if said.again and self._stock.pop(key, None) is not None:
            self._drop(key, "came again", turn)  # a new process says its handshake anew
        opened = self._open(key)
        if not opened:
            self._dial(key, turn)
        elif said.again and opened[-1].speaking is not None:
            # it came although it had not left: if it is a new process, it will not know our session
            self._sessions.probe(opened[-1], turn)

    def _gone(self, at: int, turn: Turn) -> None:
        """Forget everything through a relay that is gone."""
        self._full.discard(at)
        for key in [key for key in self._here if key[0] == at]:
            self._here.discard(key)
            self._stock.pop(key, None)
            self._attempts.pop(key, None)
            self._timers.cancel(_timer(key))
        for key in [key for key in self._links if key[0] == at]:
            self._drop(key, "relay lost", turn)

    def _drop(self, key: Key, why: str, turn: Turn) -> None:
        """Lose every session with a node at a relay: what was sealed for them may not have arrived."""
        for link in tuple(self._links.get(key, ())):
            self._lose(link.id, why, turn)

    def _pace(self, at: int, full: bool, turn: Turn) -> None:
        (self._full.add if full else self._full.discard)(at)
        for key, links in tuple(self._links.items()):
            for link in tuple(links) if key[0] == at else ():
                self._sessions.flow.full(link, full, turn)

    # --- frames ---------------------------------------------------------------------------------

    def _arrived(self, at: int, said: relay.Arrived, turn: Turn) -> None:
        key = (at, said.node_id)
        if self._sessions.closed:
            turn.count("relay.late")
        elif said.kind == "client-hello":
            self._hello(key, said.frame, turn)
        elif said.kind == "handshake" and self._sessions.takes_stock:
            self._handshake(key, said.frame, turn)
        elif said.kind == "error":
            self._error(key, said.frame, turn)
        else:
            link = self._find(key, said)
            if link is not None:
                self._feed(link, said.frame, turn)
            elif said.kind in _SEALED or said.kind == "ping":
                self._unknown(key, said.session_id, turn)
            else:
                turn.count("relay.ignored")

    def _hello(self, key: Key, frame: bytes, turn: Turn) -> None:
        if dials(self._own_id, key[1], always=False):
            turn.count("relay.hello_unexpected")  # we dial this node; two dials would race
            return
        for link in [link for link in self._links.get(key, ()) if link.state == "handshake"]:
            self._lose(link.id, "begun again", turn)
        self._feed(self._begin(key, turn, inbound=True), frame, turn)

    def _handshake(self, key: Key, frame: bytes, turn: Turn) -> None:
        """Meet a stock peer by its handshake; on a connection that stands another one changes nothing."""
        line = self._line(key)
        if line is not None:
            self._feed(line, frame, turn)
        elif key not in self._here or len(frame) > limits.HANDSHAKE_FRAME_BYTES:
            turn.count("relay.ignored")
        elif key not in self._stock and len(self._stock) >= limits.RELAY_STOCK_PEERS:
            turn.count("relay.stock.full")
        else:
            self._stock[key] = frame
            self._meet(key, turn)

    def _meet(self, key: Key, turn: Turn) -> None:
        self._feed(self._begin(key, turn, inbound=True, stock=True), self._stock[key], turn)

    def _line(self, key: Key) -> Link | None:
        """Return the open connection with a stock peer, if there is one."""
        return next((link for link in self._open(key) if link.stock), None)

    def _find(self, key: Key, said: relay.Arrived) -> Link | None:
        """Return the link a frame belongs to."""
        links = self._links.get(key, ())
        if said.kind in ("server-hello", "client-finish"):
            wanted = said.kind == "client-finish"
            return next((n for n in links if n.state == "handshake" and n.inbound == wanted), None)
        opened = self._open(key)
        if said.kind in _SEALED:
            return next((n for n in opened if not n.stock and _names(n) == said.session_id), None)
        line = self._line(key)
        if line is not None:
            return line
        return opened[-1] if opened and said.kind in _CLEAR else None

    def _feed(self, link: Link, frame: bytes, turn: Turn) -> None:
        session = link.session
        if session is None or link.closing:
            return
        if len(link.waiting) >= limits.RELAY_WAITING_BATCHES:
            # a relay has one reading for all of its peers, so one peer's is not paused: it is ended
            self._sessions.end(
                link, "too_fast", turn, code=1010, message="records come too fast to be judged"
            )
            return
        link.heard_at = turn.now.monotonic
        turn.count("bytes.in", len(frame))
        events = session.receive_message(frame)
        confirms = not link.stock and not link.told and any(_is_sealed(said) for said in events)
        link.told = link.told or link.stock or confirms
        self._hear(link, events, turn)
        self._sessions.touch(link)
        if link.state != "open":
            return
        if confirms:
            self._timers.cancel(("confirm", link.id))
            peer = self._sessions.peers.get(link.node_id or "")
            if peer is not None:
                self._sessions.elect(peer, turn)
        elif not link.inbound and not link.told and self._timers.wanted(("confirm", link.id)) is None:
            self._timers.set(("confirm", link.id), turn.now.monotonic + limits.HANDSHAKE_SECONDS)

    def _error(self, key: Key, frame: bytes, turn: Turn) -> None:
        """Act on the one clear error that counts: the peer does not know a session we hold as its client."""
        session_id = _unknown_session(frame)
        held = [link for link in self._open(key) if not link.inbound and _names(link) == session_id]
        dialling = any(link.state == "handshake" for link in self._links.get(key, ()))
        if not held or dialling or held[0] is not self._open(key)[-1]:
            turn.count("relay.errors.ignored")
            return
        turn.count("relay.sessions.unknown_to_peer")
        held[0].doubted = True
        self._plan(key, turn)

    def _unknown(self, key: Key, session_id: str | None, turn: Turn) -> None:
        """Tell a peer that we do not know its session; so seldom that nobody can be flooded by it."""
        now = turn.now.monotonic
        self._answers.refill(now)
        last = self._answered.get(key)
        if self._answers.wait_seconds() > 0.0 or (last is not None and now < last + 1.0):
            turn.count("relay.unknown_session.unanswered")
            return
        self._answers.tokens -= 1.0
        self._answered[key] = now
        self._answered.move_to_end(key)
        if len(self._answered) > limits.UNKNOWN_SESSION_ASKERS:
            self._answered.popitem(last=False)
        said: dict[str, Any] = {"type": "error", "code": _UNKNOWN_SESSION, "message": "unknown session"}
        if session_id is not None and _SESSION.fullmatch(f"session:{session_id}"):
            said["detail"] = f"session:{session_id}"
        turn.count("relay.unknown_session.answered")
        turn.add(RelaySend(*key, json.dumps(said, separators=(",", ":")).encode()))

    # --- dialling -------------------------------------------------------------------------------

    def _dial(self, key: Key, turn: Turn) -> None:
        links = self._links.get(key, ())
        standing = any(link.state == "handshake" or not link.doubted for link in links)
        if standing or self._sessions.closed or key not in self._here or key[1] in self._blocked:
            return
        if key in self._stock:
            self._meet(key, turn)
            return
        if not dials(self._own_id, key[1], always=False):
            return
        self._attempts[key] = self._attempts.get(key, 0) + 1
        self._timers.cancel(_timer(key))
        turn.count("dials.started")
        self._begin(key, turn, inbound=False)

    def _begin(self, key: Key, turn: Turn, *, inbound: bool, stock: bool = False) -> Link:
        at, node_id = key
        label = self._labels[at] if at < len(self._labels) else ""
        link = Link(self._roster.next_link(), inbound=inbound, path="relay", relay=at, remote=node_id)
        link.stock = stock
        link.full = at in self._full
        self._links.setdefault(key, []).append(link)
        self._sessions.links[link.id] = link
        entropy = turn.draw() + turn.draw()
        self._sessions.opened(LinkOpened(link.id, inbound, label, False, entropy), turn)
        return link

    def _plan(self, key: Key, turn: Turn) -> None:
        if key not in self._here or key[1] in self._blocked or self._sessions.closed:
            return
        if self._timers.wanted(_timer(key)) is None:
            wait = self._roster.backoff(max(1, self._attempts.get(key, 0)), turn)
            self._timers.set(_timer(key), turn.now.monotonic + wait)

    def _open(self, key: Key) -> list[Link]:
        return [link for link in self._links.get(key, ()) if link.state == "open"]


def _timer(key: Key) -> tuple[str, str]:
    return ("relay", f"{key[0]} {key[1]}")


def _names(link: Link) -> str | None:
    """Return the id of a link's session."""
    hello = link.session.peer if isinstance(link.session, _core.Session) else None
    return hello.session_id if hello is not None else None


def _is_sealed(said: object) -> bool:
    """Tell whether an event can only come of a sealed frame that is no error."""
    return isinstance(said, _core.Records) or (isinstance(said, _core.Control) and said.type not in _CLEAR)


def _unknown_session(frame: bytes) -> str | None:
    """Return the session that a clear UNKNOWN_SESSION names, or None for any other error."""
    if len(frame) > limits.RELAY_OWN_BYTES:
        return None
    try:
        value = json.loads(frame)
    except (ValueError, RecursionError):
        return None
    detail = (
        value.get("detail") if isinstance(value, dict) and value.get("code") == _UNKNOWN_SESSION else None
    )
    found = _SESSION.fullmatch(detail) if isinstance(detail, str) else None
    return found.group(1) if found else None
