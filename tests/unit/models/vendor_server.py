"""A vendor in a thread: answers what a test put in its queue, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Vendor:
    """A server on loopback. `answers` holds (status, headers, body); a body of bytes is sent as it is."""

    answers: deque[tuple[int, dict[str, str], Any]] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def will(self, body: Any, status: int = 200, **headers: str) -> None:
        """Put one answer in the queue; header names have dashes for underscores."""
        self.answers.append(
            (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
        )

    def only_request(self) -> Asked:
        assert len(self.asked) == 1, f"one call must be one request, were {len(self.asked)}"
        return self.asked[0]


SILENT = object()
"""An answer that never comes: the request is held until the vendor closes."""


@dataclass(frozen=True)
class Raw:
    """An answer byte by byte: its pieces in chunked transfer, and how it ends.

    `end` is `whole` (properly), `cut` (the connection goes away) or `hang` (nothing more comes).
    `length` declares a body of that size in place of chunks.
    """

    pieces: tuple[bytes, ...] = ()
    end: str = "whole"
    kind: str = "text/event-stream"
    length: int | None = None
    no_answer: bool = False


@contextmanager
def vendor_server() -> Iterator[Vendor]:
    """Run a vendor until the block ends."""
    vendor = Vendor()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            raw = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            vendor.asked.append(Asked(self.command, self.path, headers, json.loads(raw) if raw else None))
            vendor.arrived.set()
            status, more, body = (
                vendor.answers.popleft() if vendor.answers else (500, {}, {"error": "unexpected"})
            )
            if body is SILENT:
                vendor.hold.wait(30)
                return
            if isinstance(body, Raw):
                self.raw(status, body)
                return
            sent = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            for name, value in more.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        def raw(self, status: int, body: Raw) -> None:
            self.close_connection = True
            if body.no_answer:
                return
            self.protocol_version = "HTTP/1.1"
            self.send_response(status)
            self.send_header("content-type", body.kind)
            if body.length is None:
                self.send_header("transfer-encoding", "chunked")
            else:
                self.send_header("content-length", str(body.length))
            self.end_headers()
            with contextlib.suppress(OSError):  # who has heard enough hangs up
                for piece in body.pieces:
                    framed = b"%x\r\n%b\r\n" % (len(piece), piece)
                    self.wfile.write(piece if body.length is not None else framed)
                    self.wfile.flush()
                if body.end == "hang":
                    vendor.hold.wait(30)
                elif body.end == "whole" and body.length is None:
                    self.wfile.write(b"0\r\n\r\n")

        do_POST = do_GET = answer  # noqa: N815 - the names http.server calls

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the tests look at `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    vendor.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield vendor
    finally:
        vendor.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
