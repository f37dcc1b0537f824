"""What is kept of solving something together: every contribution as its author signed it, the vote, the end.

Rules: pure. Entries and lineage follow from the words, the options of the vote from the entries, what was
chosen from the vote, and the result from whom that names; whoever has the keys checks all of it offline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, get_args

from covey import limits
from covey.fleet import signed_word as sw
from covey.fleet import vote_record as vr
from covey.fleet.signed_word import Signer, Word, WordError, canonical, written
from covey.fleet.solve import Stage, option, options, question
from covey.fleet.transcript import SAID, Entry, Phase, Problem, SolveError, lineage, read_problem, read_said
from covey.fleet.vote import VoteError
from covey.fleet.vote_record import Finding, KeyOf, VoteRecord
from covey.values import dataclass

RECORD: Final = "x-covey-solve-record-v1"
"""The kind under which whoever called signs a record."""
_MEMBERS: Final = frozenset(
    {
        "schema",
        "problem",
        "caller",
        "words",
        "vote",
        "stage",
        "chosen",
        "result",
        "silent",
        "ended_ms",
        "trace",
        "signature",
    }
)


@dataclass(frozen=True, slots=True)
class SolveRecord:
    """A problem that was worked on together. `chosen` and `result` are ids of entries, or None."""

    problem: Problem
    caller: str
    words: tuple[Word, ...]
    vote: VoteRecord | None
    stage: Stage
    chosen: str | None = None
    result: str | None = None
    silent: tuple[tuple[Phase, str], ...] = ()
    ended_ms: int = 0
    trace: str = ""
    signature: bytes = b""

    def entries(self) -> list[Entry]:
        """Return the transcript, in the order it was said.

        Raises:
            SolveError: A word in it is no contribution.
        """
        return [entry for word in self.words for entry in read_said(word)[1]]

    def lineage(self) -> list[Entry]:
        """Return the result, or what was chosen, and everything it rests on."""
        last = self.result or self.chosen
        return [] if last is None else lineage(self.entries(), last)

    def answer(self) -> str | None:
        """Return what was made, or None."""
        return next((each.text for each in self.entries() if each.id == self.result), None)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {**self._unsigned(), "signature": written(self.signature)}

    def body(self) -> bytes:
        """Return what the caller signs."""
        return canonical(self._unsigned())

    def _unsigned(self) -> dict[str, Any]:
        return {
            "schema": RECORD,
            "problem": self.problem.to_dict(),
            "caller": self.caller,
            "words": [each.to_dict() for each in self.words],
            "vote": None if self.vote is None else self.vote.to_dict(),
            "stage": self.stage,
            "chosen": self.chosen,
            "result": self.result,
            "silent": [list(each) for each in self.silent],
            "ended_ms": self.ended_ms,
            "trace": self.trace,
        }


def close(signer: Signer, record: SolveRecord) -> SolveRecord:
    """Return a record signed by whoever called."""
    return replace(record, signature=signer.sign_statement(RECORD, record.body()))


def check(record: SolveRecord, key_of: KeyOf) -> Finding:
    """Check a record by the keys that are known here."""
    found: list[str] = []
    key = key_of(record.caller)
    if key is None:
        found.append(f"caller {record.caller}: its key is not known here")
    elif not sw.signed(RECORD, record.body(), record.signature, key):
        found.append(f"caller {record.caller}: did not sign this record")
    seen: set[str] = set()
    spoken: set[tuple[str, object]] = set()
    for word in record.words:
        problem = _wrong(word, record, seen, key_of)
        if (word.by, word.body.get("phase")) in spoken:
            problem = problem or "speaks twice in one phase"
        spoken.add((word.by, word.body.get("phase")))
        if problem is not None:
            found.append(f"{word.body.get('phase')} of {word.by}: {problem}")
    if record.vote is not None:
        found += [f"vote: {each}" for each in vr.check(record.vote, key_of).problems]
    if not found:  # only what is signed is worth being held against the rules
        found += _end(record)
    return Finding(tuple(found), len(record.words))


def read_record(value: object) -> SolveRecord:
    """Read a record; nothing of it is checked but its shape.

    Raises:
        SolveError: It is none.
    """
    if not isinstance(value, Mapping) or set(value) != _MEMBERS or value["schema"] != RECORD:
        raise SolveError("record: this is no record of solving something")
    if value["stage"] not in get_args(Stage):
        raise SolveError("stage: unknown")
    if not all(isinstance(value[name], str | None) for name in ("chosen", "result")):
        raise SolveError("record: expected chosen and result as ids or null")
    if type(value["ended_ms"]) is not int or not all(isinstance(value[n], str) for n in ("caller", "trace")):
        raise SolveError("record: expected caller, ended_ms and trace")
    words, silent = value["words"], value["silent"]
    if not isinstance(words, list) or len(words) > limits.SOLVE_MEMBERS * 3:
        raise SolveError("words: expected the words of the phases")
    if not isinstance(silent, list) or any(
        not isinstance(each, list) or len(each) != 2 or not all(isinstance(e, str) for e in each)
        for each in silent
    ):
        raise SolveError("silent: expected pairs of phase and member")
    try:
        said = tuple(sw.read(each) for each in words)
        closing = sw.signature(value["signature"])
        vote = None if value["vote"] is None else vr.read_record(value["vote"])
    except (WordError, VoteError) as error:
        raise SolveError(str(error)) from error
    return SolveRecord(
        read_problem(value["problem"]),
        value["caller"],
        said,
        vote,
        value["stage"],
        value["chosen"],
        value["result"],
        tuple((phase, who) for phase, who in silent),
        value["ended_ms"],
        value["trace"],
        closing,
    )


def _wrong(word: Word, record: SolveRecord, seen: set[str], key_of: KeyOf) -> str | None:
    """Return what is wrong with a contribution, or None; its entries are seen afterwards."""
    if word.word != SAID or word.to != record.caller or word.by not in record.problem.members:
        return "is no contribution of a member to its caller"
    try:
        digest, entries = read_said(word)
    except SolveError as error:
        return str(error)
    if digest != record.problem.digest():
        return "is to another problem"
    if any(not set(each.parents) <= seen for each in entries):
        return "rests on what was not said before"
    seen.update(each.id for each in entries)
    key = key_of(word.by)
    if key is None:
        return "its key is not known here"
    return None if sw.holds(word, key) else "is not signed by it"


def _end(record: SolveRecord) -> list[str]:
    entries = record.entries()
    by_id = {each.id: each for each in entries}
    found = []
    if record.vote is not None:
        asked = record.vote.question
        if asked.text != question(record.problem) or asked.options != options(entries):
            found.append("vote: is about something else")
        if set(asked.electorate) != set(record.problem.members):
            found.append("vote: is of other members")
    winner = None if record.vote is None else record.vote.outcome.winner
    chosen = None if record.chosen is None else by_id.get(record.chosen)
    result = None if record.result is None else by_id.get(record.result)
    named = chosen is not None and chosen.phase == "brainstorm" and option(chosen) == winner
    match record.stage:
        case "solved":
            made = result is not None and result.phase == "implement" and record.chosen in result.parents
            holds = named and made
        case "not-implemented":
            holds = named and record.result is None
        case "not-decided":
            holds = record.vote is not None and record.chosen is None and record.result is None
        case "no-ideas":
            holds = not entries and record.vote is None and record.chosen is None and record.result is None
    return found if holds else [*found, f"outcome: says {record.stage}, and what was said does not"]
