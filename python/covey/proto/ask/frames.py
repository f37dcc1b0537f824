"""The two frames of a question (`x-covey-ask`): it is put, or declined. A contribution is a signed record.

Rules: total. A frame is read whole or refused with a word; its key follows from its text, so that nobody is
asked one thing and recorded as having answered another.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Final

from covey import _core, limits
from covey.model import CAT7, NEUTRAL
from covey.proto.ask.words import REASONS, question_of
from covey.proto.controls import json_object
from covey.values import dataclass

TOKEN: Final = "x-covey-ask-v1"
FRAME_TYPE: Final = "x-covey-ask"

_KEY: Final = re.compile(r"cmb-[0-9a-f]{64}")


class BadFrameError(ValueError):
    """A frame that is none of these; the message is one word for counters."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody asks."""

    key: str
    text: str
    within_ms: int


@dataclass(frozen=True, slots=True)
class Silent:
    """Somebody has nothing to say."""

    key: str
    reason: str


def key_of(text: str) -> str:
    """Return the content key of a question."""
    return _core.content_key({**dict.fromkeys(CAT7, NEUTRAL), **question_of(text)})


def problem(text: str) -> str | None:
    """Return what keeps a text from being asked, or None."""
    if not text.strip():
        return "a question is not empty"
    if len(text) > limits.ASK_QUESTION_CHARS:
        return f"a question has {limits.ASK_QUESTION_CHARS:,} characters at most"
    if any("\ud800" <= each <= "\udfff" for each in text):
        return "no valid Unicode"
    if unicodedata.normalize("NFC", text) != text or text != text.strip():
        return "not in normal form"
    return None


def write_ask(ask: Ask) -> bytes:
    """Return the frame that puts a question."""
    return _written({"kind": "ask", "key": ask.key, "text": ask.text, "within_ms": ask.within_ms})


def write_silent(silent: Silent) -> bytes:
    """Return the frame that declines one."""
    return _written({"kind": "silent", "key": silent.key, "reason": silent.reason})


def read(frame: bytes) -> Ask | Silent:
    """Read a frame.

    Raises:
        BadFrameError: It is none of the two, or a value in it is wrong.
    """
    body = json_object(frame) if len(frame) <= limits.ASK_FRAME_BYTES else None
    if body is None:
        raise BadFrameError("unreadable")
    key = body.get("key")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise BadFrameError("key")
    if body.get("kind") == "silent":
        reason = body.get("reason")
        if reason not in REASONS:
            raise BadFrameError("reason")
        return Silent(key, str(reason))
    text, within = body.get("text"), body.get("within_ms")
    if body.get("kind") != "ask":
        raise BadFrameError("kind")
    if not isinstance(text, str) or problem(text) is not None:
        raise BadFrameError("text")
    if type(within) is not int or not 0 < within <= limits.ASK_SECONDS_MOST * 1000:
        raise BadFrameError("within")
    if key_of(text) != key:
        raise BadFrameError("other-key")
    return Ask(key, text, within)


def _written(body: dict[str, object]) -> bytes:
    return json.dumps({"type": FRAME_TYPE, **body}, ensure_ascii=False, separators=(",", ":")).encode()
