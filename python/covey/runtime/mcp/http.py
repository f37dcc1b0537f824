"""The HTTP form: a gate in front of the SDK's streamable HTTP, and the server that carries both.

Rules: loopback only. Host and Origin are checked first, then the token, before anything else reads a byte of
a request: a web page that points a name of its own at this machine (DNS rebinding) gets nothing. A refusal
says which check failed, is counted, and is logged.
"""

from __future__ import annotations

import contextlib
import hmac
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from mcp.server.lowlevel.server import Server
from mcp.server.transport_security import TransportSecuritySettings

from covey import limits
from covey.runtime.mcp import bounds

if TYPE_CHECKING:
    import socket

PATH: Final = "/mcp"
Asgi = Callable[[Any, Any, Any], Any]
Log = Callable[[str, Mapping[str, object]], None]


class Gate:
    """Lets in requests for this server's own address, from no foreign page, with the token.

    Args:
        app: What is behind it.
        token: The bearer token.
        port: The port that is listened on.
        origins: Further origins whose pages may call.
        log: Told of each refusal.
    """

    def __init__(self, app: Asgi, token: str, port: int, origins: Collection[str], log: Log) -> None:
        self._app = app
        self._token = token.encode()
        names = ("127.0.0.1", "localhost", "[::1]")
        self._hosts = frozenset(f"{name}:{port}" for name in names)
        self._origins = frozenset(f"http://{host}" for host in self._hosts) | frozenset(origins)
        self._log = log
        self.counters: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, or refuse it."""
        refusal = None if scope["type"] == "lifespan" else self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, why = refusal
        self.counters[f"mcp.http.{why}"] += 1
        self._log("mcp-refused", {"reason": why, "status": status})
        if scope["type"] != "http":
            return
        headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": f"refused: {why}\n".encode()})

    def _refusal(self, scope: Any) -> tuple[int, str] | None:
        if scope["type"] != "http":
            return 400, "scope"
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        host = _only(headers, b"host")
        if host not in self._hosts:
            return 421, "host"
        if b"origin" in headers and _only(headers, b"origin") not in self._origins:
            return 403, "origin"
        scheme, _, token = (_only(headers, b"authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), self._token):
            return 401, "token"
        return None


def _only(headers: Mapping[bytes, list[bytes]], name: bytes) -> str | None:
    """Return a header that is there once; one that is there twice is ambiguous, so it is none."""
    values = headers.get(name, ())
    return values[0].decode("latin-1") if len(values) == 1 else None


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its own signal handlers: the command has them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class HttpForm:
    """Streamable HTTP on a socket that listens, behind the gate.

    Args:
        sdk: The MCP server.
        listener: Bound to loopback.
        token: What requests must show.
        origins: Further origins whose pages may call.
        log: Told of refusals.
    """

    def __init__(
        self, sdk: Server[Any], listener: socket.socket, token: str, origins: Collection[str], log: Log
    ) -> None:
        self._listener = listener
        app = sdk.streamable_http_app(
            streamable_http_path=PATH,
            max_request_body_size=bounds.BODY_BYTES,
            max_sessions=bounds.SESSIONS,
            # The gate has decided about Host and Origin; the SDK's own check knows no further origins.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        self.gate = Gate(app, token, listener.getsockname()[1], origins, log)
        self._server = _Uvicorn(
            uvicorn.Config(
                self.gate,
                log_config=None,
                access_log=False,
                lifespan="on",
                ws="none",
                server_header=False,
                limit_concurrency=bounds.SESSIONS * 4,
                timeout_graceful_shutdown=int(limits.IPC_LEAVE_SECONDS),
            )
        )

    async def run(self) -> None:
        """Serve until `stop`."""
        await self._server.serve([self._listener])

    def stop(self) -> None:
        """Let requests under way finish, for a second, and end."""
        self._server.should_exit = True
