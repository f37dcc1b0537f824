"""The gate of a room with an owner: who comes shows the owner's grant, before anything else counts.

Rules: a proven session is nobody's until its grant is verified (MMP 2.0 update 1, §5.8.1); it has the time of
the handshake for it. The owner's key is the pinned one; what a grant says of its owner is not looked at. The
owner itself needs no grant. A session ends when its grant does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from covey import _core
from covey.proto.turn import Turn
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.link import Link
    from covey.proto.sessions import Sessions
    from covey.proto.timers import Timers


@dataclass(frozen=True, slots=True)
class GateOptions:
    """Who owns the room (its raw Ed25519 key), and the grant this peer shows; the owner shows none."""

    owner_key: bytes
    grant: _core.RoomGrant | None = None


class Gate:
    """Which proven sessions still owe a grant.

    Args:
        options: The room's owner; None for a room that is open to everybody.
        room: The room, as grants name it.
        timers: A session's end is wanted under the key ("grant", link).
    """

    def __init__(self, options: GateOptions | None, room: str, *, sessions: Sessions, timers: Timers) -> None:
        self._options = options
        self._room = room
        self._sessions = sessions
        self._timers = timers
        self.waiting: dict[int, _core.Authenticated] = {}
        """Links that still owe a grant: what comes on them does not count yet."""

    def holds(self, link: Link, event: _core.Authenticated, turn: Turn) -> bool:
        """Show our own grant to a proven peer; tell whether it has to show one first."""
        options = self._options
        if options is None:
            return False
        if options.grant is not None and link.session is not None and link.session.state == "open":
            link.session.send_control(options.grant.to_frame())
            self._sessions.touch(link)
        if event.peer.public_key == options.owner_key:
            return False
        self.waiting[link.id] = event
        turn.count("gate.waiting")
        return True

    def shown(self, link: Link, frame: bytes, turn: Turn) -> _core.Authenticated | None:
        """Take a grant: who may come in now, or None and the session's end."""
        options, event = self._options, self.waiting.pop(link.id, None)
        if options is None or event is None:
            turn.count("gate.ignored")  # an open room, or a session that is in already
            return None
        peer, now = event.peer, turn.now
        try:
            grant = _core.RoomGrant.parse_frame(frame)
            grant.verify(
                options.owner_key,
                room=self._room,
                node_id=peer.node_id,
                public_key=peer.public_key,
                now_ms=now.wall_ms,
            )
        except _core.CoreError as error:
            turn.count(f"gate.refused.{error.reason}")
            turn.log("warn", "grant-refused", node_id=peer.node_id, reason=error.reason, detail=error.detail)
            message = "this room asks for a grant of its owner"
            self._sessions.end(link, "room_grant_refused", turn, code=1006, message=message)
            return None
        turn.count("gate.admitted")
        left = (grant.closes_ms - now.wall_ms) / 1000
        self._timers.set(("grant", link.id), now.monotonic + left)
        return event

    def expired(self, link: Link, turn: Turn) -> None:
        """End a session whose grant has ended; with a new grant it may come again."""
        self._sessions.end(
            link, "room_grant_expired", turn, code=1010, message="the grant for this room has expired"
        )

    def lost(self, link_id: int) -> None:
        """Forget a connection that is gone."""
        self.waiting.pop(link_id, None)
        self._timers.cancel(("grant", link_id))
