"""An agent's line: its plans, how each gave way to the next, and the newest term. Pure; verified whole.

Of two lines of one agent the one with the greater rank holds: by epoch; within one epoch what a majority
decided goes before an operator's word. A majority decides at most one term of an epoch: each voter has one
vote in it; and who voted to close a plan votes for nothing else under it: no epoch belongs to two plans.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from covey import limits
from covey.proto.continuity.values import (
    NONE,
    Member,
    Plan,
    ProofError,
    Term,
    b64,
    certified,
    read_plan,
    read_term,
    unb64,
)
from covey.values import dataclass

Rank = tuple[int, bool, str]
"""(epoch, a majority decided it, holder): which of two lines holds."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is proved of one agent: its plans, the terms that closed all but the last, and the newest term."""

    plans: tuple[Plan, ...]
    closes: tuple[Term, ...] = ()
    term: Term | None = None

    @property
    def plan(self) -> Plan:
        """Return the plan that is in force."""
        return self.plans[-1]

    @property
    def agent(self) -> str:
        """Return whose line it is."""
        return self.plan.agent

    @property
    def last(self) -> Term | None:
        """Return the term that says who holds the agent; None in the first epoch, its owner's."""
        return self.term if self.term is not None else self.closes[-1] if self.closes else None

    @property
    def epoch(self) -> int:
        """Return the epoch."""
        return 1 if self.last is None else self.last.epoch

    @property
    def holder(self) -> Member:
        """Return who holds the agent."""
        if self.term is None:
            return self.plan.owner
        return next(member for member in self.plan.members if member.author == self.term.holder)

    @property
    def decided(self) -> bool:
        """Tell whether the last term is a majority's and not an operator's alone, as the first epoch is."""
        if self.last is None:
            return True
        return certified(self.last, self.plan if self.term is not None else self.plans[-2])

    @property
    def rank(self) -> Rank:
        """Return what lines are compared by."""
        return self.epoch, self.decided, self.holder.author

    def advanced(self, term: Term, following: Plan | None = None) -> Line:
        """Return the line with a further term; `following` is the plan that a closing one names.

        Raises:
            ProofError: It does not follow.
        """
        if term.epoch <= self.epoch and not (term.epoch == self.epoch and not self.decided):
            raise ProofError("term: not past the epoch that holds")
        if not certified(term, self.plan) and not _by_word(term):
            raise ProofError("term: too few votes")
        if following is None:
            if term.next != NONE:
                raise ProofError("term: it closes a plan, and the next one is missing")
            return replace(self, term=term)
        linked = (following.previous, following.number, following.agent) == (
            self.plan.digest,
            self.plan.number + 1,
            self.agent,
        )
        if term.next != following.digest or not linked:
            raise ProofError("plan: does not follow the one before")
        return Line((*self.plans, following), (*self.closes, term))

    def wire(self) -> dict[str, Any]:
        """Return it as frames and the disk hold it."""
        return {
            "plans": [signed(each.body, each.signature) for each in self.plans],
            "closes": [_term(each) for each in self.closes],
            "term": None if self.term is None else _term(self.term),
        }


def read_line(value: object) -> Line:
    """Read a line and verify every part of it.

    Raises:
        ProofError: It is none, or a part of it does not hold.
    """
    if not isinstance(value, dict) or value.keys() != {"plans", "closes", "term"}:
        raise ProofError("line: not in its form")
    plans, closes = value["plans"], value["closes"]
    if not isinstance(plans, list) or not isinstance(closes, list):
        raise ProofError("line: not in its form")
    if not 1 <= len(plans) <= limits.CONTINUITY_PLANS or len(closes) != len(plans) - 1:
        raise ProofError(f"line: expected 1 to {limits.CONTINUITY_PLANS} plans, each but the last closed")
    line = begun(read_plan(*read_signed(plans[0])))
    for close, plan in zip(closes, plans[1:], strict=True):
        line = line.advanced(read_term_wire(close, line.plan), read_plan(*read_signed(plan)))
    if value["term"] is not None:
        line = line.advanced(read_term_wire(value["term"], line.plan))
    return line


def begun(plan: Plan) -> Line:
    """Return the line that a first plan begins.

    Raises:
        ProofError: It is no first plan.
    """
    if (plan.number, plan.previous) != (1, NONE):
        raise ProofError("plan: the first one names none before it")
    return Line((plan,))


def read_term_wire(value: object, plan: Plan) -> Term:
    """Read a term with its votes.

    Raises:
        ProofError: It does not hold.
    """
    if not isinstance(value, dict) or value.keys() != {"body", "signature", "votes"}:
        raise ProofError("term: not in its form")
    votes = value["votes"]
    if not isinstance(votes, dict) or len(votes) > len(plan.members):
        raise ProofError("term: not in its form")
    body, signature = read_signed({"body": value["body"], "signature": value["signature"]})
    return read_term(body, signature, {author: unb64(vote, 64) for author, vote in votes.items()}, plan)


def signed(body: bytes, signature: bytes) -> dict[str, str]:
    """Return a signed text as frames hold it."""
    return {"body": body.decode(), "signature": b64(signature)}


def read_signed(value: object) -> tuple[bytes, bytes]:
    """Read a signed text; nothing of it is verified yet.

    Raises:
        ProofError: It is none.
    """
    if not isinstance(value, dict) or value.keys() != {"body", "signature"}:
        raise ProofError("expected body and signature")
    body = value["body"]
    if not isinstance(body, str):
        raise ProofError("expected body and signature")
    try:
        return body.encode(), unb64(value["signature"], 64)
    except UnicodeEncodeError as error:
        raise ProofError("body: not UTF-8") from error


def to_json(line: Line) -> bytes:
    """Return the bytes of a line."""
    return json.dumps(line.wire(), ensure_ascii=False, separators=(",", ":")).encode()


def _term(term: Term) -> Mapping[str, Any]:
    votes = {author: b64(vote) for author, vote in sorted(term.votes.items())}
    return {**signed(term.body, term.signature), "votes": votes}


def _by_word(term: Term) -> bool:
    """An operator's word needs no votes and is known by that."""
    return term.why in ("forced", "closed")
