"""The server that carries a door's HTTP: uvicorn on a socket that listens already."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette

from covey import limits

_CONNECTIONS: Final = limits.DOOR_CONCURRENT * 2
_IDLE_SECONDS: Final = 30


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its own signal handlers: the command has them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class DoorServer:
    """HTTP, or HTTPS where there is a certificate.

    Args:
        app: What is served.
        listener: A socket that listens.
        certificate: PEM file, with `key`.
        key: PEM file.
    """

    def __init__(
        self,
        app: Starlette,
        listener: socket.socket,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self._listener = listener
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                # What a proxy says of its clients is not believed: it would make anybody a local one.
                proxy_headers=False,
                limit_concurrency=_CONNECTIONS,
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=int(limits.IPC_LEAVE_SECONDS),
                h11_max_incomplete_event_size=65_536,
                ssl_certfile=None if certificate is None else str(certificate),
                ssl_keyfile=None if key is None else str(key),
            )
        )

    async def run(self) -> None:
        """Serve until `stop`."""
        await self._server.serve([self._listener])

    def stop(self) -> None:
        """Let requests under way finish, for a second, and end."""
        self._server.should_exit = True
