"""Pages over HTTP, on real sockets: who is answered, who is refused, and what hostile clients cost."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from covey import limits
from covey.errors import NetworkError
from covey.net.pages import Page, PageServer


async def ask(port: int, raw: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def get(path: str = "/metrics", host: str = "localhost", method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


async def text() -> str:
    return "covey_up 1\n"


async def broken() -> str:
    raise LookupError("no such thing")


def answers(*requests: bytes) -> list[bytes]:
    said: list[str] = []

    async def work() -> list[bytes]:
        server = PageServer({"/metrics": Page("text/plain", text), "/broken": Page("t", broken)}, said.append)
        port = await server.listen("127.0.0.1", 0)
        try:
            return [await ask(port, request.replace(b"PORT", str(port).encode())) for request in requests]
        finally:
            await server.stop()

    return asyncio.run(work())


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_page_is_served_with_its_length_and_the_connection_ends() -> None:
    whole, head = answers(get("/metrics?x=1"), get(method="HEAD"))
    assert whole.endswith(b"Connection: close\r\n\r\ncovey_up 1\n") and b"Content-Length: 11\r\n" in whole
    assert head.endswith(b"\r\n\r\n") and b"Content-Length: 11\r\n" in head


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:PORT", "[::1]:PORT", "127.9.9.9"])
def test_this_machines_own_names_are_answered(host: str) -> None:
    assert [status(each) for each in answers(get(host=host))] == [200]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:PORT", "localhost.evil.example", "10.0.0.1", ""]
)
def test_a_page_that_points_its_own_name_here_reads_nothing(host: str) -> None:
    (answer,) = answers(get(host=host))
    assert status(answer) == 421 and b"covey_up" not in answer


def test_other_requests_are_refused() -> None:
    twice = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
    found = answers(get("/other"), get(method="POST"), twice, b"\r\n\r\n", get("/broken"), get())
    assert [status(each) for each in found] == [404, 400, 400, 400, 500, 200]


def test_a_head_without_end_is_cut_off_at_its_bound() -> None:
    assert answers(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * limits.PAGE_REQUEST_BYTES * 2, get())[1]


async def crowd(port: int, size: int) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open connections that say nothing, the last of them known to be there."""
    return [await asyncio.open_connection("127.0.0.1", port) for _ in range(size)]


def test_a_client_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAGE_SECONDS", 0.05)

    async def work() -> bytes:
        server = PageServer({}, print)
        ((reader, writer),) = await crowd(await server.listen("127.0.0.1", 0), 1)
        try:
            return await asyncio.wait_for(reader.read(), 20)
        finally:
            writer.close()
            await server.stop()

    assert asyncio.run(work()) == b""


def test_too_many_at_once_are_told_so_and_many_more_are_cut_off() -> None:
    async def work() -> list[int]:
        server = PageServer({"/metrics": Page("text/plain", text)}, print)
        port = await server.listen("127.0.0.1", 0)
        idle = await crowd(port, limits.PAGE_CONNECTIONS)
        seen = [status(await ask(port, get()))]
        more = await crowd(port, limits.PAGE_CONNECTIONS)
        assert await ask(port, get()) == b"" and server.counters["cut_off"] == 1
        for reader, writer in idle + more:
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()
        seen.append(status(await ask(port, get())))
        await server.stop()
        return seen

    assert asyncio.run(work()) == [503, 200]


def test_an_address_that_is_taken_is_named() -> None:
    async def work() -> None:
        first, second = PageServer({}, print), PageServer({}, print)
        port = await first.listen("127.0.0.1", 0)
        try:
            with pytest.raises(NetworkError, match=f"cannot listen on 127.0.0.1:{port}"):
                await second.listen("127.0.0.1", port)
        finally:
            await first.stop()
            await second.stop()

    asyncio.run(work())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_whatever_is_sent_the_next_request_is_answered(raw: bytes) -> None:
    assert status(answers(raw + b"\r\n\r\n", get())[1]) == 200
