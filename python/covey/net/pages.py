"""A few plain pages over HTTP: GET, one answer, close. For those who watch, not for those who browse.

Rules: nothing a client sends is kept or shown. On loopback only requests for this machine's own names are
answered, so that a web page which points a name of its own here (DNS rebinding) reads nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

from covey import limits
from covey.errors import NetworkError
from covey.net.tcp import is_loopback
from covey.values import dataclass

_REQUEST: Final = re.compile(rb"(GET|HEAD) (/[!-~]*) HTTP/1\.[01]\r\n")
_HOST: Final = re.compile(rb"\r\n[Hh][Oo][Ss][Tt]:[ \t]*([!-~]*)[ \t]*(?=\r\n)")
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
"""What a page may do in a browser: be looked at."""
_WORDS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    421: "Misdirected Request",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One page: what it is, and who writes it anew for each request."""

    content_type: str
    text: Callable[[], Awaitable[str]]


class PageServer:
    """Serves pages by path.

    Args:
        pages: What there is, by path.
        log: Told of a page that could not be written.
    """

    def __init__(self, pages: Mapping[str, Page], log: Callable[[str], None]) -> None:
        self._pages = pages
        self._log = log
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._private = True
        self.counters: Counter[str] = Counter()

    async def listen(self, host: str, port: int) -> int:
        """Serve on `host:port` (0: any free port); return the bound port.

        Raises:
            NetworkError: The address cannot be bound; it says which and why.
        """
        self._private = host == "localhost" or is_loopback(host)
        try:
            self._server = await asyncio.start_server(
                self._accept, host, port, limit=limits.PAGE_REQUEST_BYTES
            )
        except OSError as error:
            raise NetworkError(
                f"cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}",
                hint="choose another port, or 0 for a free one",
            ) from error
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening, and end what is open."""
        if self._server is None:
            return
        self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= 2 * limits.PAGE_CONNECTIONS:  # not even a word: each would keep a socket
            self.counters["cut_off"] += 1
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(limits.PAGE_SECONDS):
                # Read first: a close over unread bytes would reset the connection and lose the answer.
                head = await reader.readuntil(b"\r\n\r\n")
                if len(self._open) > limits.PAGE_CONNECTIONS:
                    writer.write(self._answer(503, "text/plain", "too many at once\n"))
                else:
                    writer.write(await self._answer_to(head))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            self.counters[f"unanswered.{type(error).__name__}"] += 1
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer_to(self, head: bytes) -> bytes:
        asked, hosts = _REQUEST.match(head), _HOST.findall(head)
        if asked is None or len(hosts) > 1:
            return self._answer(400, "text/plain", "no request that is answered here\n")
        if self._private and not _is_own(hosts[0] if hosts else b""):
            return self._answer(421, "text/plain", "not this host\n")
        page = self._pages.get(asked[2].decode().partition("?")[0])
        if page is None:
            return self._answer(404, "text/plain", f"here are: {', '.join(self._pages)}\n")
        try:
            body = await page.text()
        except Exception as error:  # a page's bug must not end the peer; whoever asks sees that it failed
            self._log(f"{type(error).__name__}: {error}")
            return self._answer(500, "text/plain", "this page could not be written\n")
        return self._answer(200, page.content_type, body, bare=asked[1] == b"HEAD")

    def _answer(self, status: int, content_type: str, body: str, *, bare: bool = False) -> bytes:
        self.counters[f"answered.{status}"] += 1
        raw = body.encode()
        head = (
            f"HTTP/1.1 {status} {_WORDS[status]}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(raw)}\r\nCache-Control: no-store\r\n"
            f"X-Content-Type-Options: nosniff\r\nContent-Security-Policy: {_POLICY}\r\n"
            "Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + (b"" if bare else raw)


def _is_own(host: bytes) -> bool:
    """Say whether a Host header names this machine's loopback."""
    text = host.decode("ascii", "replace")
    name = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]
    return name == "localhost" or is_loopback(name)
