"""Reply: a model's answer, read into what it means. The one place where model output becomes a value.

Rules: pure, total (any reply gives one of three values, never an exception), bounded. A tool call is read
first, then JSON in the text, for models without tools. Nothing is guessed beyond that.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from covey.agent.prompt import TOOL_NAME
from covey.limits import ANSWER_CANDIDATES, ANSWER_CATEGORY_CHARS, ANSWER_SCANNED_CHARS
from covey.model import CAT7, NEUTRAL, ModelReply

_WRAPPERS = (TOOL_NAME, "arguments", "input", "parameters", "categories", "fields")
"""Members in which models without tools tend to wrap the categories."""


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


def read(reply: ModelReply) -> Answer | Silent | Unreadable:
    """Read a model's reply.

    Args:
        reply: what the adapter returned.

    Returns:
        Answer with one to seven non-blank categories, trimmed and in NFC; Silent when the model made no
        attempt to emit; Unreadable when it made one that cannot be used.
    """
    calls = [call for call in reply.tool_calls if call.name == TOOL_NAME]
    if calls:
        call = calls[0]
        extra = (f"{len(calls) - 1} further {TOOL_NAME} calls",) if len(calls) > 1 else ()
        if call.arguments is not None:
            return _answer(call.arguments, "tool", extra)
        found = _object_in(call.raw_arguments)
        if found is not None:
            return _answer(found, "tool-text", extra)
        return Unreadable("malformed-arguments", _short(call.raw_arguments))
    found = _object_in(reply.text)
    if found is not None:
        return _answer(found, "text")
    if reply.tool_calls:
        return Unreadable("unknown-tool", _short(reply.tool_calls[0].name))
    if reply.stop_reason in {"length", "max_tokens"}:
        return Unreadable("cut-off", f"the reply ended at its token limit: {_short(reply.text)}")
    return Silent(_short(reply.text))


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
