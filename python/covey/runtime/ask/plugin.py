"""Questions as a plugin of the node: the engine, others' questions, and this peer's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from covey import _core, limits
from covey.cognition.ask.values import Draft
from covey.errors import IpcError, RefusedArgumentError, UsageError
from covey.model import CAT7
from covey.proto.ask import words
from covey.proto.ask.engine import AskEngine
from covey.runtime.ask.answer import gathered_as_dict
from covey.runtime.ask.answering import Answering
from covey.runtime.ask.desk import Desk

if TYPE_CHECKING:
    from covey.cognition.curation import Curated
    from covey.model import Block
    from covey.ports import Clock
    from covey.proto.extension import Extension
    from covey.runtime.ask.ports import Logger, Shelf, Speaker
    from covey.runtime.plugin import Tell

Result = dict[str, Any]


class AskPlugin:
    """One peer's part in questions.

    Args:
        shelf: Its own store.
        clock: Deadlines.
        log: Called with level, event word and facts.
    """

    def __init__(self, shelf: Shelf, clock: Clock, log: Logger) -> None:
        self.extension: Extension = AskEngine()
        self._shelf = shelf
        self._clock = clock
        self._log = log
        self._node: Speaker | None = None
        self._tell: Tell | None = None
        self._answering: Answering | None = None
        self._desk: Desk | None = None

    def attach(self, node: Speaker) -> None:
        """Take the node that carries what this says; called before it starts."""
        self._node = node

    async def start(self, tell: Tell) -> None:
        """Begin to look into what others ask.

        Raises:
            UsageError: No node was attached.
        """
        node = self._node
        if node is None:
            raise UsageError("questions need a node")
        policy = node.options.admission
        weights = dict(zip(CAT7, policy.weights, strict=True))
        encoder = policy.encoder or _core.Encoder(policy.kernel)
        self._tell = tell
        self._answering = Answering(node, self._shelf, weights, encoder, self._clock, self._log)
        self._desk = Desk(
            node,
            self._shelf,
            self._answering,
            weights,
            encoder,
            clock=self._clock,
            log=self._log,
            tell=tell,
        )

    def perform(self, what: object) -> None:
        """Look into a question, or take what was heard of an own one."""
        if isinstance(what, words.Question):
            if self._answering is not None and self._tell is not None:
                self._answering.take(what, self._tell)
        elif self._desk is not None:
            self._desk.perform(what)

    async def stop(self) -> None:
        """Give up what is under way."""
        if self._answering is not None:
            await self._answering.stop()

    @property
    def desk(self) -> Desk:
        """Return where this peer asks.

        Raises:
            UsageError: It does not run.
        """
        if self._desk is None:
            raise UsageError("this peer does not run")
        return self._desk

    async def curated(
        self, block: Block, task: str, token_budget: int, weights: Mapping[str, float] | None = None
    ) -> Curated:
        """Choose what a model should read of a block (§12.4), under the peer's own weights or others.

        Raises:
            UsageError: It does not run.
            StoreError: The store cannot be read.
        """
        if self._answering is None:
            raise UsageError("this peer does not run")
        return await asyncio.to_thread(self._answering.curated, block, task, token_budget, weights)

    # --- the control socket ---------------------------------------------------------------------

    @property
    def verbs(self) -> Mapping[str, Callable[[Mapping[str, Any]], Awaitable[Result]]]:
        """Return the verbs of the control socket by their names."""
        return {"ask": self.handle}

    async def handle(self, arguments: Mapping[str, Any]) -> Result:
        """Answer the verb `ask`: `action` is answer, gather, or close with what was composed elsewhere.

        Raises:
            IpcError: An argument is wrong.
            CoveyError: The question could not be asked.
        """
        match arguments.get("action"):
            case "answer":
                question, within = _asked(arguments)
                return (await self.desk.ask(question, within)).as_dict()
            case "gather":
                gathered = await self.desk.gather(*_asked(arguments))
                self.desk.hold(gathered)
                return gathered_as_dict(gathered)
            case "close":
                key, drafts, model, note = _drafted(arguments)
                found, composed = self.desk.drafted(key, drafts, model, note)
                return (await self.desk.close(found, composed)).as_dict()
        raise RefusedArgumentError("action: expected answer, gather or close")


def _asked(arguments: Mapping[str, Any]) -> tuple[str, float]:
    _only(arguments, "action", "question", "within_seconds")
    within = arguments.get("within_seconds", limits.ASK_SECONDS)
    number = isinstance(within, int | float) and not isinstance(within, bool)
    if not number or not 0 < within <= limits.ASK_SECONDS_MOST:
        raise _wrong(f"within_seconds: expected a number up to {limits.ASK_SECONDS_MOST:g}")
    question = arguments.get("question")
    if not isinstance(question, str):
        raise _wrong("question: expected text")
    return question, float(within)


def _drafted(arguments: Mapping[str, Any]) -> tuple[str, list[Draft], str, str]:
    _only(arguments, "action", "key", "sentences", "model", "note")
    key, model, note = (arguments.get(name, "") for name in ("key", "model", "note"))
    if not all(
        isinstance(each, str) and len(each) <= limits.ASK_SENTENCE_CHARS for each in (key, model, note)
    ):
        raise _wrong("key, model, note: expected short texts")
    rows = arguments.get("sentences", [])
    if not isinstance(rows, list) or len(rows) > limits.ASK_SENTENCES:
        raise _wrong(f"sentences: expected at most {limits.ASK_SENTENCES}")
    drafts = []
    for row in rows:
        text = row.get("text") if isinstance(row, dict) else None
        cites = row.get("cites") if isinstance(row, dict) else None
        if not isinstance(text, str) or not isinstance(cites, list):
            raise _wrong("sentences: expected objects with text and cites")
        if not all(type(each) is int for each in cites):
            raise _wrong("cites: expected numbers of claims")
        drafts.append(Draft(text, tuple(cites)))
    return key, drafts, model, note


def _only(arguments: Mapping[str, Any], *known: str) -> None:
    for name in arguments:
        if name not in known:
            raise _wrong(f"unknown argument: {name[:64]}")


def _wrong(message: str) -> IpcError:
    return RefusedArgumentError(message)
