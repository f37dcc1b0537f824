"""Answering peers that read our set: at a pace, in order, and never more than a page (MMP 2.0 §6.6.8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from covey import _core, limits
from covey.proto.authority.exchange import Exchange, Question

if TYPE_CHECKING:
    from covey.proto.turn import Turn


class Serving:
    """The answering half of the extension.

    Args:
        authority: What is read; each answer is made of it as it stands then.
    """

    def __init__(self, authority: _core.Authority) -> None:
        self._authority = authority

    def asked(self, exchange: Exchange, read: _core.AuthorityFrame, turn: Turn) -> None:
        """Queue a question; one past the queue is dropped: who keeps one in flight never meets that."""
        if len(exchange.questions) >= limits.AUTHORITY_QUESTIONS:
            turn.count("authority.dropped.questions_full")
            return
        ids = None if read.ids is None else tuple(read.ids)
        exchange.questions.append(Question(read.request or "", ids, read.cursor or ""))

    def answers(self, exchange: Exchange, turn: Turn) -> Iterator[bytes]:
        """Yield the answers that the pace allows now; the rest stays queued."""
        lane = exchange.serving
        lane.refill(turn.now.monotonic)
        while exchange.questions and lane.wait_seconds() == 0.0:
            lane.tokens -= 1
            question = exchange.questions.popleft()
            turn.count("authority.served")
            if question.ids is not None:
                yield self._by_ids(question, question.ids)
                continue
            try:
                page, following = self._authority.page(question.cursor, limits.AUTHORITY_PAGE)
            except _core.CoreError as error:
                turn.count(f"authority.refused.{error.reason}")
                continue
            yield _core.AuthorityFrame.answer(question.request, page, next=following)

    def _by_ids(self, question: Question, ids: tuple[str, ...]) -> bytes:
        found = [self._authority.get(each) for each in ids]
        missing = [each for each, held in zip(ids, found, strict=True) if held is None]
        held = [statement for statement in found if statement is not None]
        return _core.AuthorityFrame.answer(question.request, held, missing=missing)
