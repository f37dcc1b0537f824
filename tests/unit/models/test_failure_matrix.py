"""Every way an answer can go wrong, for every adapter, through the real SDKs, against a server on loopback.

Each ends as a ModelError with a reason, with whether later may help, with what the vendor asked us to wait,
and without the key: not in the error, not in anything the libraries log at their most talkative.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from covey.errors import ModelErrorKind as Kind
from covey.models import incoming, wire
from tests.unit.models import adapters
from tests.unit.models.adapters import ALL, ASK, KEY, Make, anthropic, failure, hello, ollama, reply
from tests.unit.models.vendor_server import SILENT, Raw, Vendor, vendor_server


@pytest.fixture(autouse=True)
def _talkative(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let every library log all it has, and hold that the key is not in it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    caplog.set_level(logging.DEBUG)
    yield
    assert KEY not in caplog.text


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with vendor_server() as running:
        yield running


def stream(make: Make, *pieces: bytes, end: str = "whole", **more: Any) -> Raw:
    return Raw(pieces, end, **{"kind": adapters.kind(make), **more})


HURRIED = replace(ASK, timeout_seconds=5.0, first_token_seconds=0.2)

EACH = pytest.mark.parametrize("make", ALL, ids=[make.__name__ for make in ALL])


@EACH
def test_a_stream_is_the_answer_it_would_have_been(make: Make, vendor: Vendor) -> None:
    vendor.will(stream(make, *hello(make)))
    answer = reply(make(vendor), replace(ASK, first_token_seconds=5.0))
    assert (answer.text, answer.tool_calls) == ("hello", ())
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (150, 20)
    assert answer.stop_reason in ("end_turn", "stop")
    assert vendor.only_request().body["stream"] is True


@EACH
@pytest.mark.parametrize(
    ("status", "kind", "transient"),
    [
        (401, Kind.AUTH, False),
        (403, Kind.AUTH, False),
        (404, Kind.NOT_FOUND, False),
        (413, Kind.REQUEST, False),
        (429, Kind.RATE_LIMIT, True),
        (500, Kind.OVERLOADED, True),
        (502, Kind.OVERLOADED, True),
        (503, Kind.OVERLOADED, True),
        (529, Kind.OVERLOADED, True),
    ],
)
def test_a_status_says_whether_later_helps_and_when(
    make: Make, status: int, kind: Kind, transient: bool, vendor: Vendor
) -> None:
    said = {"error": {"type": "x", "message": f"the key {KEY} will not do"}}
    vendor.will(said if make is not ollama else {"error": "no"}, status, retry_after="12")
    error = failure(make(vendor))
    assert (error.kind, error.transient, error.status, error.retry_after_s) == (kind, transient, status, 12.0)
    assert not error.may_have_cost
    vendor.only_request()


def test_a_local_model_without_tools_is_told_how_to_go_on(vendor: Vendor) -> None:
    vendor.will({"error": "m does not support tools"}, 400)
    error = failure(ollama(vendor))
    assert error.kind is Kind.REQUEST and "answer_as" in (error.hint or "")


@EACH
def test_a_page_of_a_proxy_is_one_line_of_its_words(make: Make, vendor: Vendor) -> None:
    vendor.will(b"<html>\n<h1>bad gateway</h1>" + KEY.encode() * (make is not ollama), 502)
    error = failure(make(vendor))
    assert (error.kind, error.transient) == (Kind.OVERLOADED, True)
    assert "bad gateway" in error.message


@EACH
def test_an_account_without_money_is_not_asked_again(make: Make, vendor: Vendor) -> None:
    vendor.will({"error": {"message": "pay", "code": "insufficient_quota"}}, 429)
    error = failure(make(vendor))
    assert (error.kind, error.transient) == (Kind.AUTH, False)


@EACH
def test_a_server_that_is_silent_runs_into_the_deadline(make: Make, vendor: Vendor) -> None:
    vendor.will(SILENT)
    error = failure(make(vendor), replace(ASK, timeout_seconds=0.2))
    assert (error.kind, error.transient, error.may_have_cost) == (Kind.TIMEOUT, True, True)
    assert "no answer within 0.2 s" in error.message


@EACH
def test_a_slow_first_byte_runs_into_the_sooner_deadline(make: Make, vendor: Vendor) -> None:
    vendor.will(SILENT)
    error = failure(make(vendor), HURRIED)
    assert (error.kind, error.transient, error.may_have_cost) == (Kind.TIMEOUT, True, True)
    assert "no first word within 0.2 s" in error.message and "first_token_seconds" in (error.hint or "")


@EACH
def test_headers_and_pings_are_no_first_word(make: Make, vendor: Vendor) -> None:
    begun = {anthropic: hello(make)[:2], ollama: ()}.get(make, (b": still thinking\n\n",))
    vendor.will(stream(make, *begun, end="hang"))
    assert "no first word within 0.2 s" in failure(make(vendor), HURRIED).message


@EACH
def test_after_the_first_word_only_the_whole_call_has_a_deadline(make: Make, vendor: Vendor) -> None:
    vendor.will(stream(make, *hello(make)[:-2], end="hang"))
    error = failure(make(vendor), replace(ASK, timeout_seconds=2.1, first_token_seconds=2.0))
    assert "no answer within 2.1 s" in error.message


@EACH
def test_a_connection_that_goes_away_in_the_middle(make: Make, vendor: Vendor) -> None:
    vendor.will(stream(make, *hello(make)[:-3], end="cut"))
    error = failure(make(vendor))
    assert (error.kind, error.transient, error.may_have_cost) == (Kind.INTERRUPTED, True, True)


@EACH
def test_a_stream_that_ends_politely_before_its_end(make: Make, vendor: Vendor) -> None:
    for kept in (0, 1, len(hello(make)) - 3):
        vendor.will(stream(make, *hello(make)[:kept]))
        error = failure(make(vendor))
        assert (error.kind, error.transient, error.may_have_cost) == (Kind.INTERRUPTED, True, True), kept
        assert "broke off" in error.message


@EACH
def test_a_body_shorter_than_it_said(make: Make, vendor: Vendor) -> None:
    vendor.will(Raw((b'{"cont',), "cut", "application/json", length=500))
    error = failure(make(vendor))
    assert error.kind in (Kind.INTERRUPTED, Kind.PROTOCOL) and error.may_have_cost


@EACH
def test_a_server_that_hangs_up_without_a_word(make: Make, vendor: Vendor) -> None:
    vendor.will(Raw(no_answer=True))
    error = failure(make(vendor))
    assert (error.kind, error.transient) == (Kind.CONNECTION, True)


@EACH
def test_nobody_there(make: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = failure(make(Vendor(port=taken.getsockname()[1])))
    assert (error.kind, error.transient, error.may_have_cost) == (Kind.CONNECTION, True, False)


@EACH
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b'{"choices": [], "content": 3, "message": 1}']
)
def test_a_success_that_is_none(make: Make, body: bytes, vendor: Vendor) -> None:
    vendor.will(body)
    error = failure(make(vendor))
    assert (error.kind, error.transient, error.may_have_cost) == (Kind.PROTOCOL, False, True)


@EACH
def test_an_event_that_is_not_json(make: Make, vendor: Vendor) -> None:
    broken = b"{not json}\n" if make is ollama else b"data: {not json}\n\n"
    vendor.will(stream(make, broken, *hello(make)))
    error = failure(make(vendor))
    assert (error.kind, error.transient) == (Kind.PROTOCOL, False)
    assert "not JSON" in error.message


@EACH
@pytest.mark.parametrize("kind", ["text/html", "text/plain; charset=utf-8", "image/png"])
def test_a_wrong_content_type_is_not_guessed_at(make: Make, kind: str, vendor: Vendor) -> None:
    vendor.will(Raw((b'{"content": []}',), kind=kind))
    error = failure(make(vendor))
    assert (error.kind, error.transient) == (Kind.PROTOCOL, False)
    assert kind.partition(";")[0] in error.message


@EACH
def test_an_answer_without_end_is_left(make: Make, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "MODEL_REPLY_BYTES", 50_000)
    monkeypatch.setattr(wire, "MODEL_REPLY_BYTES", 50_000)
    vendor.will(stream(make, *([hello(make)[len(hello(make)) // 2]] * 2_000)))
    error = failure(make(vendor))
    assert (error.kind, error.transient, error.may_have_cost) == (Kind.OVERSIZE, False, True)
    vendor.will(b'{"content": "' + b"x" * 60_000 + b'"}')
    assert failure(make(vendor)).kind is Kind.OVERSIZE


@EACH
def test_one_event_without_end_is_left(make: Make, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "MODEL_LINE_BYTES", 5_000)
    vendor.will(stream(make, b"data: " + b"x" * 6_000))
    assert failure(make(vendor)).kind is Kind.OVERSIZE


@EACH
def test_a_failure_in_the_middle_of_a_stream(make: Make, vendor: Vendor) -> None:
    said = {"type": "error", "error": {"type": "overloaded_error", "message": f"busy {KEY}"}}
    if make is ollama:
        said = {"error": "out of memory"}
        vendor.will(stream(make, *hello(make)[:1], b'{"error": "out of memory"}\n'))
    else:
        vendor.will(stream(make, *hello(make)[:3], *adapters.events(said, named=make is anthropic)))
    error = failure(make(vendor))
    assert (error.kind, error.transient) == (Kind.OVERLOADED, True)
    assert "out of memory" in error.message if make is ollama else "busy ***" in error.message


@EACH
def test_a_redirect_does_not_carry_the_key_away(make: Make, vendor: Vendor) -> None:
    with vendor_server() as other:
        vendor.will({}, 307, location=f"{other.url}/v1/messages")
        error = failure(make(vendor))
        assert (error.kind, error.transient, error.status) == (Kind.REQUEST, False, 307)
        assert other.asked == []


@EACH
def test_a_stop_ends_the_call_in_the_middle_of_its_stream(make: Make, vendor: Vendor) -> None:
    async def run() -> None:
        model = make(vendor)
        vendor.will(stream(make, *hello(make)[:-2], end="hang"))
        call = asyncio.create_task(model.call(ASK))
        assert await asyncio.to_thread(vendor.arrived.wait, 10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await model.close()

    asyncio.run(run())


@EACH
def test_an_answer_that_says_nothing_is_an_answer(make: Make, vendor: Vendor) -> None:
    nothing = {
        "content": [],
        "choices": [{"message": {"content": None}, "finish_reason": "stop"}],
        "message": {"content": ""},
        "stop_reason": "end_turn",
        "done_reason": "stop",
    }
    vendor.will(nothing)
    answer = reply(make(vendor))
    assert (answer.text, answer.tool_calls) == ("", ())
