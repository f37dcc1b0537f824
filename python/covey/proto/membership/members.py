"""The table: what this node holds of every member, and what a claim changes in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Literal

from covey import limits
from covey.proto.membership.claims import Self
from covey.proto.membership.suspicion import Suspicion
from covey.values import dataclass

State = Literal["alive", "suspect", "dead", "left"]


@dataclass(slots=True, eq=False)
class Member:
    """One member as this node sees it. `said` is its own newest signed word."""

    said: Self
    state: State
    since: float
    suspicion: Suspicion | None = None
    unreached: int = 0
    """How many probes in a row ended without anybody who could look."""

    @property
    def node_id(self) -> str:
        """Return whose entry it is."""
        return self.said.node_id

    @property
    def here(self) -> bool:
        """Tell whether it counts as present: alive, or suspect and not yet given up."""
        return self.state in ("alive", "suspect")


Verify = Callable[[Self], bool]
"""Tells whether a member's word is signed by the key it names, and that key is the member's."""


class Members:
    """Everybody this node has heard of, itself excluded.

    Args:
        verify: Checks a signed word; called once for each word that would change anything.
    """

    def __init__(self, verify: Verify) -> None:
        self._verify = verify
        self._all: dict[str, Member] = {}
        self.present = 0
        """How many are here."""

    def get(self, node_id: str) -> Member | None:
        """Return one member, or None."""
        return self._all.get(node_id)

    def all(self) -> list[Member]:
        """Return everybody, by nodeId; the dead and the gone included while they are remembered."""
        return [self._all[node_id] for node_id in sorted(self._all)]

    def here(self) -> list[Member]:
        """Return who is present, by nodeId."""
        return [member for member in self.all() if member.here]

    def hear(self, said: Self, now: float) -> Literal["joined", "renewed", "left", "stale", "forged", "full"]:
        """Take a member's own word.

        Returns:
            joined: it is present now and was not. renewed: a newer word of one that is present. left: it said
            goodbye. stale: nothing new. forged: the signature does not hold, or another key stands for this
            nodeId. full: the table has no room for one more.
        """
        member = self._all.get(said.node_id)
        if member is not None and not _newer(said, member.said):
            return "stale"
        if member is not None and member.said.public_key != said.public_key:
            return "forged"
        if member is None and len(self._all) >= limits.MEMBERS and not self._make_room():
            return "full"
        if not self._verify(said):
            return "forged"
        if member is None:
            self._all[said.node_id] = Member(said, "left" if said.left else "alive", now)
            self.present += not said.left
            return "stale" if said.left else "joined"
        was_here = member.here
        member.said = said
        member.suspicion = None
        state: State = "left" if said.left else "alive"
        if state != member.state:
            self.settle(member, state, now)
        if said.left:
            return "left" if was_here else "stale"
        return "renewed" if was_here else "joined"

    def digest(self, own: Self | None) -> str:
        """Return what the table comes to, in 32 hexadecimal digits: the same where the same ones are here.

        Suspicion is each one's own and does not count.
        """
        lines = [] if own is None or own.left else [(own.node_id, own.incarnation)]
        lines += [(member.node_id, member.said.incarnation) for member in self._all.values() if member.here]
        body = json.dumps(sorted(lines), separators=(",", ":")).encode()
        return hashlib.sha256(body).hexdigest()[:32]

    def settle(self, member: Member, state: State, now: float) -> None:
        """Set a member's state."""
        was_here = member.here
        member.state, member.since = state, now
        self.present += member.here - was_here
        if state != "suspect":
            member.suspicion = None

    def reached(self, node_id: str) -> None:
        """Take note that somebody reached a member."""
        if node_id in self._all:
            self._all[node_id].unreached = 0

    def forget(self, older_than: float) -> int:
        """Forget who has been dead or gone since before that instant; return how many."""
        gone = [m.node_id for m in self._all.values() if not m.here and m.since < older_than]
        for node_id in gone:
            del self._all[node_id]
        return len(gone)

    def _make_room(self) -> bool:
        """Forget the one that has been gone longest; False where everybody is present."""
        gone = [member for member in self._all.values() if not member.here]
        if not gone:
            return False
        del self._all[min(gone, key=lambda member: (member.since, member.node_id)).node_id]
        return True


def _newer(said: Self, than: Self) -> bool:
    """A higher incarnation is newer; within one, a goodbye is the last word."""
    return said.incarnation > than.incarnation or (
        said.incarnation == than.incarnation and said.left and not than.left
    )
