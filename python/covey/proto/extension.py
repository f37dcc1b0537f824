"""Conversations beside records: each is a room of its own, plugged into the node engine.

An extension speaks control frames, sealed on the session (MMP 2.0 §16): covey's own (`x-covey-…`), offered
by a token in the hello and used only where both sides offered it, or standard ones that need a room of their
own. It keeps its rules and its bounds; the engine tells it who is there and what came; it says what to send.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from covey.proto import effects as fx

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.link import Peer
    from covey.proto.sessions import Sessions
    from covey.proto.timers import Timers
    from covey.proto.turn import Turn


class Extension(Protocol):
    """What the node engine asks of a conversation. Each call is one turn; none may raise on a peer's bytes.

    Attributes:
        name: Unique; names its timers, its counters and its `Told` and `Want` values.
        token: What both hellos must offer, or None for frames that every proven peer speaks.
        frames: The frame types that are its own.
    """

    name: str
    token: str | None
    frames: frozenset[str]

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through; called once, before anything else."""

    def started(self, turn: Turn) -> None:
        """Begin: the node's shell is ready, and what it restores comes as `told`."""

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Take note of a peer whose first session is open, and that speaks this."""

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Read one frame of a peer, of a type in `frames`; malformed ones are counted, and logged."""

    def left(self, peer: Peer, turn: Turn) -> None:
        """Take note that a peer's last session is gone."""

    def due(self, whom: str, turn: Turn) -> None:
        """Act on a deadline that `ExtensionHost.timer` set."""

    def told(self, what: object, turn: Turn) -> None:
        """Take what the shell says: an answer to a `Want`, or an application's wish."""


@runtime_checkable
class Judging(Protocol):
    """What an extension has besides, if it wants to know what admission decided."""

    def judged(self, outcomes: _core.OutcomeBatch, turn: Turn) -> None:
        """Take note of a batch that is durable, as it was judged; not of what stock peers claim."""


@runtime_checkable
class Addressed(Protocol):
    """What an extension has besides, if directed records with application bytes of its schemas are its own.

    Attributes:
        schemas: Those schemas.
    """

    schemas: frozenset[str]

    def addressed(self, record: _core.Record, turn: Turn, *, wakes: bool, expires_ms: int | None) -> None:
        """Take a durable, verified record that is addressed here, once; nobody else is told of it.

        `wakes` says whether its author may wake an agent here; after `expires_ms` (wall milliseconds) it
        should not be acted on.
        """


class ExtensionHost:
    """What an extension may do: see who speaks it, send, set deadlines, ask its shell."""

    def __init__(self, extension: Extension, sessions: Sessions, timers: Timers) -> None:
        self._name = extension.name
        self._token = extension.token
        self._sessions = sessions
        self._timers = timers

    def speaks(self, peer: Peer) -> bool:
        """Tell whether a peer understands these frames: proven, and with the token where there is one."""
        return not peer.claimed and (self._token is None or self._token in peer.extensions)

    def peers(self) -> list[Peer]:
        """Return who has an open session and speaks this, by nodeId."""
        here = (peer for peer in self._sessions.peers.values() if peer.links and self.speaks(peer))
        return sorted(here, key=lambda peer: peer.node_id)

    def peer(self, node_id: str) -> Peer | None:
        """Return one peer that has an open session and speaks this, or None."""
        peer = self._sessions.peers.get(node_id)
        return peer if peer is not None and peer.links and self.speaks(peer) else None

    def key_of(self, node_id: str) -> bytes | None:
        """Return the raw public key a node is bound to here, present or not; None for one never proved."""
        return self._sessions.key_of(node_id)

    def send(self, node_id: str, frame: bytes, turn: Turn, *, beside: bool = False) -> bool:
        """Seal one control frame for a peer.

        Args:
            node_id: Whom.
            frame: A JSON object with a `type` of this extension, within the session's bound.
            beside: Send it on every path but the one that carries records, which may be dead and not know it.

        Returns:
            False where it is not here, does not speak this, or reads too slowly to take more; counted.
        """
        peer = self.peer(node_id)
        links = [] if peer is None or peer.active is None else [peer.active]
        if beside and peer is not None:
            links = [link for link in peer.links if link is not peer.active]
        sent = 0
        for link in links:
            session = link.speaking
            if session is not None and not link.full:
                session.send_control(frame)
                self._sessions.touch(link)
                sent += 1
        turn.count(f"extensions.{self._name}.{'sent' if sent else 'unsent'}", max(1, sent))
        return sent > 0

    def send_record(self, node_id: str, record: _core.Record, turn: Turn) -> bool:
        """Seal one verified record for a peer, whoever wrote it.

        Returns:
            False where the peer is not here, does not speak this, or reads too slowly to take more; counted.
        """
        peer = self.peer(node_id)
        link = None if peer is None else peer.active
        session = link.speaking if link is not None and not link.full else None
        if link is None or session is None or not link.affords([record], turn.now.monotonic, wait=False):
            turn.count(f"extensions.{self._name}.unsent")
            return False
        session.send_records([record])
        link.spend([record])
        self._sessions.touch(link)
        turn.count(f"extensions.{self._name}.sent")
        return True

    def deaf(self) -> list[str]:
        """Return the nodeIds of who has an open session and does not speak this."""
        peers = self._sessions.peers.values()
        return [peer.node_id for peer in peers if peer.links and not self.speaks(peer)]

    def heeds(self, peer: Peer) -> bool:
        """Tell whether what a peer says may wake agents here: trusted, or on this machine."""
        return self._sessions.heeds(peer)

    def moved(self, node_id: str, hosts: Container[str], turn: Turn) -> None:
        """Give up connections to addresses that their owner says it has left."""
        self._sessions.moved(node_id, hosts, turn)

    def trust(self, node_id: str, key_fingerprint: str) -> None:
        """Let a key wake the agent from now on; its open sessions are a stranger's no more."""
        self._sessions.trust(node_id, key_fingerprint)

    def timer(self, whom: str, deadline: float) -> None:
        """Want `due(whom)` at a monotonic instant, instead of when it was wanted before."""
        self._timers.set((f"extension.{self._name}", whom), deadline)

    def cancel(self, whom: str) -> None:
        """Want `due(whom)` no more."""
        self._timers.cancel((f"extension.{self._name}", whom))

    def wanted(self, whom: str) -> float | None:
        """Return when `due(whom)` is wanted, or None."""
        return self._timers.wanted((f"extension.{self._name}", whom))

    def want(self, what: object, turn: Turn) -> None:
        """Ask this extension's shell for something; its answer comes back as `told`."""
        turn.add(fx.Want(self._name, what))


