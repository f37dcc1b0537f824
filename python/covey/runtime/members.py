"""Membership's shell: it needs nothing of the world but to say goodbye."""

from __future__ import annotations

from typing import TYPE_CHECKING

from covey.proto.membership.engine import Membership
from covey.proto.membership.views import Leave, MemberView, Say

if TYPE_CHECKING:
    from covey._core import Identity
    from covey.proto.extension import Extension
    from covey.runtime.plugin import Tell


class Members:
    """Who is in the room, peers without a session to us included. A `Plugin`.

    Args:
        identity: Signs this node's own word.
    """

    def __init__(self, identity: Identity) -> None:
        self._engine = Membership(identity)
        self.extension: Extension = self._engine
        self._tell: Tell | None = None
        self._meta: str | None = None

    async def start(self, tell: Tell) -> None:
        """Nothing is restored: who is there is asked anew."""
        self._tell = tell
        if self._meta is not None:
            tell(Say(self._meta))

    def perform(self, what: object) -> None:
        """Membership wants nothing of its shell."""
        raise TypeError(f"membership wants nothing of its shell: {what!r}")

    async def stop(self) -> None:
        """Say goodbye on every session."""
        if self._tell is not None:
            self._tell(Leave())

    def say(self, meta: str) -> None:
        """Tell every member this line of JSON about us from now on; at most `MEMBER_META_BYTES`."""
        self._meta = meta
        if self._tell is not None:
            self._tell(Say(meta))

    def state_of(self, node_id: str) -> str | None:
        """Return what is held of one member: alive, suspect, dead, left; None where nothing is."""
        member = self._engine.members.get(node_id)
        return None if member is None else member.state

    def view(self, monotonic: float) -> list[MemberView]:
        """Return every remembered member, by nodeId."""
        return self._engine.view(monotonic)

    def health(self) -> int:
        """Return our own slowness: 0 when well."""
        return self._engine.health.score
