"""Reply: a model's answer, read into what it means. The one place where model output becomes a value.

Rules: pure, total (any reply gives one of four values, never an exception), bounded. A tool call is read
first, then JSON in the text, for models without tools. Nothing is guessed beyond that.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping

from covey.agent.prompt import SILENT_MEMBER, TOOL_NAME
from covey.limits import ANSWER_CANDIDATES, ANSWER_CATEGORY_CHARS, ANSWER_SCANNED_CHARS
from covey.model import CAT7, NEUTRAL, ModelReply, ToolCall
from covey.values import dataclass

_WRAPPERS = (TOOL_NAME, "arguments", "input", "parameters", "categories", "fields")
"""Members in which models without tools tend to wrap the categories."""


_ATTEMPT = re.compile(r'\{\s*"(?:' + "|".join((*CAT7, *_WRAPPERS)) + r')"\s*:')
"""What an answer in JSON begins with, even where the rest of it is no JSON."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The model wants this block emitted. `ignored` names what was in the answer and was not used."""

    categories: Mapping[str, str]
    source: str
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Silent:
    """The model chose to say nothing; `text` is the reason it gave, if any."""

    text: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The model tried to answer and the answer cannot be used. `reason` is a stable word."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Uses:
    """The model wants tools used before it answers."""

    calls: tuple[ToolCall, ...]


def read(
    reply: ModelReply, *, tools: bool = False, as_json: bool = False
) -> Answer | Silent | Unreadable | Uses:
    """Read a model's reply.

    Args:
        reply: what the adapter returned.
        tools: whether other tools than the one that answers were offered.
        as_json: whether one JSON object was asked for, in place of a tool call.

    Returns:
        Answer with one to seven non-blank categories, trimmed and in NFC; Uses where tools were called and
        no answer given; Silent when the model made no attempt to emit; Unreadable when it made one that
        cannot be used.
    """
    calls = [call for call in reply.tool_calls if call.name == TOOL_NAME]
    if calls:
        call = calls[0]
        extra: tuple[str, ...] = (f"{len(calls) - 1} further {TOOL_NAME} calls",) if len(calls) > 1 else ()
        if len(reply.tool_calls) > len(calls):
            extra += (f"{len(reply.tool_calls) - len(calls)} calls of other tools beside it",)
        if call.arguments is not None:
            return _answer(call.arguments, "tool", extra)
        found = _object_in(call.raw_arguments)
        if found is not None:
            return _answer(found, "tool-text", extra)
        return Unreadable("malformed-arguments", _short(call.raw_arguments))
    if reply.tool_calls and tools:
        return Uses(reply.tool_calls)
    found = _object_in(reply.text)
    if found is not None:
        return _answer(found, "text")
    if reply.tool_calls:
        return Unreadable("unknown-tool", _short(reply.tool_calls[0].name))
    if reply.stop_reason in {"length", "max_tokens"}:
        return Unreadable("cut-off", f"the reply ended at its token limit: {_short(reply.text)}")
    return _silence(reply.text, as_json)


def _silence(text: str, as_json: bool) -> Silent | Unreadable:
    """Tell a choice to say nothing from an answer that went wrong on its way into JSON."""
    if _ATTEMPT.search(text[:ANSWER_SCANNED_CHARS]):
        return Unreadable("malformed-json", _short(text))
    if not as_json:
        return Silent(_short(text))
    for each in _objects(text[:ANSWER_SCANNED_CHARS]):
        if isinstance(why := each.get(SILENT_MEMBER), str):
            return Silent(_short(why))
    return Unreadable("no-json", _short(text))


def _answer(members: Mapping[str, object], source: str, ignored: tuple[str, ...] = ()) -> Answer | Unreadable:
    kept: dict[str, str] = {}
    left_out = list(ignored)
    for name in CAT7:
        if name not in members:
            continue
        text = _text(members[name])
        if text is None:
            left_out.append(f"{name}: not text")
        elif len(text) > ANSWER_CATEGORY_CHARS:
            return Unreadable(
                "category-too-long", f"{name} has {len(text)} characters, at most {ANSWER_CATEGORY_CHARS}"
            )
        elif text and text.lower() != NEUTRAL:
            kept[name] = text
    left_out += [f"{_short(str(name), 40)}: unknown" for name in members if name not in CAT7][:8]
    if not kept:
        return Unreadable("empty", "no category says anything")
    return Answer(kept, source, tuple(left_out))


def _text(value: object) -> str | None:
    """Return a category's text: a string, or the `text` of an object as the record itself spells it."""
    if isinstance(value, Mapping):
        value = value.get("text")
    if value is None:
        return ""
    if not isinstance(value, str):
        return None
    # Lone surrogates can come out of JSON escapes; they have no UTF-8 and could not be signed.
    clean = value.encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFC", clean).strip()


def _object_in(text: str) -> Mapping[str, object] | None:
    """Return the first JSON object in a text that carries a category, looking through known wrappers."""
    for candidate in _objects(text[:ANSWER_SCANNED_CHARS]):
        found = _unwrap(candidate)
        if found is not None:
            return found
    return None


def _objects(text: str) -> Iterator[Mapping[str, object]]:
    decoder = json.JSONDecoder()
    position = text.find("{")
    for _ in range(ANSWER_CANDIDATES):
        if position < 0:
            return
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            position = text.find("{", position + 1)
            continue
        if isinstance(value, dict):
            yield value
        position = text.find("{", position)


def _unwrap(value: Mapping[str, object]) -> Mapping[str, object] | None:
    if any(name in value for name in CAT7):
        return value
    for wrapper in _WRAPPERS:
        inner = value.get(wrapper)
        if isinstance(inner, str):
            # Some models send the arguments as a string of JSON, as vendors do on the wire.
            try:
                inner = json.loads(inner)
            except (ValueError, RecursionError):
                continue
        if isinstance(inner, dict) and any(name in inner for name in CAT7):
            return inner
    return None


def _short(text: str, limit: int = 160) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
