"""How answers become errors: Retry-After, the vendor's words, and no secret."""

from __future__ import annotations

import pytest

from covey.limits import MODEL_ERROR_CHARS, MODEL_RETRY_AFTER_SECONDS
from covey.models.failures import from_status, one_line, retry_after, vendor_message

NOON = "Sun, 06 Nov 2044 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "999999999"}, MODEL_RETRY_AFTER_SECONDS),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "nan"}, None),
        ({"retry-after": "Sun, 06 Nov 2044 12:00:30 GMT", "date": NOON}, 30.0),
        ({"retry-after": "Sun, 06 Nov 2044 11:00:00 GMT", "date": NOON}, None),
        ({"retry-after": "Sun, 06 Nov 2044 12:00:30 GMT"}, None),
        ({"retry-after": "Sun, 06 Nov 2044 12:00:30 GMT", "date": "yesterday"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"message": "bad\\nkey"}}', "bad key"),
        (b'{"error": "no such model"}', "no such model"),
        (b'{"message": "m"}', "m"),
        (b'{"detail": "d"}', "d"),
        (b'{"error": {"code": 1}}', ""),
        (b"[]", ""),
        (b"<h1>502</h1>\n<p>", "<h1>502</h1> <p>"),
        (b"\xff\x00", "\ufffd"),
        (b"", ""),
        (b"[" * 100_000, "[" * MODEL_ERROR_CHARS),
    ],
)
def test_the_vendors_own_words(body: bytes, said: str) -> None:
    assert vendor_message(body) == said


def test_a_message_is_one_bounded_line_without_the_key() -> None:
    error = from_status("openai/x", 401, b'{"error": {"message": "key sk-1 is bad"}}', {}, secret="sk-1")
    assert error.message == "openai/x: answered 401: key *** is bad"
    assert error.hint == "check the key and what it may use"
    assert from_status("a/b", 500, b"", {}).message == "a/b: answered 500"
    assert len(one_line("x" * 10_000)) == MODEL_ERROR_CHARS
    assert one_line("a\x1b[2J\u202eb") == "a [2J b"
