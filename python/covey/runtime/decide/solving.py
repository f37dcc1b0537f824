"""Solving together over a bus: one call with four phases, and the mind that takes part in others' calls.

Rules: on the loop's thread. A mind's method gets the seconds its phase has left, and what it raises is
silence; whoever is silent, gone or late holds nobody up. The vote is a vote like any other.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from covey import limits
from covey.errors import UsageError
from covey.fleet import arguments as args
from covey.fleet import solve_record as sr
from covey.fleet.message import Message, MessageType
from covey.fleet.signed_word import Word, canonical
from covey.fleet.solve import NONE, Ask, Effect, Over, Poll, Solve, option, question
from covey.fleet.solve_record import SolveRecord
from covey.fleet.transcript import (
    SAID,
    Entry,
    Item,
    Phase,
    Problem,
    SolveError,
    entry_dict,
    read_entries,
    read_problem,
    said_body,
    standing,
)
from covey.fleet.vote import ABSTAIN, Question
from covey.runtime.decide.book import Book, is_id, meant
from covey.runtime.decide.post import Post
from covey.runtime.decide.votes import Votes
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.fleet.vote_record import Finding, VoteRecord

_KIND = MessageType.COLLABORATION_INVITE


@dataclass(frozen=True, slots=True)
class Remark:
    """What somebody thinks of an idea; `score` from 0 to 1, or None where it does not say."""

    idea: Entry
    text: str
    score: float | None = None


class Mind:
    """Takes part in solving. Override what it can do; an agent without a mind says nothing, and abstains."""

    async def brainstorm(self, problem: str) -> Sequence[str]:
        """Return ideas."""
        return []

    async def critique(self, problem: str, ideas: Sequence[Entry]) -> Sequence[Remark]:
        """Return what is wrong, or good, with ideas."""
        return []

    async def choose(self, problem: str, ideas: Sequence[Entry], remarks: Sequence[Entry]) -> Entry | None:
        """Return the idea to vote for, or None for none of them; by default the one that stands best."""
        return max(ideas, key=lambda each: (standing(each, remarks), each.id), default=None)

    async def implement(self, problem: str, idea: Entry, remarks: Sequence[Entry]) -> str | None:
        """Return what was made of an idea, or None to leave it to somebody else."""
        return None


@dataclass(slots=True)
class _Run:
    """A problem that is solved here."""

    solve: Solve
    digest: str
    root: Message | None = None
    over: Over | None = None
    vote: VoteRecord | None = None
    polling: asyncio.Task[None] | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class _Part:
    """A problem that this agent helps to solve."""

    problem: Problem
    caller: str
    until: float
    entries: asyncio.Future[list[Entry]]
    spoken: set[Phase] = field(default_factory=set)


class Solving:
    """One agent's part in solving: the problems it puts, and those it helps with.

    Args:
        post: Its address.
        votes: Its votes.
        book: Where transcripts are kept.
    """

    def __init__(self, post: Post, votes: Votes, book: Book) -> None:
        self._post = post
        self._votes = votes
        self._book = book
        self._mind: Mind | None = None
        self._runs: dict[str, _Run] = {}
        self._parts: OrderedDict[str, _Part] = OrderedDict()
        post.serve("solve-ask", self._on_ask)
        post.serve(SAID, self._on_said)
        post.serve("solve-over", self._on_over)
        votes.choosing(self._mine, self._choose)

    def join(self, mind: Mind) -> None:
        """Let a mind take part in what others solve, and in what this agent does."""
        self._mind = mind

    async def solve(
        self,
        text: str,
        *,
        members: Sequence[str] | None = None,
        brainstorm: float = limits.BRAINSTORM_SECONDS,
        critique: float = limits.CRITIQUE_SECONDS,
        vote: float = limits.SOLVE_VOTE_SECONDS,
        implement: float = limits.IMPLEMENT_SECONDS,
    ) -> SolveRecord:
        """Put a problem to several agents; return what came of it.

        Args:
            text: The problem.
            members: Names or nodeIds; None: everybody trusted who listens, this agent included.
            brainstorm, critique, vote: Seconds of each phase; less where everybody has spoken.
            implement: Seconds for each member that is asked to make what was chosen; at most three are.

        Returns:
            The transcript, signed and kept: `stage` is solved, no-ideas, not-decided or not-implemented,
            `answer()` what was made, `lineage()` what it rests on.

        Raises:
            UsageError: It cannot be put so, or a member is not known.
        """
        args.text("solve", "text", text, limits.SOLVE_TEXT_CHARS)
        seconds = _phases(brainstorm, critique, vote, implement)
        here = self._post.here()
        chosen = sorted(here if members is None else self._post.nodes_of("solve", "members", members))
        try:
            made = self._post.world.entropy.bytes(16).hex()
            problem = Problem(made, text, tuple(chosen), seconds)
        except SolveError as error:
            raise UsageError(f"solve: {error}") from error
        unknown = [each for each in chosen if await self._post.key_of(each) is None]
        if unknown:
            raise UsageError(f"member {unknown[0]}: its key is not known here")
        run = _Run(Solve(problem), problem.digest())
        self._runs[run.digest] = run
        try:
            over = await self._go(run)
        finally:
            del self._runs[run.digest]
            if run.polling is not None:
                run.polling.cancel()
        return await self._close(run, over)

    def kept(self) -> list[str]:
        """Return the ids of transcripts kept here, the newest first. Blocks."""
        return self._book.ids("solves")

    def record(self, solve_id: str) -> SolveRecord:
        """Return a kept transcript, by its id or how that begins. Blocks.

        Raises:
            DecisionError: It is not kept here.
            UsageError: Several begin so.
            StoreError: What is kept is no such record.
        """
        return meant(self._book, "solves", solve_id, sr.read_record)

    async def check(self, record: SolveRecord) -> Finding:
        """Check a transcript by the keys that are known here."""
        who = {record.caller, *record.problem.members, *(each.by for each in record.words)}
        known = {each: await self._post.key_of(each) for each in who}
        return sr.check(record, known.get)

    # --- the caller's half ----------------------------------------------------------------------

    async def _go(self, run: _Run) -> Over:
        clock = self._post.world.clock
        self._do(run, run.solve.begin(clock.monotonic(), self._post.here()))
        while run.over is None:
            self._do(run, run.solve.tick(clock.monotonic(), self._post.here()))
            if run.over is not None:
                break
            due = run.solve.next_deadline()
            left = limits.DECIDE_LOOK_SECONDS if due is None else due - clock.monotonic()
            run.news.clear()
            try:
                wait = min(max(left, 0.001), limits.DECIDE_LOOK_SECONDS)
                await asyncio.wait_for(run.news.wait(), wait)
            except TimeoutError:
                continue  # nothing came: look again who is here, and what time it is
        return run.over

    def _do(self, run: _Run, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Ask():
                    body = {
                        "problem": run.solve.problem.to_dict(),
                        "phase": effect.phase,
                        "entries": [entry_dict(each) for each in effect.entries],
                        "chosen": None if run.solve.chosen is None else run.solve.chosen.id,
                    }
                    _, receipt = self._post.send(
                        effect.member, _KIND, "solve-ask", body, answers=run.root, seconds=effect.seconds
                    )
                    run.root = run.root or receipt.message
                case Poll():
                    run.polling = asyncio.ensure_future(self._poll(run, effect))
                case Over():
                    run.over = effect

    async def _poll(self, run: _Run, poll: Poll) -> None:
        """Hold the vote; a vote that cannot be held decides nothing."""
        members = run.solve.problem.members
        winner: str | None = None
        try:
            run.vote = await self._votes.call(
                poll.text, poll.options, voters=members, seconds=poll.seconds, majority=0.0, tie="by-hash"
            )
            winner = run.vote.outcome.winner
        except Exception as error:  # contained: the solve ends undecided, and the log says why
            self._post.world.say("error", "solve-vote-failed", error=repr(error))
        self._do(run, run.solve.polled(winner, self._post.world.clock.monotonic(), self._post.here()))
        run.news.set()

    async def _on_said(self, word: Word, _: Message) -> None:
        run = self._runs.get(str(word.body.get("solve")))
        refused: str | None = "over"
        if run is not None:
            refused = run.solve.said(word, self._post.world.clock.monotonic())
            run.news.set()
        self._post.counts["contributions" if refused is None else f"contributions-{refused}"] += 1
        if refused is not None:
            self._post.world.say("warn", "solve-turned-away", by=word.by, reason=refused)

    async def _close(self, run: _Run, over: Over) -> SolveRecord:
        world = self._post.world
        record = SolveRecord(
            run.solve.problem,
            self._post.node_id,
            tuple(run.solve.words),
            run.vote,
            over.stage,
            None if over.chosen is None else over.chosen.id,
            None if over.result is None else over.result.id,
            over.silent,
            world.clock.now_ms(),
            "" if run.root is None else run.root.trace or run.root.id,
        )
        record = sr.close(self._post.signer, record)
        content = canonical(record.to_dict())
        await asyncio.to_thread(self._book.keep, "solves", record.problem.id, content)
        here = self._post.here()
        whole = len(content) <= limits.MESSAGE_PAYLOAD_BYTES - limits.DECIDE_ENVELOPE_BYTES
        for member in record.problem.members:
            if member in here and member != self._post.node_id:
                body = {"solve": run.digest, "record": record.to_dict() if whole else None}
                self._post.send(member, _KIND, "solve-over", body, answers=run.root)
        return record

    # --- the member's half ----------------------------------------------------------------------

    async def _on_ask(self, word: Word, message: Message) -> None:
        try:
            problem = read_problem(word.body.get("problem"))
            digest = problem.digest()
            entries = read_entries(digest, word.body.get("entries"))
        except SolveError as error:
            self._post.world.say("warn", "solve-unreadable", by=word.by, detail=str(error))
            return
        left = max(0.0, (message.deadline_ms - message.timestamp_ms) / 1000)
        part = self._part(digest, problem, word.by)
        phase = word.body.get("phase")
        if part is None or part.caller != word.by:
            return
        if phase == "vote" and not part.entries.done():
            part.entries.set_result(entries)
        if phase in part.spoken or phase not in ("brainstorm", "critique", "implement"):
            return
        part.spoken.add(phase)
        chosen = next((each for each in entries if each.id == word.body.get("chosen")), None)
        self._post.start(self._take_part(part, phase, entries, chosen, message, left))

    def _part(self, digest: str, problem: Problem, caller: str) -> _Part | None:
        """Return this agent's part in a problem, a new one where it has none; None where it has no room."""
        now = self._post.world.clock.monotonic()
        for over in [each for each, part in self._parts.items() if part.until < now]:
            del self._parts[over]
        if digest not in self._parts:
            if len(self._parts) >= limits.DECIDE_OPEN or not is_id(problem.id):
                self._post.counts["problems-refused"] += 1
                self._post.world.say("warn", "solve-not-taken", by=caller, solve=problem.id)
                return None
            longest = sum(problem.seconds.values()) + problem.seconds["implement"] * limits.SOLVE_BUILDERS
            until = now + longest + limits.DECIDE_AFTER_SECONDS
            heard: asyncio.Future[list[Entry]] = asyncio.get_running_loop().create_future()
            self._parts[digest] = _Part(problem, caller, until, heard)
        return self._parts[digest]

    async def _take_part(
        self,
        part: _Part,
        phase: Phase,
        entries: Sequence[Entry],
        chosen: Entry | None,
        message: Message,
        left: float,
    ) -> None:
        try:
            items = await asyncio.wait_for(self._items(part.problem, phase, entries, chosen), left)
        except TimeoutError:
            self._post.world.say("warn", "solve-too-late", solve=part.problem.id, phase=phase)
            return
        body = said_body(part.problem.digest(), phase, items)
        self._post.send(part.caller, _KIND, SAID, body, answers=message)

    async def _items(
        self, problem: Problem, phase: Phase, entries: Sequence[Entry], chosen: Entry | None
    ) -> list[Item]:
        mind, (ideas, remarks) = self._mind, _sorted(entries)
        if mind is None:
            return []
        if phase == "brainstorm":
            said = await mind.brainstorm(problem.text)
            return [Item(text) for text in said[: limits.SOLVE_ITEMS]]
        if phase == "critique":
            found = await mind.critique(problem.text, ideas)
            return [Item(each.text, (each.idea.id,), each.score) for each in found[: limits.SOLVE_ITEMS]]
        if chosen is None:
            return []
        made = await mind.implement(problem.text, chosen, [e for e in remarks if chosen.id in e.parents])
        on = (chosen.id, *(each.id for each in remarks if chosen.id in each.parents))
        return [] if made is None else [Item(made, on)]

    def _mine(self, asked: Question) -> bool:
        return any(asked.text == question(part.problem) for part in self._parts.values())

    async def _choose(self, asked: Question) -> str | None:
        """Vote for what this mind chooses, once everything that was said has come."""
        part = next(each for each in self._parts.values() if asked.text == question(each.problem))
        ideas, remarks = _sorted(await asyncio.shield(part.entries))
        ideas = [each for each in ideas if option(each) in asked.options]
        if self._mind is None:
            return ABSTAIN
        chosen = await self._mind.choose(part.problem.text, ideas, remarks)
        return NONE if chosen is None else option(chosen)

    async def _on_over(self, word: Word, _: Message) -> None:
        part = self._parts.get(str(word.body.get("solve")))
        if part is None or part.caller != word.by:
            return
        del self._parts[str(word.body.get("solve"))]
        if word.body.get("record") is None:
            return
        try:
            record = sr.read_record(word.body["record"])
        except SolveError as error:
            self._post.world.say("warn", "solve-record-unreadable", by=word.by, detail=str(error))
            return
        if record.problem != part.problem or record.caller != word.by:
            return
        finding = await self.check(record)
        if not finding.holds:
            self._post.counts["solves-contested"] += 1
            self._post.world.say(
                "warn", "solve-contested", solve=record.problem.id, by=word.by, detail=finding.problems[0]
            )
        await asyncio.to_thread(self._book.keep, "solves", record.problem.id, canonical(record.to_dict()))


def _sorted(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    return (
        [each for each in entries if each.phase == "brainstorm"],
        [each for each in entries if each.phase == "critique"],
    )


def _phases(brainstorm: float, critique: float, vote: float, implement: float) -> dict[Phase, float]:
    """Return the seconds of each phase; raises UsageError where they are none."""
    given: dict[Phase, tuple[float, float]] = {
        "brainstorm": (brainstorm, limits.BRAINSTORM_SECONDS),
        "critique": (critique, limits.CRITIQUE_SECONDS),
        "vote": (vote, limits.SOLVE_VOTE_SECONDS),
        "implement": (implement, limits.IMPLEMENT_SECONDS),
    }
    most = limits.DECIDE_SECONDS_MOST
    return {
        phase: args.seconds("solve", phase, value, most, usual=usual)
        for phase, (value, usual) in given.items()
    }
