"""What is said while several agents solve something: ideas, remarks, results, each with what it rests on.

Rules: pure. A contribution is a signed word; its entries and their ids follow from it, so a transcript is the
words and nothing else. An entry names its parents, so that the way back from a result to the ideas and the
remarks it rests on is walked without asking anybody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, cast, get_args

from covey import limits
from covey.fleet.signed_word import Word, canonical
from covey.values import dataclass

Phase = Literal["brainstorm", "critique", "vote", "implement"]
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)
SAID: Final = "solve-said"
"""The word that a contribution is."""
_PROBLEM: Final = frozenset({"id", "text", "members", "seconds"})
_ITEM: Final = frozenset({"text", "parents", "score"})


class SolveError(ValueError):
    """A problem, a contribution or a transcript that is none; says which part, and what was expected."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be solved, by whom (nodeIds), and how long each phase may take."""

    id: str
    text: str
    members: tuple[str, ...]
    seconds: Mapping[Phase, float]

    def __post_init__(self) -> None:
        if not 0 < len(self.text) <= limits.SOLVE_TEXT_CHARS or not _unicode(self.text):
            raise SolveError(f"problem: expected 1 to {limits.SOLVE_TEXT_CHARS} characters")
        if not 0 < len(self.id) <= limits.VOTE_ID_CHARS or not self.id.isalnum():
            raise SolveError("id: expected letters and digits")
        if not 0 < len(self.members) <= limits.SOLVE_MEMBERS or len(set(self.members)) != len(self.members):
            raise SolveError(f"members: expected 1 to {limits.SOLVE_MEMBERS} different ones")
        for phase in PHASES:
            if not 0.0 < self.seconds.get(phase, 0.0) <= limits.DECIDE_SECONDS_MOST:
                raise SolveError(f"seconds: expected up to {limits.DECIDE_SECONDS_MOST:g} for {phase}")

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        seconds = {phase: float(self.seconds[phase]) for phase in PHASES}
        return {"id": self.id, "text": self.text, "members": list(self.members), "seconds": seconds}

    def digest(self) -> str:
        """Return what contributions are bound to: everything above."""
        return hashlib.sha256(canonical(self.to_dict())).hexdigest()

    def share(self) -> int:
        """Return how many bytes the ideas of one member may take, and its remarks likewise."""
        return limits.SOLVE_TOLD_BYTES // (2 * len(self.members))


