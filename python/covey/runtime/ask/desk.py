"""Asking the mesh (§12.8): a question goes to everybody, what comes is judged, one answer is written back.

Rules: on the loop's thread; the store is read on worker threads. In this order and no other: minted, put,
gathered, admitted, composed, checked, crystallised, told. Whatever composes — a model of this process, of a
command, or nobody — its sentences pass the same check here before they are anybody's answer.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from covey import limits
from covey.cognition.ask.admitting import admit
from covey.cognition.ask.citing import check
from covey.cognition.ask.contributing import unpacked
from covey.cognition.ask.quiet import is_answer
from covey.cognition.ask.synthesis import composed, crystal, request_for, restated
from covey.cognition.ask.values import Composed, Draft, Selected
from covey.cognition.relevance import Relevance
from covey.cognition.terms import query
from covey.errors import CoveyError, ModelError, UsageError
from covey.model import Block, Duplicate, EmissionRefused, Proposal
from covey.proto.ask import frames, words
from covey.runtime.ask.answer import Answer, Written
from covey.runtime.ask.gathering import Gathered, Gathering, proven

if TYPE_CHECKING:
    from covey import _core
    from covey.ports import Clock, Model
    from covey.runtime.ask.answering import Answering
    from covey.runtime.ask.ports import Logger, Shelf, Speaker

Tell = Callable[[object], None]


class Desk:
    """One peer's own questions.

    Args:
        node: Mints questions and answers.
        shelf: The own store.
        answering: Looks into it, as for anybody's question.
        weights: The own category weights.
        encoder: Reads texts.
        clock: Deadlines, and how long it took.
        log: Called with level, event word and facts.
        tell: Says something to the engine.
    """

    def __init__(
        self,
        node: Speaker,
        shelf: Shelf,
        answering: Answering,
        weights: dict[str, float],
        encoder: _core.Encoder,
        *,
        clock: Clock,
        log: Logger,
        tell: Tell,
    ) -> None:
        self._node = node
        self._shelf = shelf
        self._answering = answering
        self._weights = weights
        self._encoder = encoder
        self._clock = clock
        self._log = log
        self._tell = tell
        self._open: list[Gathering] = []
        self._held: OrderedDict[str, Gathered] = OrderedDict()
        self.counts: Counter[str] = Counter()

    # --- what the engine says -------------------------------------------------------------------

    def perform(self, what: object) -> None:
        """Take what was heard of open questions; what belongs to none is counted, and left alone."""
        if isinstance(what, words.Contributed):
            self._contributed(what)
        elif isinstance(what, words.Gone):
            for each in self._open:
                each.settle(what.node_id, "left")
        elif isinstance(what, words.Asked | words.Declined):
            for each in [each for each in self._open if each.key == what.key]:
                if isinstance(what, words.Asked):
                    each.asked(what)
                else:
                    each.settle(what.node_id, what.reason)

    def _contributed(self, what: words.Contributed) -> None:
        self._node.ended(what.record.assertion_id, "executed")
        named = unpacked(what.record.application.data) if what.record.application is not None else None
        waiting = [each for each in self._open if named is not None and each.key == named[0]]
        if not waiting:
            self.counts["late" if named is not None else "unreadable"] += 1
        for each in waiting:
            each.contributed(what)

    # --- asking ---------------------------------------------------------------------------------

    async def ask(self, question: str, within_seconds: float, model: Model | None = None) -> Answer:
        """Put a question to the room and return one cited answer, written back.

        Args:
            question: Its text.
            within_seconds: How long answers are waited for.
            model: Composes the answer; None restates what was contributed.

        Raises:
            UsageError: The question is none, or too many are open.
            CoveyError: It could not be minted, or the store cannot be read.
        """
        gathered = await self.gather(question, within_seconds)
        return await self.close(gathered, await compose(gathered, model))

    async def gather(self, question: str, within_seconds: float) -> Gathered:
        """Put a question, and return what may be said to it (SELF-SELECT and ADMIT).

        Raises:
            UsageError, CoveyError: As for `ask`.
        """
        text = unicodedata.normalize("NFC", question).strip()
        wrong = frames.problem(text)
        if wrong is not None:
            raise UsageError(wrong, code="invalid_question")
        if not 0 < within_seconds <= limits.ASK_SECONDS_MOST:
            most = limits.ASK_SECONDS_MOST
            raise UsageError(f"within_seconds: expected more than 0 and at most {most:g}")
        if len(self._open) >= limits.ASK_RUNNING:
            raise CoveyError(
                f"{limits.ASK_RUNNING} questions are open already", code="too_many_questions", hint="wait"
            )
        started, key = self._clock.monotonic(), frames.key_of(text)
        gathering = Gathering(key)
        self._open.append(gathering)
        try:
            await self._mint(text)
            self._tell(words.Put(key, text, max(1, round(within_seconds * 1000))))
            self._deaf(gathering)
            own = asyncio.create_task(asyncio.to_thread(self._own, text))
            await gathering.over(within_seconds)
            found, prior = await own
        finally:
            self._open.remove(gathering)
        contributions, evidence = await asyncio.to_thread(
            proven, gathering.came, self._shelf, self._node.options.room
        )
        relevance = Relevance(text, self._weights, self._encoder)
        who = (self._node.identity.node_id, self._node.identity.name)
        admitted = admit(contributions, relevance, own=found, prior=prior, asker=who)
        for each in admitted.dropped:
            self.counts[f"dropped.{each.reason}"] += 1
            self._log("warn", "ask-dropped", {"question": key, "by": each.author, "reason": each.reason})
        silent = gathering.silent()
        seconds = self._clock.monotonic() - started
        return Gathered(text, key, admitted, silent, evidence, len(gathering.states), seconds)

    async def close(self, gathered: Gathered, answer: Composed) -> Answer:
        """Write an answer back whose sentences stand (CRYSTALLISE), and return it.

        Raises:
            CoveyError: The store cannot be written.
        """
        written = await self._crystallise(gathered, answer) if answer.sentences else None
        self.counts[f"answers.{answer.mode}" if answer.sentences else "answers.none"] += 1
        for each in answer.withheld:
            self.counts[f"withheld.{each.reason}"] += 1
        facts = {"question": gathered.key, "claims": len(gathered.admitted.claims), "mode": answer.mode}
        self._log("info", "ask-answered", {**facts, "withheld": len(answer.withheld)})
        return Answer(gathered, answer, written)

    # --- an answer that somebody else composes ----------------------------------------------------

    def hold(self, gathered: Gathered) -> None:
        """Keep what was gathered until its sentences come; the oldest of too many are let go."""
        self._held[gathered.key] = gathered
        self._held.move_to_end(gathered.key)
        while len(self._held) > limits.ASK_HELD:
            self._held.popitem(last=False)

    def drafted(
        self, key: str, drafts: Sequence[Draft], model: str, note: str = ""
    ) -> tuple[Gathered, Composed]:
        """Check sentences that were composed elsewhere; where none stands, the claims are restated.

        Raises:
            CoveyError: Nothing is held for that question.
        """
        gathered = self._held.pop(key, None)
        if gathered is None:
            raise CoveyError("nothing was gathered for this question, or too long ago", code="not_gathered")
        claims = gathered.admitted.claims
        if not drafts:
            return gathered, restated(gathered.question, claims, note)
        kept, withheld = check(drafts, claims, gathered.question)
        if kept:
            return gathered, Composed("model", kept, withheld, model)
        plain = restated(gathered.question, claims)
        note = "no sentence of the model's answer stands"
        return gathered, Composed("illustrative", plain.sentences, withheld, note=note)

    # --- below ----------------------------------------------------------------------------------

    async def _mint(self, text: str) -> None:
        """Make the question a block; asked again it is the same one."""
        result = await self._node.emit(Proposal(words.question_of(text), fresh="application"))
        if isinstance(result, EmissionRefused):
            raise CoveyError(f"not asked: {result.reason}: {result.detail}", code=result.reason)

    def _deaf(self, gathering: Gathering) -> None:
        """Name those who have a session and do not speak this."""
        known = set(gathering.states)
        deaf = [
            words.There(peer.node_id, peer.name, "deaf")
            for peer in self._node.peers()
            if peer.node_id not in known
        ]
        gathering.asked(words.Asked(gathering.key, tuple(deaf)))

    def _own(self, text: str) -> tuple[Selected | None, Block | None]:
        """Look into the own store as everybody does, and for an earlier answer of one's own. Blocks."""
        found = self._answering.look(text)
        mine = self._node.identity.node_id
        wanted = query(text)
        earlier = self._shelf.recall(wanted, limits.ASK_CANDIDATES) if wanted else ()
        relevance = Relevance(text, self._weights, self._encoder)
        answers = [each for each in earlier if each.node_id == mine and is_answer(each.categories)]
        best = max(answers, key=lambda each: (relevance.of(each).score, each.created_ms), default=None)
        fits = best is not None and relevance.of(best).score >= limits.SELF_SELECT_THRESHOLD
        return found if isinstance(found, Selected) else None, best if fits else None

    async def _crystallise(self, gathered: Gathered, answer: Composed) -> Written:
        made = crystal(gathered.question, gathered.key, answer)
        cited = [gathered.evidence[key] for key in made.parents if key in gathered.evidence]
        await asyncio.to_thread(self._shelf.keep, cited, self._clock.now_ms())
        result = await self._node.emit(
            Proposal(made.categories, made.parents, application=made.application, fresh="application")
        )
        if isinstance(result, EmissionRefused):
            return Written(None, "refused", f"{result.reason}: {result.detail}")
        if isinstance(result, Duplicate):
            return Written(result.key, "duplicate")
        return Written(result.block.key, "minted")


async def compose(gathered: Gathered, model: Model | None) -> Composed:
    """Compose one answer of what was gathered (SYNTHESISE): by a model, or by restating it."""
    question, claims = gathered.question, gathered.admitted.claims
    if model is None or not claims:
        return restated(question, claims)
    try:
        reply = await model.call(request_for(question, claims))
    except ModelError as error:
        return restated(question, claims, f"the model did not answer: {error.message}")
    return composed(question, claims, reply)
