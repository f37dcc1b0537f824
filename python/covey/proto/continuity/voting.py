"""Whether this peer votes for a term: the rules that keep every epoch to one holder, in one pure function."""

from __future__ import annotations

from collections.abc import Callable

from covey.proto.continuity.case import Case
from covey.proto.continuity.line import Line
from covey.proto.continuity.values import NONE, Plan, Release, Term
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Ruling:
    """A vote where `reason` is empty; else why not, and an epoch that a further try has to go past."""

    reason: str = ""
    least: int = 0


def judge(
    case: Case,
    term: Term,
    following: Plan | None,
    release: Release | None,
    author: str,
    absent: Callable[[], bool],
) -> Ruling:
    """Say whether `author` votes for a term.

    Args:
        case: What it knows and promised.
        term: Verified under the plan in force.
        following: The plan that a closing term names.
        release: The holder's word that comes with it.
        author: The voter.
        absent: Tells whether the voter's own failure detector has given the holder up.

    Returns:
        reason: empty (it votes), stale, voted, closing, forced, alive, behind, or next.
    """
    line, promise = case.line, case.promise
    if promise.epoch == term.epoch and promise.term == term.digest:
        return Ruling()  # the vote it gave
    if term.epoch <= line.epoch:
        return Ruling("stale", line.epoch)
    if promise.closing and promise.plan == line.plan.digest:
        return Ruling("closing", promise.epoch)
    if term.epoch <= promise.epoch:
        return Ruling("voted", promise.epoch)
    if term.why == "forced":
        return Ruling("forced")  # an operator's word needs no votes, and gets none
    if term.why == "closed" and not _follows(line, term, following):
        return Ruling("next")
    if not _free(line, term, release, author, absent):
        return Ruling("alive")
    if case.role(author) != "witness" and case.mark > term.mark and term.holder != line.holder.author:
        return Ruling("behind")
    return Ruling()


def _free(line: Line, term: Term, release: Release | None, author: str, absent: Callable[[], bool]) -> bool:
    """Tell whether the agent may have another holder: its holder asks, has released it, or is gone."""
    holder = line.holder.author
    if term.holder == holder:
        return True
    if release is not None and (release.by, release.epoch, release.to) == (holder, line.epoch, term.holder):
        return term.mark >= release.mark
    return term.why == "failed" and author != holder and absent()


def _follows(line: Line, term: Term, following: Plan | None) -> bool:
    if following is None or term.next in ("", NONE) or term.next != following.digest:
        return False
    if term.holder != line.plan.agent or line.holder.author != line.plan.agent:
        return False  # only while its owner holds the agent
    chained = (following.previous, following.number) == (line.plan.digest, line.plan.number + 1)
    return chained and following.agent == line.plan.agent
