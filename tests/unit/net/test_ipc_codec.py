"""The control socket's language: any bytes give a request, a named error or nothing."""

from __future__ import annotations

import json

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.limits import IPC_LINE_BYTES
from covey.net.ipc import codec
from covey.net.ipc.codec import OVERLONG, BadRequest, FrameDecoder, FrameError, LineDecoder, Overlong, Request

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, start = [], 0
    for size in sizes:
        pieces.append(data[start : start + size])
        start += size
    return [*pieces, data[start:]]


@given(st.binary(max_size=200), st.lists(st.integers(0, 40)), st.integers(1, 30))
def test_lines_do_not_depend_on_how_the_stream_was_cut(data: bytes, sizes: list[int], limit: int) -> None:
    whole, pieces = LineDecoder(limit), LineDecoder(limit)
    expected = whole.feed(data + b"\n")
    found = [line for piece in cut(data + b"\n", sizes) for line in pieces.feed(piece)]
    assert found == expected


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line and not line.endswith(b"\r"))))
def test_short_lines_come_back_and_long_ones_are_reported_once_each(lines: list[bytes]) -> None:
    decoder = LineDecoder(20)
    found: list[bytes | Overlong] = []
    for line in lines:
        found += decoder.feed(line)
        found += decoder.feed(b"\n")
    assert found == [line if len(line) <= 20 else OVERLONG for line in lines]


def test_a_line_without_an_end_is_not_held() -> None:
    decoder = LineDecoder(1000)
    reported = sum(len(decoder.feed(b"x" * 999)) for _ in range(100))
    assert reported == 1
    assert len(decoder._buffer) <= 1000
    assert decoder.feed(b"\nafter\n") == [b"after"]


def test_a_carriage_return_belongs_to_the_end_of_a_line() -> None:
    assert LineDecoder().feed(b"a\r\nb\n") == [b"a", b"b"]


@given(st.binary(max_size=300))
def test_any_line_gives_a_request_an_error_or_nothing(line: bytes) -> None:
    found = codec.parse_request(line)
    assert found is None or isinstance(found, Request | BadRequest)
    assert (found is None) == (not line.strip())


@given(json_values)
def test_any_json_gives_a_request_or_an_error_that_can_be_sent(value: object) -> None:
    found = codec.parse_request(json.dumps(value).encode())
    assert isinstance(found, Request | BadRequest)
    if isinstance(found, BadRequest):
        codec.encode_line(codec.refusal(found.id, found.code, found.message))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"null", "invalid_request"),
        (b"[]", "invalid_request"),
        (b'"status"', "invalid_request"),
        (b"{}", "invalid_request"),
        (b'{"cmd":7}', "invalid_request"),
        (b'{"cmd":null}', "invalid_request"),
        (b"{", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b'{"cmd":"x","a":NaN}', "invalid_json"),
        (b'{"cmd":"\\ud800"}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"id":' + b"9" * 5000 + b"}", "invalid_json"),
        (b'{"id":1.5,"cmd":"x"}', "invalid_id"),
        (b'{"id":true,"cmd":"x"}', "invalid_id"),
        (b'{"id":[],"cmd":"x"}', "invalid_id"),
        (b'{"id":"' + b"a" * 65 + b'","cmd":"x"}', "invalid_id"),
        (b'{"id":99999999999999999999,"cmd":"x"}', "invalid_id"),
    ],
)
def test_what_is_no_request_is_named(line: bytes, code: str) -> None:
    found = codec.parse_request(line)
    assert isinstance(found, BadRequest)
    assert found.code == code


def test_an_overlong_line_says_what_is_allowed() -> None:
    found = codec.parse_request(OVERLONG)
    assert isinstance(found, BadRequest)
    assert (found.code, str(IPC_LINE_BYTES) in found.message) == ("line_too_long", True)


def test_a_request_keeps_its_id_and_the_rest_is_arguments() -> None:
    assert codec.parse_request(b' {"id":"a","cmd":"trace","key":"k","n":1}\r') == Request(
        "a", "trace", {"key": "k", "n": 1}
    )
    assert codec.parse_request(b'{"cmd":"status"}') == Request(None, "status", {})


def test_a_legal_pair_of_surrogate_escapes_is_text() -> None:
    assert codec.parse_request(b'{"cmd":"x","a":"\\ud83d\\udc26"}') == Request(None, "x", {"a": "🐦"})


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5))), st.lists(st.integers(0, 20)))
def test_frames_come_back_however_the_stream_was_cut(
    messages: list[dict[str, object]], sizes: list[int]
) -> None:
    decoder = FrameDecoder()
    stream = b"".join(codec.encode_frame(message) for message in messages)
    assert [found for piece in cut(stream, sizes) for found in decoder.feed(piece)] == messages


@given(st.binary(min_size=4, max_size=100))
def test_any_bytes_give_frames_or_a_frame_error(data: bytes) -> None:
    try:
        messages = FrameDecoder(limit=64).feed(data)
    except FrameError:
        return
    assert all(isinstance(message, dict) for message in messages)


def test_a_frame_over_the_limit_or_without_a_map_is_refused() -> None:
    with pytest.raises(FrameError, match="at most 8"):
        FrameDecoder(limit=8).feed((9).to_bytes(4, "big"))
    body = msgpack.packb([1])
    with pytest.raises(FrameError, match="no map"):
        FrameDecoder().feed(len(body).to_bytes(4, "big") + body)


@given(json_values)
def test_a_message_is_one_line_of_ascii(value: object) -> None:
    line = codec.encode_line({"value": value})
    assert line.isascii()
    assert line.index(b"\n") == len(line) - 1