@dataclass(frozen=True, slots=True)
class Item:
    """One thing said: a text, the entries it rests on, and in a remark how good the idea is (0 to 1)."""

    text: str
    parents: tuple[str, ...] = ()
    score: float | None = None

    def to_list(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"text": self.text, "parents": list(self.parents), "score": self.score}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a transcript. Its id follows from everything else in it."""

    id: str
    phase: Phase
    by: str
    text: str
    parents: tuple[str, ...] = ()
    score: float | None = None


def read_problem(value: object) -> Problem:
    """Read a problem that somebody else put.

    Raises:
        SolveError: It is none.
    """
    if not isinstance(value, Mapping) or set(value) != _PROBLEM:
        raise SolveError("problem: expected id, text, members and seconds")
    members, seconds = value["members"], value["seconds"]
    if not isinstance(value["id"], str) or not isinstance(value["text"], str):
        raise SolveError("problem: expected id and text as texts")
    if not isinstance(members, list) or not all(isinstance(each, str) for each in members):
        raise SolveError("members: expected nodeIds")
    if not isinstance(seconds, Mapping) or set(seconds) != set(PHASES):
        raise SolveError(f"seconds: expected {', '.join(PHASES)}")
    if any(isinstance(each, bool) or not isinstance(each, int | float) for each in seconds.values()):
        raise SolveError("seconds: expected numbers")
    limits_of = {phase: float(seconds[phase]) for phase in PHASES}
    return Problem(value["id"], value["text"], tuple(members), limits_of)


def said_body(digest: str, phase: Phase, items: Iterable[Item]) -> dict[str, Any]:
    """Return the body of a contribution."""
    return {"solve": digest, "phase": phase, "items": [each.to_list() for each in items]}


def read_said(word: Word) -> tuple[str, list[Entry]]:
    """Return which problem a contribution is to, and its entries.

    Raises:
        SolveError: It is none, or past a bound.
    """
    digest, phase, items = (word.body.get(name) for name in ("solve", "phase", "items"))
    if not isinstance(digest, str) or phase not in PHASES:
        raise SolveError("contribution: expected solve and phase")
    if not isinstance(items, list) or len(items) > limits.SOLVE_ITEMS:
        raise SolveError(f"items: expected at most {limits.SOLVE_ITEMS}")
    return digest, [_entry(digest, cast("Phase", phase), word.by, each) for each in items]


def entry_dict(entry: Entry) -> dict[str, Any]:
    """Return an entry as it is told to members: what its id follows from."""
    rest = {"text": entry.text, "parents": list(entry.parents), "score": entry.score}
    return {"phase": entry.phase, "by": entry.by, **rest}


def read_entries(digest: str, values: object) -> list[Entry]:
    """Read entries that were told; their ids follow from what they say.

    Raises:
        SolveError: One is none.
    """
    if not isinstance(values, list) or len(values) > 2 * limits.SOLVE_ITEMS * limits.SOLVE_MEMBERS:
        raise SolveError("entries: expected a list")
    found = []
    for value in values:
        if not isinstance(value, Mapping) or value.get("phase") not in PHASES:
            raise SolveError("entries: expected phase, by, text, parents and score")
        by = value.get("by")
        item = {name: value[name] for name in value if name not in ("phase", "by")}
        if not isinstance(by, str):
            raise SolveError("by: expected a nodeId")
        found.append(_entry(digest, value["phase"], by, item))
    return found


def lineage(entries: Sequence[Entry], entry_id: str) -> list[Entry]:
    """Return an entry and everything it rests on, in the order it was said."""
    known = {each.id: each for each in entries}
    wanted, found = [entry_id], set()
    while wanted:
        each = wanted.pop()
        if each in known and each not in found:
            found.add(each)
            wanted += known[each].parents
    return [each for each in entries if each.id in found]


def standing(idea: Entry, remarks: Iterable[Entry]) -> float:
    """Return how good an idea is by what was said of it, as if one had said one half before anybody did."""
    scores = [each.score for each in remarks if idea.id in each.parents and each.score is not None]
    return (sum(scores) + 0.5) / (len(scores) + 1)


def _entry(digest: str, phase: Phase, by: str, value: object) -> Entry:
    if not isinstance(value, Mapping) or set(value) != _ITEM:
        raise SolveError("item: expected text, parents and score")
    text, parents, score = value["text"], value["parents"], value["score"]
    most = limits.SOLVE_RESULT_CHARS if phase == "implement" else limits.SOLVE_TEXT_CHARS
    if not isinstance(text, str) or not 0 < len(text) <= most or not _unicode(text):
        raise SolveError(f"text: expected 1 to {most} characters")
    if not isinstance(parents, list) or len(parents) > limits.SOLVE_ITEMS * limits.SOLVE_MEMBERS:
        raise SolveError("parents: expected ids of entries")
    if any(not isinstance(each, str) or len(each) > limits.VOTE_ID_CHARS for each in parents):
        raise SolveError("parents: expected ids of entries")
    if score is not None:
        if isinstance(score, bool) or not isinstance(score, int | float) or not 0.0 <= score <= 1.0:
            raise SolveError("score: expected a number from 0 to 1, or null")
        score = float(score)
    said = canonical([digest, phase, by, text, parents, score])
    return Entry(hashlib.sha256(said).hexdigest(), phase, by, text, tuple(parents), score)


def _unicode(text: str) -> bool:
    return not any("\ud800" <= each <= "\udfff" for each in text)
