"""A vote: one question, one electorate, one deadline; every ballot signed, every outcome with its reasons.

Rules: sans-IO. Whoever runs the vote hands in what came and what time it is. A dead voter delays nothing
past the deadline, a second ballot of one voter counts for nothing, and who holds the ballots can count them
again.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from covey import limits
from covey.values import dataclass

STATEMENT: Final = "x-covey-vote-v1"
"""The kind under which a ballot is signed."""
ABSTAIN: Final = ""
"""The option of a ballot that counts for the quorum and for nothing else."""

TiePolicy = Literal["undecided", "first-option", "by-hash"]
Refused = Literal[
    "not-in-electorate", "unknown-option", "late", "bad-signature", "second-ballot", "other-vote"
]


class VoteError(ValueError):
    """A vote that cannot be held as it is put; says which part, and what was expected."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is voted on, by whom, until when, and by which rule.

    `electorate` are nodeIds. `quorum` is the share of the electorate whose ballots, abstentions included,
    must be in; `majority` the share of the ballots with an option that the winner must exceed (0 is a
    plurality: the most wins). `tie` says what happens where the most is shared: nothing is decided, the
    option named first wins, or the one whose hash with the vote's id is smallest, which nobody could
    foresee when the options were named.
    """

    id: str
    text: str
    options: tuple[str, ...]
    electorate: tuple[str, ...]
    deadline_ms: int
    quorum: float = 0.5
    majority: float = 0.5
    tie: TiePolicy = "undecided"

    def __post_init__(self) -> None:
        if not self.id or len(self.id) > limits.VOTE_ID_CHARS:
            raise VoteError(f"id: expected 1 to {limits.VOTE_ID_CHARS} characters, got {len(self.id)}")
        if not 0 < len(self.text) <= limits.PROFILE_TEXT_CHARS:
            raise VoteError(
                f"question: expected 1 to {limits.PROFILE_TEXT_CHARS} characters, got {len(self.text)}"
            )
        _distinct("options", self.options, 2, limits.VOTE_OPTIONS)
        _distinct("electorate", self.electorate, 1, limits.VOTE_ELECTORATE)
        if any(len(option) > limits.VOTE_OPTION_CHARS for option in self.options):
            raise VoteError(f"options: at most {limits.VOTE_OPTION_CHARS} characters each")
        for name in ("quorum", "majority"):
            share = getattr(self, name)
            if not 0.0 <= share <= 1.0 or (name == "majority" and share == 1.0):
                raise VoteError(
                    f"{name}: expected a share of 0 to 1{', below 1' * (name == 'majority')}, got {share}"
                )

    def digest(self) -> str:
        """Return what a ballot is bound to: everything above, so that no rule changes under a voter."""
        parts = [
            self.id,
            self.text,
            list(self.options),
            sorted(self.electorate),
            self.deadline_ms,
            repr(float(self.quorum)),
            repr(float(self.majority)),
            self.tie,
        ]
        return hashlib.sha256(
            json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()
        ).hexdigest()


@dataclass(frozen=True, slots=True)
class Ballot:
    """One voter's choice, signed over `body()`."""

    vote: str
    voter: str
    option: str
    signature: bytes = b""

    def body(self) -> bytes:
        """Return what is signed: the question's digest, the voter and the option."""
        return json.dumps(
            [self.vote, self.voter, self.option], ensure_ascii=False, separators=(",", ":")
        ).encode()


Verify = Callable[[Ballot], bool]
"""Tells whether a ballot is signed by its voter's key."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a vote ended, with everything needed to count it again.

    `kind` is decided, no-quorum, no-majority or tie. `confidence` is the winner's ballots over the
    electorate. `missing` are voters that said nothing in time; `twice` those that signed two different
    ballots, and count for nothing.
    """

    question: Question
    kind: Literal["decided", "no-quorum", "no-majority", "tie"]
    winner: str | None
    counts: Mapping[str, int]
    ballots: tuple[Ballot, ...]
    abstained: tuple[str, ...]
    missing: tuple[str, ...]
    twice: tuple[str, ...]
    confidence: float


