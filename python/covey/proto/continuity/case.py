"""One agent's case as a peer keeps it: its line, this peer's promise, and how far replicas reach.

The promise is what makes a majority decide one thing: the last epoch voted in, and for which term. It is on
disk before the vote leaves. The mark says up to which of the holder's writes everything is here, on disk too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from covey import limits, typed
from covey.proto.continuity.line import Line, read_line
from covey.proto.continuity.values import Mark, Member, Plan, ProofError, Release, Term
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Promise:
    """The last vote of this peer: nothing of an earlier epoch, nothing else of the same one."""

    epoch: int = 0
    term: str = ""
    closing: bool = False
    """It was for a term that closes the plan `plan`: nothing else gets a vote under that plan."""
    plan: str = ""


@dataclass(frozen=True, slots=True)
class Beat:
    """What a holder said of its writes: all of `heads` here is all up to `mark`."""

    mark: Mark
    heads: Mapping[str, int]


@dataclass(slots=True, eq=False)
class Attempt:
    """A term that this peer asks votes for."""

    term: Term
    following: Plan | None
    release: Release | None
    votes: dict[str, bytes] = field(default_factory=dict)
    asked_at: float = 0.0
    won: bool = False
    """It has its majority, and the shell makes ready what it brings."""


@dataclass(slots=True, eq=False)
class Case:
    """What this peer knows and promised of one agent. Values that change; the rules stand beside."""

    line: Line
    promise: Promise = Promise()
    mark: Mark = (0, 0)
    source: str = ""
    """Whose writes the mark counts."""
    beats: deque[Beat] = field(default_factory=lambda: deque(maxlen=limits.CONTINUITY_MARKS))
    acked: dict[str, Mark] = field(default_factory=dict)
    """As a holder: how far each keeper said, in this life, that it has everything."""
    attempt: Attempt | None = None
    release: Release | None = None
    """To this peer, and not used yet."""
    payload: Mapping[str, Any] | None = None
    """The signed description that came with the release."""
    released: str = ""
    """As a holder: to whom the agent is on its way."""
    frozen_until: float = 0.0
    gone_since: float | None = None
    """Since when the holder counts as absent here."""
    next_try: float = 0.0
    contested: bool = False
    """As a holder: a voter has promised a later epoch, and confirms nothing in this one."""
    least: int = 0
    """An epoch that somebody has promised already: the next try goes past it."""
    said: Beat | None = None
    """As a holder: what was said last, at `said_at`."""
    said_at: float = 0.0

    @property
    def plan(self) -> Plan:
        """Return the plan in force."""
        return self.line.plan

    @property
    def promised(self) -> bool:
        """Tell whether this peer has voted in an epoch past the one that holds."""
        return self.promise.epoch > self.line.epoch

    def role(self, author: str) -> Literal["owner", "standby", "witness"] | None:
        """Return an author's part in it, or None."""
        member = self.plan.member(author)
        return None if member is None else member.role

    def others(self, author: str) -> list[Member]:
        """Return every member but one."""
        return [member for member in self.plan.members if member.author != author]

    def keepers(self, author: str) -> list[Member]:
        """Return every member with a replica but one."""
        return [member for member in self.plan.keepers if member.author != author]

    def acknowledged(self, author: str) -> Mark:
        """Return the last acknowledged replication point: no automatic takeover loses anything up to it.

        Whatever majority of the others elects, it has a member that holds this much, and no keeper votes for
        one that holds less than itself.
        """
        keepers = self.keepers(author)
        needed = min(max(1, len(self.plan.members) - self.plan.majority), len(keepers))
        held = sorted((self.acked.get(keeper.author, (0, 0)) for keeper in keepers), reverse=True)
        return held[needed - 1]

    def wire(self) -> dict[str, Any]:
        """Return what the disk holds."""
        return {
            "line": self.line.wire(),
            "promise": [self.promise.epoch, self.promise.term, self.promise.closing, self.promise.plan],
            "mark": list(self.mark),
            "source": self.source,
        }


def read_case(value: Any) -> Case:
    """Read what `wire` wrote.

    Raises:
        ProofError: It is not that.
    """
    try:
        row = typed.members(value, "case", {"line", "promise", "mark", "source"})
        epoch, term, closing, plan = typed.exactly(row["promise"], "promise", 4)
        promise = Promise(
            typed.whole(epoch, "epoch"),
            typed.text(term, "term", 64),
            typed.flag(closing, "closing"),
            typed.text(plan, "plan", 64),
        )
        first, second = (typed.whole(each, "mark") for each in typed.exactly(row["mark"], "mark", 2))
        return Case(read_line(row["line"]), promise, (first, second), typed.text(row["source"], "source", 36))
    except typed.WrongTypeError as error:
        raise ProofError(f"not readable: {error}") from error
