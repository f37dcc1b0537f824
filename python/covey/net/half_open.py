"""Connections to a relay that have not become WebSockets yet: bounded in number and in time, and counted.

From the moment a socket is accepted until its upgrade, TLS included, it costs files and memory and has said
nothing that could be refused. So the socket is counted before TLS begins, and TLS is begun here. That
needs a loop on which a transport may be paused as soon as it is made: asyncio's own, not uvloop.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

from websockets.asyncio.server import ServerConnection

from covey import limits


class HalfOpen:
    """How many there are. Where they are too many the one that has waited longest is cut for a new one.

    A client that means to speak is through in some round trips, so that a flood of silent ones cuts itself.

    Args:
        refused: Called for each that is cut.
    """

    def __init__(self, refused: Callable[[], None]) -> None:
        self._refused = refused
        self._waiting: dict[Arriving, None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, connection: Arriving) -> None:
        """Take one more, in place of the oldest where there are too many."""
        if len(self._waiting) >= limits.RELAY_HALF_OPEN:
            oldest = next(iter(self._waiting))
            self.leave(oldest)
            oldest.cut()
            self._refused()
        self._waiting[connection] = None

    def leave(self, connection: ServerConnection) -> None:
        """Let one go: it is a WebSocket, or it is gone."""
        self._waiting.pop(cast("Arriving", connection), None)

    def close(self) -> None:
        """Cut them all."""
        for connection in tuple(self._waiting):
            connection.cut()


class Arriving(ServerConnection):
    """A connection from its first byte on. What comes before TLS has ended is kept for the library.

    Attributes:
        gate: Where it is counted.
        tls: The relay's certificate; None speaks in the clear.
    """

    gate: HalfOpen
    tls: ssl.SSLContext | None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._raw: asyncio.Transport | None = None
        self._begun = False
        self._early: list[bytes] = []
        self._securing: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it; then let TLS begin, or the library."""
        self._raw = cast("asyncio.Transport", transport)
        self.gate.enter(self)
        if self.tls is None:
            self._begin(self._raw)
        else:
            self._raw.pause_reading()
            self._securing = asyncio.get_running_loop().create_task(self._secure(self._raw, self.tls))

    def data_received(self, data: bytes) -> None:
        """Hand it on, once somebody is there to take it."""
        if self._begun:
            super().data_received(data)
        else:
            self._early.append(data)

    def eof_received(self) -> None:
        """Hand it on; one that ends before it began has nothing to say."""
        if self._begun:
            super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it no more."""
        self.gate.leave(self)
        if self._begun:
            super().connection_lost(exc)

    def cut(self) -> None:
        """End it at once."""
        if self._raw is not None:
            self._raw.abort()

    async def _secure(self, raw: asyncio.Transport, tls: ssl.SSLContext) -> None:
        try:
            secured = await asyncio.get_running_loop().start_tls(
                raw, self, tls, server_side=True, ssl_handshake_timeout=limits.RELAY_REQUEST_SECONDS
            )
        except (OSError, ssl.SSLError):  # a timeout is an OSError; what they said is no TLS, or not for us
            secured = None
        finally:
            self._securing = None
        if secured is None or secured.is_closing():
            self.gate.leave(self)
            raw.abort()
            return
        self._raw = secured
        self._begin(secured)
        early, self._early = self._early, []
        for data in early:
            super().data_received(data)

    def _begin(self, transport: asyncio.Transport) -> None:
        self._begun = True
        super().connection_made(transport)
