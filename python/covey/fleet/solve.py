"""Solving together: ideas, what is wrong with them, a vote, and one who makes what was chosen.

Rules: sans-IO, methods return effects; time and who is here come in. A phase ends when all who are here have
spoken, or at its deadline: whoever is silent, late or gone takes no part in it, and the rest goes on. Whoever
comes while it lasts is asked then; the first one waits a moment for those who have not been here at all.
Every end is a typed one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import field
from typing import Final, Literal

from covey import limits
from covey.fleet.signed_word import Word, canonical
from covey.fleet.transcript import Entry, Phase, Problem, SolveError, read_said, standing
from covey.values import dataclass

Stage = Literal["solved", "no-ideas", "not-decided", "not-implemented"]
Refused = Literal[
    "not-a-member", "other-solve", "malformed", "wrong-phase", "second-word", "unknown-parent", "too-large"
]
NONE: Final = "none of these"
"""The option that wants no idea at all."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask a member to take its part in a phase, with everything it should know; it has that many seconds."""

    member: str
    phase: Phase
    entries: tuple[Entry, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Poll:
    """Hold a vote among the members; `polled` takes its outcome."""

    text: str
    options: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Over:
    """It has ended: `chosen` is the idea, `result` what was made of it, `silent` who was so in a phase."""

    stage: Stage
    chosen: Entry | None = None
    result: Entry | None = None
    silent: tuple[tuple[Phase, str], ...] = ()


Effect = Ask | Poll | Over


@dataclass(slots=True)
class Solve:
    """One problem under way.

    Args:
        problem: What is to be solved.
    """

    problem: Problem
    phase: Phase | None = None
    words: list[Word] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    chosen: Entry | None = None
    _until: float = 0.0
    _gathered_by: float = 0.0
    _missing: set[str] = field(default_factory=set)
    """Members who have not been here yet."""
    _here: frozenset[str] = frozenset()
    _spoken: set[str] = field(default_factory=set)
    _silent: list[tuple[Phase, str]] = field(default_factory=list)
    _builders: list[str] = field(default_factory=list)
    _builder: str | None = None

    def begin(self, now: float, present: Collection[str]) -> list[Effect]:
        """Ask for ideas."""
        self._missing = set(self.problem.members)
        self._gathered_by = now + min(limits.SOLVE_GATHER_SECONDS, self.problem.seconds["brainstorm"])
        return self._ask("brainstorm", now, present)

    def said(self, word: Word, now: float) -> Refused | None:
        """Take a contribution; None where it counts."""
        try:
            digest, entries = read_said(word)
        except SolveError:
            return "malformed"
        if digest != self.problem.digest():
            return "other-solve"
        if word.by not in self.problem.members:
            return "not-a-member"
        if word.body["phase"] != self.phase or self.phase == "vote" or now > self._until:
            return "wrong-phase"
        if word.by in self._spoken or (self.phase == "implement" and word.by != self._builder):
            return "second-word"
        known = {each.id for each in self.entries}
        if any(not set(each.parents) <= known for each in entries):
            return "unknown-parent"
        if self.phase != "implement" and len(canonical(word.body["items"])) > self.problem.share():
            return "too-large"
        self._spoken.add(word.by)
        self.words.append(word)
        self.entries += [each for each in dict.fromkeys(entries) if each.id not in known]
        return None

    def next_deadline(self) -> float | None:
        """Return when `tick` is wanted, or None while a vote is held or nothing is left."""
        if self.phase in (None, "vote"):
            return None
        return self._gathered_by if self._gathering() else self._until

    def tick(self, now: float, present: Collection[str]) -> list[Effect]:
        """Ask who has come; go on where everybody who is here has spoken, or time is up."""
        if self.phase is None:
            return []
        if self.phase == "implement":
            return self._build_on(now, present)
        newcomers = self._asks(now, present)
        if self.phase == "vote":
            return list(newcomers)
        if now >= self._gathered_by:
            self._missing.clear()
        waiting = (set(self.problem.members) & set(present)) - self._spoken
        if (waiting or self._gathering()) and now < self._until:
            return list(newcomers)
        self._note_silent()
        if self.phase == "brainstorm":
            if not self.ideas():
                return self._end("no-ideas")
            return self._ask("critique", now, present)
        asks = self._ask("vote", now, present)
        return [*asks, Poll(question(self.problem), self.options(), self.problem.seconds["vote"])]

    def polled(self, winner: str | None, now: float, present: Collection[str]) -> list[Effect]:
        """Take what the vote decided; None where it decided nothing."""
        if self.phase != "vote":
            return []
        found = [each for each in self.ideas() if option(each) == winner]
        if not found:
            return self._end("not-decided")
        self.chosen = found[0]
        self.phase = "implement"
        others = sorted(
            (each for each in self.problem.members if each != self.chosen.by),
            key=lambda each: hashlib.sha256(f"{self.problem.id}\n{each}".encode()).digest(),
        )
        self._builders = [self.chosen.by, *others]
        return self._next_builder(now, present)

    def ideas(self) -> list[Entry]:
        """Return the ideas, in the order they came."""
        return [each for each in self.entries if each.phase == "brainstorm"]

    def remarks(self) -> list[Entry]:
        """Return what was said of them."""
        return [each for each in self.entries if each.phase == "critique"]

    def options(self) -> tuple[str, ...]:
        """Return what is voted on: the ideas that stand best, as many as a vote has, and none of them."""
        return options(self.entries)

    # --- below ----------------------------------------------------------------------------------

    def _ask(self, phase: Phase, now: float, present: Collection[str]) -> list[Effect]:
        seconds = self.problem.seconds[phase]
        self.phase, self._spoken, self._until, self._here = phase, set(), now + seconds, frozenset()
        return list(self._asks(now, present))

    def _asks(self, now: float, present: Collection[str]) -> list[Ask]:
        """Ask those who have come since the last look and have not spoken, for the time that is left."""
        came = [each for each in self.problem.members if each in present and each not in self._here]
        self._here = frozenset(present)
        self._missing -= self._here
        left, known, phase = self._until - now, tuple(self.entries), self.phase
        if phase is None or left <= 0:
            return []
        return [Ask(each, phase, known, left) for each in came if each not in self._spoken]

    def _gathering(self) -> bool:
        """Tell whether the first phase still waits for members who have not been here yet."""
        return self.phase == "brainstorm" and bool(self._missing)

    def _note_silent(self) -> None:
        if self.phase is not None:
            self._silent += [(self.phase, each) for each in self.problem.members if each not in self._spoken]

    def _build_on(self, now: float, present: Collection[str]) -> list[Effect]:
        built = [each for each in self.entries if each.phase == "implement"]
        if built:
            return self._end("solved", built[0])
        if self._builder in present and self._builder not in self._spoken and now < self._until:
            return []
        if self._builder is not None:
            self._silent.append(("implement", self._builder))
        return self._next_builder(now, present)

    def _next_builder(self, now: float, present: Collection[str]) -> list[Effect]:
        asked = sum(1 for phase, _ in self._silent if phase == "implement")
        able = [each for each in self._builders if each in present]
        if not able or asked >= limits.SOLVE_BUILDERS:
            return self._end("not-implemented")
        self._builder = able[0]
        self._builders.remove(self._builder)
        seconds = self.problem.seconds["implement"]
        self._spoken, self._until = set(), now + seconds
        return [Ask(self._builder, "implement", tuple(self.entries), seconds)]

    def _end(self, stage: Stage, result: Entry | None = None) -> list[Effect]:
        self.phase = None
        return [Over(stage, self.chosen, result, tuple(self._silent))]


def question(problem: Problem) -> str:
    """Return the question of a solve's vote; members know by it which solve it belongs to."""
    return f"solve {problem.digest()}: which idea?"


def option(idea: Entry) -> str:
    """Return an idea as an option: how its id begins, and how its text does."""
    text = " ".join(idea.text.split())
    return f"{idea.id[:12]} {text[: limits.SOLVE_OPTION_CHARS]}".strip()


def options(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return what is voted on, from everything that was said: the same for everybody who reads it."""
    remarks = [each for each in entries if each.phase == "critique"]
    ideas = [each for each in entries if each.phase == "brainstorm"]
    best = sorted(ideas, key=lambda each: (-standing(each, remarks), each.id))
    return (*(option(each) for each in best[: limits.VOTE_OPTIONS - 1]), NONE)
