"""What a wake has in its hands: the question it asked, the rounds since, and what tools it may still use.

Rules: pure. A tool that is not offered is not called, whatever a model says; neither is one whose arguments
cannot be read, or after the wake's calls are used up. What comes back is a stranger's words: quoted, bounded,
between delimiters made after it was known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from covey.agent.prompt import fence_line, quoted
from covey.limits import TOOL_ARGUMENT_BYTES
from covey.model import ModelReply, OfferedTool, Round, ToolAnswer, ToolCall, ToolOutcome
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """What a wake asked: system text and user message stay the same through its rounds."""

    system: str
    user: str
    facts: Mapping[str, object]


@dataclass(slots=True)
class Hands:
    """One wake's tools and rounds. `calls` counts every call the model made, refused ones too."""

    question: Question | None = None
    rounds: tuple[Round, ...] = ()
    calls: int = 0
    repaired: bool = False
    pending: Pending | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A reply whose calls are judged: `refused` has a sentence for those that will not be made."""

    said: ModelReply
    refused: tuple[str | None, ...]

    @property
    def to_make(self) -> tuple[ToolCall, ...]:
        """Return the calls that are made."""
        calls = zip(self.said.tool_calls, self.refused, strict=True)
        return tuple(call for call, refusal in calls if refusal is None)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call is not made: a stable word, and a sentence for the model."""

    reason: str
    sentence: str


def refusal(call: ToolCall, offered: Mapping[str, OfferedTool], calls_left: int) -> Refusal | None:
    """Return why a call must not be made, or None.

    Args:
        call: what the model asked for.
        offered: the tools the operator lets it use.
        calls_left: how many calls its wake has left, this one included.
    """
    if call.name not in offered:
        return Refusal("not-offered", "There is no such tool.")
    if calls_left <= 0:
        return Refusal("calls-used-up", "The tool calls of this wake are used up: answer with what you have.")
    if call.arguments is None:
        return Refusal("arguments-unreadable", "The arguments were no JSON object.")
    if len(argument_text(call).encode("utf-8", "replace")) > TOOL_ARGUMENT_BYTES:
        return Refusal("arguments-too-long", f"The arguments have more than {TOOL_ARGUMENT_BYTES} bytes.")
    return None


def argument_text(call: ToolCall) -> str:
    """Return a call's arguments as a gate, a person or a log reads them."""
    return json.dumps(call.arguments, ensure_ascii=False, sort_keys=True, default=str)


def quoted_result(call: ToolCall, outcome: ToolOutcome, fence: str) -> str:
    """Quote what a tool returned.

    Args:
        call: the call.
        outcome: what it came to.
        fence: a delimiter that the text does not contain.

    Returns:
        Lines: one that names the delimiter, then the result as a JSON string between two that begin with it.
    """
    what = "failure" if outcome.failed else "result"
    cut = f" ({outcome.cut_bytes} more bytes left out)" if outcome.cut_bytes else ""
    lines = [
        fence_line(fence),
        f"{fence} {what} of {call.name}",
        f"{quoted(outcome.text)}{cut}",
        f"{fence} end",
    ]
    return "\n".join(lines)


def round_of(pending: Pending, told: Sequence[str], failed: Sequence[bool]) -> Round:
    """Return the round that a reply became, with an answer to each of its calls.

    Args:
        pending: the reply and which of its calls were refused.
        told: for each call that was made, its quoted result.
        failed: for each of those, whether it failed.
    """
    made = iter(zip(told, failed, strict=True))
    answers = []
    for call, refused in zip(pending.said.tool_calls, pending.refused, strict=True):
        text, bad = (refused, True) if refused is not None else next(made)
        answers.append(ToolAnswer(call.id, call.name, text, bad))
    return Round(pending.said, tuple(answers))


_REPAIRS: Mapping[str, str] = {
    "malformed-arguments": "its arguments were not a JSON object",
    "malformed-json": "it was not valid JSON",
    "no-json": "it was not a JSON object",
    "empty": "no category said anything",
    "category-too-long": "a category was too long",
    "unknown-tool": "there is no such tool",
    "cut-off": "it was cut off at its length limit: be shorter",
}


def repair_round(said: ModelReply, reason: str, *, as_json: bool) -> Round:
    """Return the round that asks once more for an answer that could not be used.

    The sentence is ours alone: what was wrong is named by its kind, never by quoting it.
    """
    why = _REPAIRS.get(reason, reason)
    how = "Answer with one JSON object" if as_json else "Call emit_cmb once"
    answers = tuple(
        ToolAnswer(call.id, call.name, f"Not used: {why}.", failed=True) for call in said.tool_calls
    )
    remark = f"Your answer could not be used: {why}. {how}, correctly, or say in one line why you do not."
    return Round(said, answers, remark)