class Vote:
    """One vote under way.

    Args:
        question: What is voted on.
        verify: Checks a ballot's signature.
    """

    def __init__(self, question: Question, verify: Verify) -> None:
        self.question = question
        self._verify = verify
        self._electorate = frozenset(question.electorate)
        self._digest = question.digest()
        self._ballots: dict[str, Ballot] = {}
        self._twice: dict[str, tuple[Ballot, Ballot]] = {}

    def cast(self, ballot: Ballot, now_ms: int) -> Refused | None:
        """Take a ballot; None where it counts, or is one that counts already, else why it does not.

        Two different ballots of one voter are kept as evidence, and neither counts.
        """
        if ballot.vote != self._digest:
            return "other-vote"
        if ballot.voter not in self._electorate:
            return "not-in-electorate"
        if ballot.option != ABSTAIN and ballot.option not in self.question.options:
            return "unknown-option"
        if now_ms > self.question.deadline_ms:
            return "late"
        if not self._verify(ballot):
            return "bad-signature"
        if ballot.voter in self._twice:
            return "second-ballot"
        before = self._ballots.get(ballot.voter)
        if before is not None and before.option != ballot.option:
            self._twice[ballot.voter] = (before, ballot)
            del self._ballots[ballot.voter]
            return "second-ballot"
        self._ballots.setdefault(ballot.voter, ballot)
        return None

    def spoken(self) -> frozenset[str]:
        """Return who has cast a ballot, or two."""
        return frozenset((*self._ballots, *self._twice))

    def over(self, now_ms: int) -> bool:
        """Tell whether nothing is left to wait for: the deadline has passed, or everybody has spoken."""
        return now_ms > self.question.deadline_ms or len(self._ballots) + len(self._twice) == len(
            self._electorate
        )

    def outcome(self) -> Outcome:
        """Count what is in."""
        return count(self.question, tuple(self._ballots.values()), tuple(self._twice))

    def evidence(self) -> Mapping[str, tuple[Ballot, Ballot]]:
        """Return the two ballots of everybody who signed two."""
        return dict(self._twice)


def count(question: Question, ballots: Sequence[Ballot], twice: Sequence[str] = ()) -> Outcome:
    """Count ballots that were checked, the same for everybody who holds the same ones."""
    by_voter = {ballot.voter: ballot for ballot in sorted(ballots, key=lambda ballot: ballot.voter)}
    chosen = Counter(ballot.option for ballot in by_voter.values() if ballot.option != ABSTAIN)
    counts = {option: chosen.get(option, 0) for option in question.options}
    spoken = sum(counts.values())
    most = max(counts.values())
    leaders = [option for option in question.options if counts[option] == most]
    winner = _of(leaders, question) if most else None
    kind: Literal["decided", "no-quorum", "no-majority", "tie"] = "decided"
    if len(by_voter) < question.quorum * len(question.electorate) or not by_voter:
        kind, winner = "no-quorum", None
    elif not spoken or (len(leaders) == 1 and most <= question.majority * spoken):
        kind, winner = "no-majority", None
    elif winner is None:
        kind = "tie"
    elif len(leaders) > 1 and most < question.majority * spoken:
        kind, winner = "no-majority", None
    return Outcome(
        question=question,
        kind=kind,
        winner=winner,
        counts=counts,
        ballots=tuple(by_voter.values()),
        abstained=tuple(ballot.voter for ballot in by_voter.values() if ballot.option == ABSTAIN),
        missing=tuple(sorted(set(question.electorate) - set(by_voter) - set(twice))),
        twice=tuple(sorted(twice)),
        confidence=(counts[winner] / len(question.electorate)) if winner is not None else 0.0,
    )


def recount(outcome: Outcome, verify: Verify) -> bool:
    """Tell whether an outcome follows from its ballots, every one of which its voter signed for this
    question.
    """
    digest = outcome.question.digest()
    voters = [ballot.voter for ballot in outcome.ballots]
    sound = len(set(voters)) == len(voters) and all(
        ballot.vote == digest
        and ballot.voter in outcome.question.electorate
        and (ballot.option == ABSTAIN or ballot.option in outcome.question.options)
        and verify(ballot)
        for ballot in outcome.ballots
    )
    return sound and count(outcome.question, outcome.ballots, outcome.twice) == outcome


def _of(leaders: Sequence[str], question: Question) -> str | None:
    if len(leaders) == 1 or question.tie == "first-option":
        return leaders[0]
    if question.tie == "undecided":
        return None
    return min(leaders, key=lambda option: hashlib.sha256(f"{question.id}\n{option}".encode()).digest())


def _distinct(name: str, values: Sequence[str], least: int, most: int) -> None:
    if not least <= len(values) <= most or len(set(values)) != len(values) or not all(values):
        which = "an empty one" if not all(values) else str(len(values))
        if len(set(values)) != len(values):
            which = "the same one twice"
        raise VoteError(f"{name}: expected {least} to {most} different, non-empty ones, got {which}")
