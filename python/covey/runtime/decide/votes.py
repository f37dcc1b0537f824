"""Votes over a bus: one call that asks, collects until the deadline, counts, signs, keeps and tells.

Rules: on the loop's thread. Every voter is asked again when it comes back, never later than the deadline; a
voter's ballot is on disk before it is sent, so that one that was killed does not vote twice. What anybody
says is a signed word; who counted is held to it by whoever voted.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, TypeVar, get_args

from covey import limits
from covey.errors import DecisionError, UsageError
from covey.fleet import arguments as args
from covey.fleet import vote_record as vr
from covey.fleet.message import Message, MessageType
from covey.fleet.signed_word import Word, WordError, canonical, signature, signed, written
from covey.fleet.vote import ABSTAIN, STATEMENT, Ballot, Question, TiePolicy, Vote, VoteError
from covey.fleet.vote_record import Finding, VoteRecord
from covey.runtime.decide.book import Book, is_id, kept_as, meant
from covey.runtime.decide.post import Post
from covey.values import dataclass

Choose = Callable[[Question], Awaitable[str | None]]
"""Gives the chosen option, `ABSTAIN`, or None to say nothing (a person may still)."""
OnQuestion = TypeVar("OnQuestion", bound=Choose)


@dataclass(slots=True)
class _Poll:
    """A vote that is called here."""

    question: Question
    vote: Vote
    keys: dict[str, bytes]
    until: float
    root: Message | None = None
    present: frozenset[str] = frozenset()
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Asked:
    """A question that was put to this agent. `state`: open, cast, counted, refused (`why`), or ended."""

    question: Question
    caller: str
    message: Message
    until: float
    state: str = "open"
    option: str | None = None
    why: str = ""


class Votes:
    """One agent's votes: those it calls, and those it is asked in.

    Args:
        post: Its address.
        book: Where records and own ballots are kept.
    """

    def __init__(self, post: Post, book: Book) -> None:
        self._post = post
        self._book = book
        self._choose: Choose | None = None
        self._special: list[tuple[Callable[[Question], bool], Choose]] = []
        self._polls: dict[str, _Poll] = {}
        self._asked: OrderedDict[str, Asked] = OrderedDict()
        """By digest of the question."""
        self._casting = asyncio.Lock()
        post.serve("question", self._on_question)
        post.serve("ballot", self._on_ballot)
        post.serve("counted", self._on_counted)
        post.serve("outcome", self._on_outcome)

    # --- calling --------------------------------------------------------------------------------

    async def call(
        self,
        text: str,
        options: Sequence[str],
        *,
        voters: Sequence[str] | None = None,
        seconds: float = limits.DECIDE_SECONDS,
        quorum: float = 0.5,
        majority: float = 0.5,
        tie: TiePolicy = "undecided",
    ) -> VoteRecord:
        """Hold a vote; return when everybody has spoken, or at the deadline.

        Args:
            text: The question.
            options: What can be chosen.
            voters: Names or nodeIds; None: this agent and everybody trusted who listens now. Who does not
                listen counts for the quorum, and is asked when it comes.
            seconds: The deadline.
            quorum: The share of the electorate whose ballots must be in.
            majority: The share of the ballots that the winner must exceed.
            tie: What happens where the most is shared: see `Question`.

        Returns:
            The record: outcome, ballots, signed by this agent, and kept.

        Raises:
            UsageError: It cannot be held as it is put, or a voter is not known here.
        """
        seconds = args.seconds(
            "vote", "seconds", seconds, limits.DECIDE_SECONDS_MOST, usual=limits.DECIDE_SECONDS
        )
        args.text("vote", "text", text, limits.PROFILE_TEXT_CHARS)
        options = args.texts("vote", "options", options)
        args.share("vote", "quorum", quorum)
        args.share("vote", "majority", majority, below_one=True)
        args.one_of("vote", "tie", tie, get_args(TiePolicy))
        here = self._post.here()
        electorate = sorted(here if voters is None else self._post.nodes_of("vote", "voters", voters))
        keys = await self._keys(electorate)
        world = self._post.world
        made, ends_ms = world.entropy.bytes(16).hex(), world.clock.now_ms() + int(seconds * 1000)
        try:
            question = Question(made, text, tuple(options), tuple(electorate), ends_ms, quorum, majority, tie)
        except VoteError as error:
            raise UsageError(f"vote: {error}") from error
        vote = Vote(question, lambda each: signed(STATEMENT, each.body(), each.signature, keys[each.voter]))
        poll = _Poll(question, vote, keys, world.clock.monotonic() + seconds)
        digest = question.digest()
        self._polls[digest] = poll
        try:
            await self._collect(poll)
        finally:
            del self._polls[digest]
            self._asked.pop(digest, None)  # its own question too is over
        return await self._close(poll)

    # --- voting ---------------------------------------------------------------------------------

    def answer(self, choose: OnQuestion) -> OnQuestion:
        """Answer questions put to this agent by a coroutine function; what it raises is no vote."""
        self._choose = choose
        for asked in list(self._asked.values()):
            if asked.state == "open":
                self._post.start(self._chosen(asked))
        return choose

    def choosing(self, where: Callable[[Question], bool], choose: Choose) -> None:
        """Answer the questions that meet a condition by a function of their own."""
        self._special.append((where, choose))

    def asked(self) -> list[Asked]:
        """Return the questions put to this agent that are not over, the oldest first."""
        self._forget()
        return list(self._asked.values())

    async def cast(self, vote_id: str, option: str) -> Asked:
        """Vote; the ballot is on disk when this returns, and on its way.

        Args:
            vote_id: The question's id, or how it begins.
            option: One of its options, or `ABSTAIN`.

        Raises:
            UsageError: The question has no such option, or several begin so.
            DecisionError: No such question is open, or this agent voted otherwise before.
        """
        found = [each for each in self.asked() if vote_id and each.question.id.startswith(vote_id)]
        if len(found) > 1:
            raise UsageError(f"vote {vote_id[:64]}: several begin so", hint="give more of its letters")
        if not found:
            raise DecisionError(
                f"vote {vote_id[:64]}: it is not open here", hint="covey vote list <peer> shows what is open"
            )
        asked = found[0]
        if asked.until < self._post.world.clock.monotonic():
            raise DecisionError(f"vote {asked.question.id[:12]}: its deadline has passed")
        if option != ABSTAIN and option not in asked.question.options:
            raise UsageError(f"option: expected one of {', '.join(asked.question.options)}")
        ballot = await self._own(asked, option)
        if ballot.option != option:
            said = ballot.option or "abstained"
            raise DecisionError(
                f"vote {asked.question.id[:12]}: this agent has voted: {said}",
                hint="a second, other ballot would void both",
            )
        self._send(asked, ballot)
        return asked

    # --- looking --------------------------------------------------------------------------------

    def kept(self) -> list[str]:
        """Return the ids of records kept here, the newest first. Blocks."""
        return self._book.ids("votes")

    def record(self, vote_id: str) -> VoteRecord:
        """Return a kept record, by its id or how that begins. Blocks.

        Raises:
            DecisionError: It is not kept here.
            UsageError: Several begin so.
            StoreError: What is kept is no record.
        """
        return meant(self._book, "votes", vote_id, vr.read_record)

    async def check(self, record: VoteRecord) -> Finding:
        """Count a record again, by the keys that are known here."""
        known = {each: await self._post.key_of(each) for each in {*record.question.electorate, record.caller}}
        return vr.check(record, known.get)

    # --- the caller's half ----------------------------------------------------------------------

    async def _keys(self, electorate: Sequence[str]) -> dict[str, bytes]:
        keys = {each: await self._post.key_of(each) for each in electorate}
        unknown = sorted(each for each, key in keys.items() if key is None)
        if unknown:
            raise UsageError(
                f"voter {unknown[0]}: its key is not known here",
                hint="it must have been connected to this peer once",
            )
        return {each: key for each, key in keys.items() if key is not None}

    async def _collect(self, poll: _Poll) -> None:
        clock = self._post.world.clock
        while not poll.vote.over(self._now_ms(poll)):
            self._ask(poll)
            left = poll.until - clock.monotonic()
            if left <= 0:
                return
            poll.news.clear()
            try:
                await asyncio.wait_for(poll.news.wait(), min(left, limits.DECIDE_LOOK_SECONDS))
            except TimeoutError:
                continue  # nothing came: look again who is here

    def _ask(self, poll: _Poll) -> None:
        """Put the question to whoever has come since the last look and has not answered."""
        here = self._post.here()
        spoken = poll.vote.spoken()
        left = max(0.001, poll.until - self._post.world.clock.monotonic())
        for voter in poll.question.electorate:
            if voter in here and voter not in poll.present and voter not in spoken:
                body = {"question": vr.question_dict(poll.question)}
                kind = MessageType.CONSENSUS_VOTE
                _, receipt = self._post.send(voter, kind, "question", body, answers=poll.root, seconds=left)
                poll.root = poll.root or receipt.message
        poll.present = here

    async def _on_ballot(self, word: Word, message: Message) -> None:
        try:
            ballot = _read_ballot(word.body)
        except WordError as error:
            self._post.world.say("warn", "vote-ballot-unreadable", by=word.by, detail=str(error))
            return
        poll = self._polls.get(ballot.vote)
        if poll is None:
            refused: str | None = "late"
        elif ballot.voter not in poll.keys:
            refused = "not-in-electorate"
        else:
            refused = poll.vote.cast(ballot, self._now_ms(poll))
            poll.news.set()
        self._post.counts["ballots" if refused is None else f"ballots-{refused}"] += 1
        if refused is not None:
            self._post.world.say("warn", "vote-ballot-refused", by=word.by, vote=ballot.vote, reason=refused)
        told = {"vote": ballot.vote, "refused": refused}
        self._post.send(word.by, MessageType.CONSENSUS_VOTE, "counted", told, answers=message)

    async def _close(self, poll: _Poll) -> VoteRecord:
        trace = "" if poll.root is None else poll.root.trace or poll.root.id
        record = VoteRecord(
            poll.vote.outcome(),
            self._post.node_id,
            tuple(pair for _, pair in sorted(poll.vote.evidence().items())),
            self._now_ms(poll),
            trace,
        )
        record = vr.close(self._post.signer, record)
        content = canonical(record.to_dict())
        await asyncio.to_thread(self._book.keep, "votes", record.question.id, content)
        here = self._post.here()
        if len(content) > limits.MESSAGE_PAYLOAD_BYTES - limits.DECIDE_ENVELOPE_BYTES:
            self._post.counts["outcomes-too-large-to-tell"] += 1
            self._post.world.say("warn", "vote-untold", vote=record.question.id, bytes=len(content))
            return record
        for voter in record.question.electorate:
            if voter in here and voter != self._post.node_id:
                body = {"record": record.to_dict()}
                self._post.send(voter, MessageType.CONSENSUS_VOTE, "outcome", body, answers=poll.root)
        return record

    def _now_ms(self, poll: _Poll) -> int:
        """Return the time on the vote's own clock: what the wall clock does meanwhile moves no deadline."""
        left = poll.until - self._post.world.clock.monotonic()
        return poll.question.deadline_ms - int(left * 1000)

    # --- the voter's half -----------------------------------------------------------------------

    async def _on_question(self, word: Word, message: Message) -> None:
        try:
            question = vr.read_question(word.body.get("question"))
        except VoteError as error:
            self._post.world.say("warn", "vote-unreadable", by=word.by, detail=str(error))
            return
        if self._post.node_id not in question.electorate or not is_id(question.id):
            self._post.world.say("warn", "vote-not-asked", by=word.by, vote=question.id[:64])
            return
        self._forget()
        digest = question.digest()
        left = max(0.0, (message.deadline_ms - message.timestamp_ms) / 1000)
        asked = self._asked.get(digest)
        if asked is None:
            if len(self._asked) >= limits.DECIDE_OPEN:
                self._post.counts["questions-refused-full"] += 1
                self._post.world.say("warn", "vote-too-many-open", by=word.by, vote=question.id)
                return
            until = self._post.world.clock.monotonic() + min(left, limits.DECIDE_SECONDS_MOST)
            asked = self._asked[digest] = Asked(question, word.by, message, until)
        elif asked.caller != word.by:
            return
        before = await asyncio.to_thread(self._book.load, "ballots", digest)
        if before is not None:
            self._send(asked, kept_as("ballots", digest, before, _read_ballot))
        elif asked.state == "open":
            self._post.start(self._chosen(asked))

    async def _chosen(self, asked: Asked) -> None:
        """Let the agent choose, in time, and vote."""
        left = asked.until - self._post.world.clock.monotonic()
        special = next((each for where, each in self._special if where(asked.question)), None)
        choose = special or self._choose
        if choose is None or left <= 0:
            return
        asked.state = "choosing"
        try:
            option = await asyncio.wait_for(choose(asked.question), left)
        except TimeoutError:
            self._post.world.say("warn", "vote-not-chosen-in-time", vote=asked.question.id)
            return
        finally:
            asked.state = "open"
        if option is not None:
            await self.cast(asked.question.id, option)

    async def _own(self, asked: Asked, option: str) -> Ballot:
        """Return this agent's ballot: the one on disk, or a new one that is on disk when this returns."""
        async with self._casting:
            return await self._made(asked.question.digest(), option)

    async def _made(self, digest: str, option: str) -> Ballot:
        before = await asyncio.to_thread(self._book.load, "ballots", digest)
        if before is not None:
            return kept_as("ballots", digest, before, _read_ballot)
        unsigned = Ballot(digest, self._post.node_id, option)
        ballot = Ballot(
            digest, unsigned.voter, option, self._post.signer.sign_statement(STATEMENT, unsigned.body())
        )
        await asyncio.to_thread(self._book.keep, "ballots", digest, canonical(_ballot_dict(ballot)))
        return ballot

    def _send(self, asked: Asked, ballot: Ballot) -> None:
        asked.state, asked.option = "cast", ballot.option
        kind = MessageType.CONSENSUS_VOTE
        left = max(0.001, asked.until - self._post.world.clock.monotonic())
        self._post.send(
            asked.caller, kind, "ballot", _ballot_dict(ballot), answers=asked.message, seconds=left
        )

    async def _on_counted(self, word: Word, _: Message) -> None:
        asked = self._asked.get(str(word.body.get("vote")))
        if asked is None or asked.caller != word.by:
            return
        refused = word.body.get("refused")
        asked.state = "counted" if refused is None else "refused"
        asked.why = "" if refused is None else str(refused)[: limits.VOTE_ID_CHARS]

    async def _on_outcome(self, word: Word, _: Message) -> None:
        try:
            record = vr.read_record(word.body.get("record"))
        except VoteError as error:
            self._post.world.say("warn", "vote-outcome-unreadable", by=word.by, detail=str(error))
            return
        asked = self._asked.get(record.question.digest())
        if asked is None or asked.caller != word.by or record.caller != word.by:
            return
        counted = asked.state == "counted"
        del self._asked[record.question.digest()]
        finding = await self.check(record)
        own = [each.option for each in record.outcome.ballots if each.voter == self._post.node_id]
        if not finding.holds or (counted and own != [asked.option]):
            why = finding.problems[0] if finding.problems else "the ballot of this agent is left out"
            self._post.counts["outcomes-contested"] += 1
            self._post.world.say("warn", "vote-contested", vote=record.question.id, by=word.by, detail=why)
        await asyncio.to_thread(self._book.keep, "votes", record.question.id, canonical(record.to_dict()))

    def _forget(self) -> None:
        """Let go of questions that have been over for long enough to have heard their outcome."""
        now = self._post.world.clock.monotonic() - limits.DECIDE_AFTER_SECONDS
        for digest in [digest for digest, asked in self._asked.items() if asked.until < now]:
            del self._asked[digest]


def _ballot_dict(ballot: Ballot) -> dict[str, Any]:
    return {
        "vote": ballot.vote,
        "voter": ballot.voter,
        "option": ballot.option,
        "signature": written(ballot.signature),
    }


def _read_ballot(value: Mapping[str, Any]) -> Ballot:
    """Read a ballot that nobody has checked yet; raises WordError where it is none."""
    parts = [value.get(name) for name in ("vote", "voter", "option")]
    texts = [each for each in parts if isinstance(each, str) and len(each) <= limits.VOTE_OPTION_CHARS]
    if len(texts) != len(parts):
        raise WordError("ballot: expected vote, voter and option")
    return Ballot(texts[0], texts[1], texts[2], signature(value.get("signature")))
