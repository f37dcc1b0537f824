"""One JSON request over plain HTTP, for servers that need no SDK.

Rules: standard library only, so that a local model works with the base install. Requests run on a thread;
giving up shuts the socket down, which ends the thread. No redirects, no proxies: the servers asked here are
the ones the operator named.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from covey.limits import MODEL_REPLY_BYTES
from covey.values import dataclass

_READ_BYTES = 65_536  # of one read: what a socket usually holds


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def exchange(method: str, url: str, body: object, timeout_s: float) -> Answer:
    """Send one request and read its answer, blocking.

    Raises:
        OSError: The server was not reached, or did not answer in time.
        http.client.HTTPException: It does not speak HTTP.
    """
    answer = Collected()
    _Link(url, timeout_s).run(method, body, answer.take)
    return answer.answer()


class Collected:
    """An answer as it comes in, up to one byte more than allowed: that tells the reader it is too large."""

    def __init__(self) -> None:
        self._status, self._headers, self._body = 0, dict[str, str](), bytearray()

    def take(self, status: int, headers: Mapping[str, str], data: bytes) -> bool:
        """Take some bytes; False says that they are enough."""
        self._status, self._headers = status, dict(headers)
        self._body += data[: MODEL_REPLY_BYTES + 1 - len(self._body)]
        return len(self._body) <= MODEL_REPLY_BYTES

    def answer(self) -> Answer:
        """Return what came."""
        return Answer(self._status, self._headers, bytes(self._body))


async def stream(
    url: str, body: object, timeout_s: float, take: Callable[[int, Mapping[str, str], bytes], bool]
) -> None:
    """POST one request on a thread and hand over its answer as it comes; giving up ends the thread.

    Args:
        url: Where.
        body: What becomes JSON.
        timeout_s: Seconds that any single read may take.
        take: Gets status, headers and some bytes, on that thread; the last bytes are empty. False: enough.

    Raises:
        OSError: The server was not reached, or the connection broke.
        http.client.HTTPException: It does not speak HTTP, or ended before its end.
    """
    link = _Link(url, timeout_s)
    try:
        await asyncio.to_thread(link.run, "POST", body, take)
    finally:
        link.abort()


class _Link:
    """One connection for one request; `abort` may be called from another thread."""

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._http = kind(parts.hostname or "", parts.port, timeout=timeout_s)
        self._path = parts.path or "/"
        self._socket: socket.socket | None = None
        self._given_up = False

    def run(self, method: str, body: object, take: Callable[[int, Mapping[str, str], bytes], bool]) -> None:
        sent = None if body is None else json.dumps(body).encode()
        try:
            self._http.connect()
            self._socket = self._http.sock
            if self._given_up:
                return
            self._http.request(
                method, self._path, sent, {"Content-Type": "application/json", "Connection": "close"}
            )
            with self._http.getresponse() as response:
                headers = {name.lower(): value for name, value in response.getheaders()}
                while take(response.status, headers, data := response.read1(_READ_BYTES)) and data:
                    pass
        finally:
            self._socket = None
            self._http.close()

    def abort(self) -> None:
        """End a read that another thread is waiting in; closing alone would not wake it."""
        self._given_up = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # already closed: nothing is left to end
                self._socket.shutdown(socket.SHUT_RDWR)
