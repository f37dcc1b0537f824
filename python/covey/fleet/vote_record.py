"""What is kept of a vote: question, ballots, outcome and whoever counted, so that anybody can count again.

Rules: pure. Whoever checks a record needs the voters' keys and nothing else: every ballot is signed by its
voter, every voided one stands there twice, the outcome follows from them, and the caller signed the whole.
What only the caller saw, which ballots came in time, is what its signature answers for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from covey import limits, typed
from covey.fleet.signed_word import Signer, WordError, canonical, signature, signed, written
from covey.fleet.vote import ABSTAIN, STATEMENT, Ballot, Outcome, Question, VoteError, count
from covey.values import dataclass

RECORD: Final = "x-covey-vote-record-v1"
"""The kind under which a caller signs a record."""
KeyOf = Callable[[str], bytes | None]
"""Gives the key that is known of a node, or None."""
_QUESTION: Final = ("id", "text", "options", "electorate", "deadline_ms", "quorum", "majority", "tie")
_MEMBERS: Final = frozenset(
    {"schema", "question", "caller", "ballots", "twice", "outcome", "ended_ms", "trace", "signature"}
)


@dataclass(frozen=True, slots=True)
class VoteRecord:
    """A vote that is over.

    `twice` has both ballots of everybody who signed two. `caller` is who called and counted, `ended_ms` its
    clock when it did, `trace` the first message of the vote.
    """

    outcome: Outcome
    caller: str
    twice: tuple[tuple[Ballot, Ballot], ...] = ()
    ended_ms: int = 0
    trace: str = ""
    signature: bytes = b""

    @property
    def question(self) -> Question:
        """Return what was voted on."""
        return self.outcome.question

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {**self._unsigned(), "signature": written(self.signature)}

    def body(self) -> bytes:
        """Return what the caller signs."""
        return canonical(self._unsigned())

    def _unsigned(self) -> dict[str, Any]:
        outcome = self.outcome
        return {
            "schema": RECORD,
            "question": question_dict(outcome.question),
            "caller": self.caller,
            "ballots": [[each.voter, each.option, written(each.signature)] for each in outcome.ballots],
            "twice": [
                [a.voter, a.option, written(a.signature), b.option, written(b.signature)]
                for a, b in self.twice
            ],
            "outcome": summary(outcome),
            "ended_ms": self.ended_ms,
            "trace": self.trace,
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check of a record found: nothing in `problems` means that it holds."""

    problems: tuple[str, ...]
    ballots: int

    @property
    def holds(self) -> bool:
        """Tell whether the record is what it says."""
        return not self.problems


def close(signer: Signer, record: VoteRecord) -> VoteRecord:
    """Return a record signed by its caller."""
    return replace(record, signature=signer.sign_statement(RECORD, record.body()))


def check(record: VoteRecord, key_of: KeyOf) -> Finding:
    """Count a record again, from its ballots and the keys that are known here."""
    found: list[str] = []
    digest, electorate = record.question.digest(), frozenset(record.question.electorate)
    key = key_of(record.caller)
    if key is None:
        found.append(f"caller {record.caller}: its key is not known here")
    elif not signed(RECORD, record.body(), record.signature, key):
        found.append(f"caller {record.caller}: did not sign this record")
    pairs = [ballot for pair in record.twice for ballot in pair]
    for ballot in (*record.outcome.ballots, *pairs):
        found += _wrong(ballot, digest, electorate, record.question.options, key_of)
    voters = [each.voter for each in record.outcome.ballots] + [a.voter for a, _ in record.twice]
    if len(set(voters)) != len(voters):
        found.append("ballots: a voter stands there more than once")
    if any(a.option == b.option or a.voter != b.voter for a, b in record.twice):
        found.append("twice: two ballots of one voter must differ")
    again = count(record.question, record.outcome.ballots, [a.voter for a, _ in record.twice])
    if summary(again) != summary(record.outcome):
        found.append(f"outcome: says {_said(record.outcome)}, the ballots say {_said(again)}")
    return Finding(tuple(found), len(record.outcome.ballots))


def question_dict(question: Question) -> dict[str, Any]:
    """Return a question as plain JSON values."""
    found = {name: getattr(question, name) for name in _QUESTION}
    shares = {"quorum": float(question.quorum), "majority": float(question.majority)}
    return {**found, **shares, "options": list(question.options), "electorate": list(question.electorate)}


def read_question(value: object) -> Question:
    """Read a question that somebody else put.

    Raises:
        VoteError: It is none, or past a bound.
    """
    if not isinstance(value, Mapping) or set(value) != set(_QUESTION):
        raise VoteError(f"question: expected {', '.join(_QUESTION)}")
    for name in ("id", "text", "tie"):
        if not isinstance(value[name], str):
            raise VoteError(f"{name}: expected text")
    if value["tie"] not in ("undecided", "first-option", "by-hash"):
        raise VoteError(f"tie: unknown policy {value['tie'][:40]!r}")
    deadline = value["deadline_ms"]
    if type(deadline) is not int or not 0 <= deadline <= limits.JSON_INTEGER:
        raise VoteError("deadline_ms: expected milliseconds")
    shares = {}
    for name in ("quorum", "majority"):
        shares[name] = _number(name, value[name])
    question = Question(
        value["id"],
        value["text"],
        _texts("options", value["options"]),
        _texts("electorate", value["electorate"]),
        deadline,
        shares["quorum"],
        shares["majority"],
        value["tie"],
    )
    try:
        question.digest()
    except UnicodeEncodeError as error:
        raise VoteError("question: a text in it is no Unicode") from error
    return question