class Extensions:
    """All conversations of one node, by name and by frame type.

    Args:
        extensions: Each with its own name, token and frame types.

    Raises:
        ValueError: Two of them claim the same name or frame type.
    """

    def __init__(self, extensions: Sequence[Extension]) -> None:
        self._all = tuple(extensions)
        self._named = {each.name: each for each in self._all}
        self._by_frame = {kind: each for each in self._all for kind in each.frames}
        if len(self._named) != len(self._all) or len(self._by_frame) != sum(len(e.frames) for e in self._all):
            raise ValueError("two extensions claim one name or one frame type")
        self._hosts: dict[str, ExtensionHost] = {}
        self._judging = tuple(each for each in self._all if isinstance(each, Judging))
        self.schemas = {
            schema: each for each in self._all if isinstance(each, Addressed) for schema in each.schemas
        }
        """Whose the directed records of a schema are."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """Return what the hello offers."""
        return tuple(each.token for each in self._all if each.token is not None)

    def attach(self, sessions: Sessions, timers: Timers) -> None:
        """Give every extension its host."""
        for each in self._all:
            self._hosts[each.name] = ExtensionHost(each, sessions, timers)
            each.attach(self._hosts[each.name])

    def started(self, turn: Turn) -> None:
        """Begin them all."""
        for each in self._all:
            each.started(turn)

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Tell those that a new peer speaks."""
        for each in self._speaking(peer):
            each.joined(peer, turn)

    def left(self, peer: Peer, turn: Turn) -> None:
        """Tell those that a peer spoke."""
        for each in self._speaking(peer):
            each.left(peer, turn)

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> bool:
        """Hand a frame to its extension; False where there is none, or the peer may not speak it."""
        extension = self._by_frame.get(kind)
        if extension is None or not self._hosts[extension.name].speaks(peer):
            return False
        extension.heard(peer, kind, frame, turn)
        return True

    def judged(self, outcomes: _core.OutcomeBatch, turn: Turn) -> None:
        """Tell those that asked for it what admission decided."""
        for each in self._judging:
            each.judged(outcomes, turn)

    def addressed(self, record: _core.Record) -> Addressed | None:
        """Return whose a directed record is; None for an application's like any other."""
        carried = record.application
        return None if carried is None else self.schemas.get(carried.schema)

    def due(self, what: str, whom: str, turn: Turn) -> bool:
        """Act on a deadline, where it is an extension's."""
        extension = self._named.get(what.removeprefix("extension."))
        if not what.startswith("extension.") or extension is None:
            return False
        extension.due(whom, turn)
        return True

    def told(self, event: fx.Told, turn: Turn) -> None:
        """Hand over what the shell says to one of them."""
        extension = self._named.get(event.name)
        if extension is None:
            turn.count("extensions.unknown")
            turn.log("warn", "extension-unknown", name=event.name)
            return
        extension.told(event.what, turn)

    def _speaking(self, peer: Peer) -> Iterable[Extension]:
        return (each for each in self._all if self._hosts[each.name].speaks(peer))
