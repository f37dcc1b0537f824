"""Composing away from the peer: a command's own model reads the claims, the peer checks its sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.cognition.ask.synthesis import drafts_of, request_for
from covey.cognition.ask.values import Claim
from covey.errors import ModelError
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.ports import Model


@dataclass(frozen=True, slots=True)
class Made:
    """What a model said, as the verb `ask` takes it; nothing, and why in `note`, where it did not answer."""

    sentences: list[dict[str, object]]
    model: str
    note: str
    usage: dict[str, Any] | None


async def sentences_of(gathered: Mapping[str, Any], model: Model) -> Made:
    """Let a model compose what a peer gathered; its words count only once that peer has checked them."""
    claims = [
        Claim(
            each["number"],
            each["text"],
            tuple(each["cites"]),
            each["author"],
            each["node_id"],
            own=each["own"],
            prior=each["prior"],
        )
        for each in gathered["claims"]
    ]
    try:
        reply = await model.call(request_for(gathered["question"], claims))
    except ModelError as error:
        return Made(
            [], model.label, f"the model did not answer: {error.message}"[: limits.ASK_SENTENCE_CHARS], None
        )
    finally:
        await model.close()
    drafts = drafts_of(reply.text)[: limits.ASK_SENTENCES]
    rows: list[dict[str, object]] = [
        {"text": each.text[: limits.ASK_SENTENCE_CHARS + 1], "cites": list(each.numbers)} for each in drafts
    ]
    note = "" if rows else "the model's answer has no sentence"
    return Made(rows, model.label, note, asdict(reply.usage))
