"""Looking into the own store for what others ask: a few at a time, in the order they came (I-Ask-2).

Rules: on the loop's thread; the store is read on worker threads. Every question ends in a contribution or in
a word that says why not; nothing is said about the store beyond that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from covey import limits
from covey.cognition.ask.contributing import contribution
from covey.cognition.ask.selecting import select
from covey.cognition.ask.values import Selected, Silence
from covey.cognition.curation import Curated, curate
from covey.errors import CoveyError
from covey.model import Minted
from covey.proto.ask import words

if TYPE_CHECKING:
    from covey import _core
    from covey.model import Block
    from covey.ports import Clock
    from covey.runtime.ask.ports import Logger, Shelf, Speaker


class Answering:
    """What a peer does about others' questions.

    Args:
        node: Emits contributions.
        shelf: The own store.
        weights: The own category weights.
        encoder: Reads texts.
        clock: How much of a question's time is left.
        log: Called with level, event word and facts.
    """

    def __init__(
        self,
        node: Speaker,
        shelf: Shelf,
        weights: dict[str, float],
        encoder: _core.Encoder,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._node = node
        self._shelf = shelf
        self._weights = weights
        self._encoder = encoder
        self._clock = clock
        self._log = log
        self._turns = asyncio.Semaphore(limits.ASK_ANSWERING)
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, question: words.Question, decline: Callable[[words.Decline], None]) -> None:
        """Look into a question when it is its turn; too many at once are declined."""
        if len(self._tasks) >= limits.ASK_ANSWERING + limits.ASK_ANSWERING_WAITS:
            decline(words.Decline(question.node_id, question.key, "busy"))
            return
        until = self._clock.monotonic() + question.within_ms / 1000
        task = asyncio.get_running_loop().create_task(self._answer(question, until, decline))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Give up what is under way: who asked sees that this peer left."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def look(self, question: str) -> Selected | Silence:
        """Decide whether the own store has something to say. Blocks.

        Raises:
            StoreError: It cannot be read.
        """
        return select(
            question,
            self._shelf,
            room=self._node.options.room,
            node_id=self._node.identity.node_id,
            weights=self._weights,
            encoder=self._encoder,
        )

    def curated(
        self, block: Block, task: str, token_budget: int, weights: Mapping[str, float] | None = None
    ) -> Curated:
        """Choose what a model should read of a block and of what it came from (§12.4). Blocks.

        Raises:
            StoreError: The store cannot be read.
        """
        decided = next(iter(self._shelf.decisions(block.key, 1)), None)
        judged = () if decided is None or decided.judgement is None else decided.judgement.categories
        return curate(
            block,
            self._weights if weights is None else weights,
            task,
            token_budget,
            lookup=self._shelf.block,
            encoder=self._encoder,
            children=self._shelf.children,
            triggered=[each.name for each in judged if each.verdict in ("admit", "guard")],
        )

    async def _answer(
        self, question: words.Question, until: float, decline: Callable[[words.Decline], None]
    ) -> None:
        async with self._turns:
            left = until - self._clock.monotonic()
            if left <= 0.0:
                return  # nobody waits for it any more
            try:
                why = await self._contributed(question, left)
            except CoveyError as error:
                self._log("warn", "ask-failed", {"question": question.key, "reason": error.message})
                why = "failed"
        if why is not None:
            self._log("info", "ask-silent", {"question": question.key, "by": question.name, "reason": why})
            decline(words.Decline(question.node_id, question.key, why))

    async def _contributed(self, question: words.Question, left: float) -> str | None:
        """Contribute, or return why not."""
        found = await asyncio.to_thread(self.look, question.text)
        if isinstance(found, Silence):
            return found.reason
        keys = [source.block.key for source in found.sources]
        records = await asyncio.to_thread(lambda: [self._shelf.signed(key) for key in keys])
        signed = [each for each in records if each is not None]
        proposal = contribution(
            question.key,
            found,
            signed,
            by=self._node.identity.name,
            to=question.node_id,
            within_seconds=left,
            held=await asyncio.to_thread(self._shelf.block, question.key) is not None,
        )
        result = await self._node.emit(proposal)
        if isinstance(result, Minted):
            facts = {"question": question.key, "by": question.name, "sources": keys}
            self._log("info", "ask-contributed", {**facts, "key": result.block.key})
            return None
        self._log("warn", "ask-failed", {"question": question.key, "reason": str(result)})
        return "failed"