def read_record(value: object) -> VoteRecord:
    """Read a record; nothing of it is checked but its shape.

    Raises:
        VoteError: It is none.
    """
    if not isinstance(value, Mapping) or set(value) != _MEMBERS or value["schema"] != RECORD:
        raise VoteError("record: this is no record of a vote")
    question = read_question(value["question"])
    digest, outcome = question.digest(), value["outcome"]
    try:
        ballots = tuple(_ballot(digest, *row) for row in _rows("ballots", value["ballots"], 3))
        twice = tuple(
            (_ballot(digest, voter, a, x), _ballot(digest, voter, b, y))
            for voter, a, x, b, y in _rows("twice", value["twice"], 5)
        )
        closing = signature(value["signature"])
    except WordError as error:
        raise VoteError(str(error)) from error
    if type(value["ended_ms"]) is not int or not all(isinstance(value[n], str) for n in ("caller", "trace")):
        raise VoteError("record: expected caller, ended_ms and trace")
    told = _outcome(question, ballots, outcome)
    return VoteRecord(told, value["caller"], twice, value["ended_ms"], value["trace"], closing)


def summary(outcome: Outcome) -> dict[str, Any]:
    """Return what an outcome says, without the ballots it says it of."""
    return {
        "kind": outcome.kind,
        "winner": outcome.winner,
        "counts": dict(outcome.counts),
        "abstained": list(outcome.abstained),
        "missing": list(outcome.missing),
        "twice": list(outcome.twice),
        "confidence": outcome.confidence,
    }


def _outcome(question: Question, ballots: tuple[Ballot, ...], said: object) -> Outcome:
    if not isinstance(said, Mapping) or set(said) != set(summary(count(question, ()))):
        raise VoteError("outcome: expected kind, winner, counts, abstained, missing, twice and confidence")
    counts = said["counts"]
    if not isinstance(counts, Mapping) or not all(type(each) is int for each in counts.values()):
        raise VoteError("outcome: expected counts")
    if said["kind"] not in ("decided", "no-quorum", "no-majority", "tie"):
        raise VoteError("outcome: unknown kind")
    if said["winner"] is not None and said["winner"] not in question.options:
        raise VoteError("outcome: the winner is none of the options")
    return Outcome(
        question,
        said["kind"],
        said["winner"],
        dict(counts),
        ballots,
        _texts("abstained", said["abstained"]),
        _texts("missing", said["missing"]),
        _texts("twice", said["twice"]),
        _number("confidence", said["confidence"]),
    )


def _number(name: str, value: object) -> float:
    try:
        return typed.amount(value, name)
    except typed.WrongTypeError as error:
        raise VoteError(str(error)) from error


def _wrong(
    ballot: Ballot, digest: str, electorate: frozenset[str], options: Sequence[str], key_of: KeyOf
) -> list[str]:
    who = f"ballot of {ballot.voter}"
    if ballot.vote != digest:
        return [f"{who}: is of another vote"]
    if ballot.voter not in electorate:
        return [f"{who}: is not in the electorate"]
    if ballot.option != ABSTAIN and ballot.option not in options:
        return [f"{who}: names no option"]
    key = key_of(ballot.voter)
    if key is None:
        return [f"{who}: its key is not known here"]
    return [] if signed(STATEMENT, ballot.body(), ballot.signature, key) else [f"{who}: is not signed by it"]


def _said(outcome: Outcome) -> str:
    return f"{outcome.kind} {outcome.winner or ''}".strip() + f" {dict(outcome.counts)}"


def _ballot(digest: str, voter: object, option: object, raw: object) -> Ballot:
    if not isinstance(voter, str) or not isinstance(option, str):
        raise VoteError("ballots: expected voter, option and signature")
    return Ballot(digest, voter, option, signature(raw))


def _rows(name: str, value: object, width: int) -> list[list[Any]]:
    if not isinstance(value, list) or len(value) > limits.VOTE_ELECTORATE:
        raise VoteError(f"{name}: expected a list of at most {limits.VOTE_ELECTORATE}")
    if any(not isinstance(row, list) or len(row) != width for row in value):
        raise VoteError(f"{name}: expected rows of {width}")
    return value


def _texts(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > limits.VOTE_ELECTORATE:
        raise VoteError(f"{name}: expected a list of at most {limits.VOTE_ELECTORATE}")
    if any(not isinstance(each, str) or len(each) > limits.VOTE_OPTION_CHARS for each in value):
        raise VoteError(f"{name}: expected texts of at most {limits.VOTE_OPTION_CHARS} characters")
    return tuple(value)
