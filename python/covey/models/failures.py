"""How failed calls become ModelError: one classification for every vendor.

Rules: pure. What may succeed later is transient: 408, 409, 425, 429, every 5xx (Anthropic's 529 among them),
timeouts and lost connections. A wrong key, model or request is not. Messages quote at most one line of the
vendor's words and never a key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from covey.errors import ModelError, ModelErrorKind
from covey.limits import MODEL_ERROR_CHARS, MODEL_RETRY_AFTER_SECONDS
from covey.models import wire

_TRANSIENT_STATUS = frozenset({408, 409, 425, 429})

_STATUS_OF: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "insufficient_quota": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""Which status a vendor's word inside a stream stands for; any other is the server's own trouble, 500."""


def from_status(
    label: str,
    status: int,
    body: bytes,
    headers: Mapping[str, str],
    *,
    secret: str | None = None,
    hint: str | None = None,
) -> ModelError:
    """Return the error for an HTTP answer that is not a success.

    Args:
        label: `adapter/model`.
        status: HTTP status.
        body: The answer's body; the vendor's own message is taken from it.
        headers: The answer's headers, names in lower case.
        secret: The key, cut out of the message should the vendor repeat it.
        hint: The next step, where the adapter knows a better one than this table.
    """
    kind = _kind(status)
    # An empty account answers 429 too, and no waiting fills it.
    paid_out = status == 429 and b"insufficient_quota" in body
    if paid_out:
        kind = ModelErrorKind.AUTH
    said = vendor_message(hidden(body.decode("utf-8", "replace"), secret).encode("utf-8", "replace"))
    return ModelError(
        f"{label}: answered {status}: {said}" if said else f"{label}: answered {status}",
        kind=kind,
        transient=(status in _TRANSIENT_STATUS or status >= 500) and not paid_out,
        retry_after_s=retry_after(headers),
        status=status,
        hint=hint or _HINTS.get(kind),
    )


def timed_out(label: str, seconds: float) -> ModelError:
    """Return the error for a call that had no answer in time; it may have been charged."""
    return ModelError(
        f"{label}: no answer within {seconds:g} s",
        kind=ModelErrorKind.TIMEOUT,
        transient=True,
        hint="raise model.timeout_seconds if the model is slow",
    )


def no_first_word(label: str, seconds: float) -> ModelError:
    """Return the error for a stream that did not begin in time; it may have been charged."""
    return ModelError(
        f"{label}: no first word within {seconds:g} s",
        kind=ModelErrorKind.TIMEOUT,
        transient=True,
        hint="raise model.first_token_seconds if the model thinks long before it speaks",
    )


def interrupted(label: str, why: str) -> ModelError:
    """Return the error for an answer that broke off on its way; it may have been charged."""
    return ModelError(
        f"{label}: the answer broke off: {one_line(why)}",
        kind=ModelErrorKind.INTERRUPTED,
        transient=True,
        hint="the peer asks again; if it stays, look at what stands between here and the server",
    )


def misread(label: str, error: ValueError, *, secret: str | None = None) -> ModelError:
    """Return the error for an answer that could not be read, by what `wire` says of it."""
    if isinstance(error, wire.SaidError):
        return from_status(label, _status_of(error.kind), error.body, {}, secret=secret)
    if isinstance(error, wire.BrokenOffError):
        return interrupted(label, str(error))
    if isinstance(error, wire.OversizeError):
        return ModelError(
            f"{label}: the answer is too long: {error}",
            kind=ModelErrorKind.OVERSIZE,
            transient=False,
            hint="lower model.max_tokens_per_call, or look at what answers there",
        )
    return unreadable(label, hidden(str(error), secret))


def unreachable(label: str, address: str, why: str, hint: str | None = None) -> ModelError:
    """Return the error for a server that was not reached."""
    return ModelError(
        f"{label}: cannot reach {address}: {one_line(why)}",
        kind=ModelErrorKind.CONNECTION,
        transient=True,
        hint=hint or "check the network and model.base_url",
    )


def unreadable(label: str, why: str) -> ModelError:
    """Return the error for a successful answer that is not what the API promises."""
    return ModelError(
        f"{label}: the answer cannot be used: {one_line(why)}",
        kind=ModelErrorKind.PROTOCOL,
        transient=False,
        hint="check model.base_url; for OpenAI-style servers it usually ends in /v1",
    )


def hidden(text: str, secret: str | None) -> str:
    """Return text without the key, should a server repeat it."""
    return text.replace(secret, "***") if secret else text


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a vendor asks us to wait, if it says so usably.

    A date is measured against the answer's own Date header, so that no clock of ours is needed.
    """
    try:
        if "retry-after-ms" in headers:
            return _bounded(float(headers["retry-after-ms"]) / 1000)
        said = headers.get("retry-after", "")
        if said.replace(".", "", 1).isdigit():
            return _bounded(float(said))
        if not said or "date" not in headers:
            return None
        from email.utils import parsedate_to_datetime  # 10 ms, and only when a vendor sends a date

        return _bounded(
            (parsedate_to_datetime(said) - parsedate_to_datetime(headers["date"])).total_seconds()
        )
    except (ValueError, TypeError, OverflowError):
        return None


def vendor_message(body: bytes) -> str:
    """Return the vendor's own words from an error body, on one line."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return one_line(body[:MODEL_ERROR_CHARS].decode("utf-8", "replace"))
    for key in ("error", "message", "detail"):
        found = content.get(key) if isinstance(content, dict) else None
        if isinstance(found, dict):
            found = found.get("message")
        if isinstance(found, str):
            return one_line(found)
    return ""


def one_line(text: str) -> str:
    """Return text without control characters, on one line, cut to a bound."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return plain if len(plain) <= MODEL_ERROR_CHARS else plain[: MODEL_ERROR_CHARS - 1] + "…"


_HINTS: Mapping[ModelErrorKind, str] = {
    ModelErrorKind.AUTH: "check the key and what it may use",
    ModelErrorKind.NOT_FOUND: "check model.model_name and model.base_url",
    ModelErrorKind.REQUEST: "the vendor refuses what [model] and [tools] make of the question",
    ModelErrorKind.RATE_LIMIT: "the peer waits and tries again; lower the wake budget if this stays",
}


def _status_of(word: str) -> int:
    if word.isascii() and word.isdigit() and 400 <= int(word[:4]) <= 599:
        return int(word)
    return _STATUS_OF.get(word, 500)


def _kind(status: int) -> ModelErrorKind:
    if status in (401, 402, 403):
        return ModelErrorKind.AUTH
    if status == 404:
        return ModelErrorKind.NOT_FOUND
    if status == 429:
        return ModelErrorKind.RATE_LIMIT
    if status == 408:
        return ModelErrorKind.TIMEOUT
    if status >= 500 or status in _TRANSIENT_STATUS:
        return ModelErrorKind.OVERLOADED
    return ModelErrorKind.REQUEST


def _bounded(seconds: float) -> float | None:
    if not seconds > 0:
        return None
    return min(seconds, MODEL_RETRY_AFTER_SECONDS)
