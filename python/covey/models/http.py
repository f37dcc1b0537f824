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
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from covey.limits import MODEL_REPLY_BYTES


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
    return _Link(url, timeout_s).run(method, body)


async def exchange_async(method: str, url: str, body: object, timeout_s: float) -> Answer:
    """Send one request and read its answer on a thread; giving up ends the thread.

    Raises:
        TimeoutError: No complete answer in time.
        OSError: The server was not reached.
        http.client.HTTPException: It does not speak HTTP.
    """
    link = _Link(url, timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            return await asyncio.to_thread(link.run, method, body)
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

    def run(self, method: str, body: object) -> Answer:
        sent = None if body is None else json.dumps(body).encode()
        try:
            self._http.connect()
            self._socket = self._http.sock
            self._http.request(
                method, self._path, sent, {"Content-Type": "application/json", "Connection": "close"}
            )
            response = self._http.getresponse()
            # One byte more than allowed tells the reader that it is too large.
            content = response.read(MODEL_REPLY_BYTES + 1)
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, content)
        finally:
            self._socket = None
            self._http.close()

    def abort(self) -> None:
        """End a read that another thread is waiting in; closing alone would not wake it."""
        if self._socket is not None:
            with contextlib.suppress(OSError):  # already closed: nothing is left to end
                self._socket.shutdown(socket.SHUT_RDWR)
