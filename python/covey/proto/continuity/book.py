"""Every case of this peer, who is here, and the order of the disk: promises leave once they are durable."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from covey import limits, typed
from covey.proto.continuity import frames, wants
from covey.proto.continuity.case import Case, read_case
from covey.proto.continuity.line import Line
from covey.proto.continuity.values import Mark, Member

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn

Seen = Callable[[str], int | None]
"""How many of its owner's operations of a scope are durable here; None while some are on their way."""
Look = Callable[[str], str | None]
"""What the failure detector says of a nodeId: alive, suspect, dead, left, or None where it knows nothing."""


class Book:
    """What the rooms of continuity share.

    Args:
        identity: This peer; it signs.
        room: Where it is.
        seen: How far a scope's replica is here.
        served: Tells whether a scope of this peer's own is spoken of.
        look: The failure detector.
    """

    def __init__(
        self,
        identity: _core.Identity,
        room: str,
        *,
        seen: Seen,
        served: Callable[[str], bool],
        look: Look,
    ) -> None:
        self.identity = identity
        self.author = identity.author
        self.room = room
        self.seen = seen
        self.served = served
        self.look = look
        self.cases: dict[str, Case] = {}
        self.consents: set[str] = set()
        """Whose agents this peer agreed to take; `*` is everybody's."""
        self.present: dict[str, Peer] = {}
        """Who is here and speaks this, by author."""
        self.ready = False
        self.broken = ""
        """Why nothing can be promised: what was kept could not be read, or the disk refused."""
        self.begun: Counter[str] = Counter()
        self._number = 0
        self._then: deque[tuple[int, Callable[[Turn], None]]] = deque()
        self.host: ExtensionHost

    def consented(self, agent: str) -> bool:
        """Tell whether this peer agreed to take an agent."""
        return agent in self.consents or "*" in self.consents

    def send(self, author: str, frame: bytes, turn: Turn) -> bool:
        """Send a frame to an author that is here."""
        peer = self.present.get(author)
        return peer is not None and self.host.send(peer.node_id, frame, turn)

    def announce(self, line: Line, turn: Turn, but: str = "") -> None:
        """Tell a line to its members, and to the whole room once its first epoch is over."""
        frame = frames.write("line", line=line.wire())
        for author in self.present:
            if author != but and concerns(line, author):
                self.send(author, frame, turn)

    def keep(self, turn: Turn, then: Callable[[Turn], None] | None = None) -> None:
        """Make everything durable, then do something; nothing is done where the disk refuses."""
        self._number += 1
        if then is not None:
            self._then.append((self._number, then))
        self.host.want(wants.Keep(self._number, self.to_json()), turn)

    def kept(self, number: int, turn: Turn) -> None:
        """Do what waited for the disk."""
        while self._then and self._then[0][0] <= number:
            self._then.popleft()[1](turn)

    def failed(self, reason: str, turn: Turn) -> None:
        """Promise nothing any more: what memory holds is ahead of the disk."""
        self._then.clear()
        self.broken = reason
        turn.count("continuity.store_failed")
        turn.log("error", "continuity-store-failed", reason=reason)

    def to_json(self) -> bytes:
        """Return what the disk holds."""
        cases = {agent: case.wire() for agent, case in self.cases.items()}
        whole = {"version": 1, "cases": cases, "consents": sorted(self.consents)}
        return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()

    def restore(self, data: bytes | None, turn: Turn) -> None:
        """Take what the disk held; what cannot be read promises nothing until somebody looks."""
        self.ready = True
        if data is None:
            return
        try:
            self.consents, self.cases = _kept(data)
        except ValueError as error:  # a proof that does not hold among them
            self.broken = f"what was kept cannot be read: {error}"
            turn.count("continuity.unreadable")
            turn.log("error", "continuity-unreadable", error=str(error))

    def member(self, word: str) -> Peer | None:
        """Return who is here and is called so: an author, a nodeId, or a name that only one has."""
        found = [p for a, p in self.present.items() if word in (a, p.node_id, p.name)]
        return found[0] if len(found) == 1 else None

    def scope(self, case: Case, holder: str, keeper: str, label: str) -> str:
        """Return the name of the scope in which a holder lets a keeper have a class of the agent."""
        return f"agent:{holder}:{keeper}:{label_of(case.line.agent, holder, label)}"

    def heads(self, case: Case, holder: str, keeper: str) -> dict[str, int] | None:
        """Return how many operations for a keeper are durable here, by class; None for not yet."""
        found: dict[str, int] = {}
        for label in case.plan.classes:
            count = self.seen(self.scope(case, holder, keeper, label))
            if count is None:
                return None
            found[label] = count
        return found

    def written(self, case: Case) -> Mark | None:
        """Return how far this peer's writes as a holder reach; None while some are on their way to disk."""
        total = 0
        for keeper in case.keepers(self.author):
            heads = self.heads(case, self.author, keeper.author)
            if heads is None:
                return None
            total += sum(heads.values())
        return case.line.epoch, total


def _kept(data: bytes) -> tuple[set[str], dict[str, Case]]:
    found = typed.members(typed.loaded(data), "book", {"version", "cases", "consents"})
    typed.whole(found["version"], "version", 1, 1)
    consents = typed.listed(found["consents"], "consents", limits.CONTINUITY_AGENTS)
    rows = found["cases"]
    if not isinstance(rows, dict):
        raise typed.WrongTypeError("cases: expected an object")
    cases = {agent: read_case(each) for agent, each in rows.items()}
    if any(case.line.agent != agent for agent, case in cases.items()):
        raise typed.WrongTypeError("cases: one stands under another agent")
    return {typed.text(each, "consents", 36) for each in consents}, cases


def label_of(agent: str, holder: str, label: str) -> str:
    """Return how a holder's scopes name a class: its own agent's plainly, another's under `as:<agent>:`."""
    return label if agent == holder else f"as:{agent}:{label}"


def concerns(line: Line, author: str) -> bool:
    """Tell whether a line is somebody's business."""
    return line.epoch > 1 or line.plan.member(author) is not None


def index_of(members: list[Member], author: str) -> int:
    """Return somebody's place among members."""
    return next(place for place, member in enumerate(members) if member.author == author)


def beat_due(case: Case, now: float) -> bool:
    """Tell whether a holder repeats its word."""
    return now >= case.said_at + limits.CONTINUITY_BEAT_SECONDS
