"""WebSocket links: text messages in and out. One listener for a relay, one dialler for its clients.

Rules: no message is read here with any understanding of it. Extensions are off: compressed ciphertext is not
shorter, and each connection's compressor would cost a relay more memory than everything else of it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.http11 import Request, Response

from covey import limits
from covey.errors import NetworkError
from covey.net.half_open import Arriving, HalfOpen

if TYPE_CHECKING:
    from covey.ports.relay import RelayClientSink, RelaySink

Page = Callable[[], str]
CLUSTER_HEADER = "Covey-Relay-Cluster"
"""Told before a client says who it is: it takes one relay of a cluster, and keeps the others in reserve."""

_QUIET = logging.getLogger("covey.net.websocket")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False  # what hostile clients send must not reach a log through the library

_READ_AHEAD = 2  # messages the library reads before we ask: reading must stop soon where we hold it


def server_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the TLS of a listener, from PEM files.

    Raises:
        NetworkError: A file cannot be read, the key is under a passphrase, or the two do not belong together.
    """
    locked = False

    def refuse() -> str:
        nonlocal locked  # without this OpenSSL asks at the terminal, where a service would wait for ever
        locked = True
        return ""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, refuse)
    except (OSError, ssl.SSLError) as error:
        if locked:
            raise NetworkError(
                f"cannot use key {key}: it is under a passphrase",
                hint=f"write it without one, readable by you alone: openssl pkey -in {key} -out FILE",
            ) from error
        raise NetworkError(
            f"cannot use certificate {certificate} with key {key}: {error.strerror or error}",
            hint="both are PEM files; the certificate file holds the whole chain",
        ) from error
    return context


class WebSocketServer:
    """Every connection of one relay.

    Args:
        pages: What plain HTTP requests are answered with, by path.
        cluster: What this relay is part of, told in the answer to each WebSocket request; empty: nothing.
    """

    def __init__(self, pages: Mapping[str, Page], cluster: str = "") -> None:
        self._pages = pages
        self._cluster = cluster
        self._server: Server | None = None
        self._conns: dict[int, _Conn] = {}
        self._next = 1
        self._half_open: HalfOpen | None = None

    @property
    def half_open(self) -> int:
        """Return how many connections are no WebSockets yet."""
        return 0 if self._half_open is None else len(self._half_open)

    async def listen(self, host: str, port: int, sink: RelaySink, tls: ssl.SSLContext | None) -> int:
        """Accept connections on `host:port` (0: any free port); return the bound port.

        Raises:
            NetworkError: The address cannot be bound; it says which and why.
        """

        gate = self._half_open = HalfOpen(sink.refused)

        class Counted(Arriving):
            """A connection of this listener."""

        Counted.gate, Counted.tls = gate, tls

        async def serve_one(connection: ServerConnection) -> None:
            await self._serve(connection, sink)

        try:
            self._server = await serve(
                serve_one,
                host,
                port,
                create_connection=Counted,
                compression=None,
                process_request=self._page,
                process_response=self._name_cluster,
                server_header=None,
                open_timeout=limits.RELAY_REQUEST_SECONDS,
                ping_interval=None,
                close_timeout=limits.RELAY_GOODBYE_SECONDS,
                max_size=limits.RELAY_MESSAGE_BYTES,
                max_queue=_READ_AHEAD,
                logger=_QUIET,
                backlog=1024,
            )
        except OSError as error:
            raise NetworkError(
                f"cannot listen on {host}:{port}: {_why(error)}",
                hint="choose another port, or 0 for a free one",
            ) from error
        return int(next(iter(self._server.sockets)).getsockname()[1])

    def say(self, conn: int, message: bytes) -> None:
        """Send a text message, in order; `written` or `gone` tells what became of it."""
        found = self._conns.get(conn)
        if found is not None:
            found.say(message)

    def drop(self, conn: int, code: int, reason: str) -> None:
        """Close with a code after what is queued, if that leaves quickly."""
        found = self._conns.get(conn)
        if found is not None:
            found.drop(code, reason)

    def hold(self, conn: int, seconds: float) -> None:
        """Read nothing from a client for that long."""
        found = self._conns.get(conn)
        if found is not None:
            found.held_until = asyncio.get_running_loop().time() + seconds

    async def stop(self) -> None:
        """Stop listening, and close every connection with 1001."""
        if self._server is not None:
            self._server.close(close_connections=True)
            if self._half_open is not None:
                self._half_open.close()
            await self._server.wait_closed()
            self._server = None

    def _page(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Upgrade") is not None:
            return None
        page = self._pages.get(request.path.partition("?")[0])
        if page is None:
            return connection.respond(HTTPStatus.NOT_FOUND, "not found: this is a relay, speak WebSocket\n")
        return connection.respond(HTTPStatus.OK, page())

    def _name_cluster(self, _connection: ServerConnection, _request: Request, response: Response) -> None:
        if self._cluster and response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            response.headers[CLUSTER_HEADER] = self._cluster

    async def _serve(self, connection: ServerConnection, sink: RelaySink) -> None:
        conn = _Conn(self._next, connection, sink)
        self._next += 1
        self._conns[conn.id] = conn
        if self._half_open is not None:
            self._half_open.leave(connection)
        sink.opened(conn.id, _address(connection))
        try:
            await conn.read()
        finally:
            del self._conns[conn.id]
            conn.end()
            sink.gone(conn.id)


class _Conn:
    """One client of a relay: its outgoing queue, and the task that empties it while it is not empty."""

    __slots__ = ("_closing", "_connection", "_queue", "_sink", "_writer", "held_until", "id")

    def __init__(self, conn: int, connection: ServerConnection, sink: RelaySink) -> None:
        self.id = conn
        self.held_until = 0.0
        self._connection = connection
        self._sink = sink
        self._queue: deque[bytes] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._closing: tuple[int, str] | None = None

    async def read(self) -> None:
        """Hand every message to the sink until the connection ends."""
        loop = asyncio.get_running_loop()
        with suppress(ConnectionClosed):
            while True:
                message = await self._connection.recv()
                self._sink.heard(self.id, message.encode() if isinstance(message, str) else None)
                wait = self.held_until - loop.time()
                if wait > 0.0:
                    await asyncio.sleep(wait)

    def say(self, message: bytes) -> None:
        self._queue.append(message)
        self._wake()

    def drop(self, code: int, reason: str) -> None:
        self._closing = (code, reason)
        self._wake()
        # a client that does not read keeps the queue from emptying: it is cut off
        asyncio.get_running_loop().call_later(limits.RELAY_GOODBYE_SECONDS, self._abort)

    def end(self) -> None:
        if self._writer is not None:
            self._writer.cancel()

    def _wake(self) -> None:
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        with suppress(ConnectionClosed):
            while self._queue:
                message = self._queue.popleft()
                await self._connection.send(message, text=True)
                self._sink.written(self.id, len(message))
            if self._closing is not None:
                await self._connection.close(*self._closing)
        self._writer = None

    def _abort(self) -> None:
        self._connection.transport.abort()


class WebSocketClient:
    """One connection to a relay at a time; the sink says when to make the next.

    Args:
        proxy: The HTTP proxy that is asked to connect us (CONNECT), so that TLS ends at the relay; None asks
            nobody. The environment's own variables for proxies are not looked at.
    """

    def __init__(self, proxy: str | None = None) -> None:
        self._proxy = proxy
        self._task: asyncio.Task[None] | None = None
        self._connection: ClientConnection | None = None
        self._queue: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._closing: tuple[int, str] | None = None

    def connect(self, url: str, timeout_seconds: float, sink: RelayClientSink) -> None:
        """Begin to connect; `up` follows, and at the end of it all `down`."""
        self._queue.clear()
        self._closing = None
        self._task = asyncio.get_running_loop().create_task(self._run(url, timeout_seconds, sink))

    def transmit(self, message: bytes) -> None:
        """Send a text message, in order; `written` tells when it has left."""
        self._queue.append(message)
        self._more.set()

    def hangup(self, code: int, reason: str) -> None:
        """Close, after what is queued if that leaves quickly."""
        self._closing = (code, reason)
        self._more.set()
        connection = self._connection
        if connection is not None:
            asyncio.get_running_loop().call_later(limits.RELAY_GOODBYE_SECONDS, connection.transport.abort)

    async def stop(self) -> None:
        """Wait for the end of the connection; one that lingers is cut off."""
        task = self._task
        if task is None:
            return
        done, _ = await asyncio.wait({task}, timeout=limits.RELAY_GOODBYE_SECONDS)
        if not done:
            task.cancel()
            await asyncio.wait({task})
        self._task = None

    async def _run(self, url: str, timeout_seconds: float, sink: RelayClientSink) -> None:
        code: int | None = None
        reason = "closed"
        try:
            async with connect(
                url,
                compression=None,
                open_timeout=timeout_seconds,
                ping_interval=None,
                close_timeout=limits.RELAY_GOODBYE_SECONDS,
                max_size=limits.RELAY_MESSAGE_BYTES,
                max_queue=_READ_AHEAD,
                user_agent_header=None,
                proxy=self._proxy,
                logger=_QUIET,
            ) as connection:
                self._connection = connection
                response = connection.response
                sink.up("" if response is None else response.headers.get(CLUSTER_HEADER, ""))
                code, reason = await self._talk(connection, sink)
        except (OSError, TimeoutError, ValueError, WebSocketException) as error:
            reason = _why(error) if isinstance(error, OSError) else str(error) or type(error).__name__
        finally:
            self._connection = None
            sink.down(code, reason)

    async def _talk(self, connection: ClientConnection, sink: RelayClientSink) -> tuple[int | None, str]:
        writer = asyncio.get_running_loop().create_task(self._write(connection, sink))
        try:
            while True:
                message = await connection.recv()
                sink.heard(message.encode() if isinstance(message, str) else b"")
        except ConnectionClosed as closed:
            received = closed.rcvd
            return (None, "connection lost") if received is None else (received.code, received.reason)
        finally:
            writer.cancel()

    async def _write(self, connection: ClientConnection, sink: RelayClientSink) -> None:
        with suppress(ConnectionClosed):
            while True:
                while self._queue:
                    message = self._queue.popleft()
                    await connection.send(message, text=True)
                    sink.written(len(message))
                if self._closing is not None:
                    await connection.close(*self._closing)
                    return
                self._more.clear()
                await self._more.wait()


def _address(connection: ServerConnection) -> str:
    found = connection.remote_address
    return f"{found[0]}:{found[1]}" if isinstance(found, tuple) else "unknown"


def _why(error: OSError) -> str:
    """Say what the system said, in its own words; what TLS numbers are no errors of the system."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not hold: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS with it: {(error.reason or 'failed').lower().replace('_', ' ')}"
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
