"""The serving side of a control socket: connections in, requests to one handler, events to subscribers.

Rules: any bytes from a client end in a reply or a closed connection, never in an exception; every queue has a
bound, and what a slow subscriber missed is counted and told to it; the socket is 0600 in a private folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from covey import limits
from covey.errors import CoveyError, IpcError
from covey.net.ipc import codec

_READ_BYTES: Final = 65_536

Handler = Callable[[codec.Request], Awaitable[Mapping[str, Any]]]
Complaint = Callable[[str, BaseException], None]
Lets = Callable[[Mapping[str, Any]], bool]
"""Tells whether one subscriber wants an event, beside its name."""
Narrow = Callable[[Mapping[str, Any]], Lets | None]
"""Reads a subscription's further arguments; a CoveyError refuses it."""


class IpcServer:
    """Serve one peer's control socket. `subscribe` is answered here; every other verb is the handler's."""

    def __init__(
        self,
        handler: Handler,
        *,
        complain: Complaint | None = None,
        watched: Callable[[bool], None] | None = None,
        narrow: Narrow = lambda _: None,
    ) -> None:
        """Prepare to serve.

        Args:
            handler: Does one request and returns its result. A CoveyError becomes the reply's error.
            complain: Told of exceptions that are bugs; the client only learns that there was one.
            watched: Told when the first subscriber comes (True) and when the last one has left (False).
            narrow: Says what of the events it asked for a subscriber hears.
        """
        self._handler = handler
        self._complain = complain
        self._watched = watched
        self._narrow = narrow
        self._is_watched = False
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._inode: int | None = None
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sequence = 0
        self.dropped = 0
        self.narrowed = 0
        """Events that a subscriber asked for by name and not by its weights."""

    @property
    def subscribers(self) -> int:
        """Return how many connections listen to events."""
        return sum(connection.subscribed for connection in self._connections)

    async def start(self, path: Path) -> None:
        """Listen on `path`, taking the place of a socket that a dead process left there.

        The caller holds the peer's lock, so a socket that exists has no owner.

        Raises:
            IpcError: The path cannot be bound, or something that is no socket is there.
        """
        listener, self._inode = _bind(path)
        self._path = path
        self._server = await asyncio.start_unix_server(self._accept, sock=listener)

    async def close(self) -> None:
        """Stop listening, let replies and events that are under way leave, remove the socket."""
        if self._server is None or self._path is None:
            return
        self._server.close()
        _unlink(self._path, self._inode)
        for connection in tuple(self._connections):
            connection.finish()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=limits.IPC_LEAVE_SECONDS)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None

    def publish(self, event: Mapping[str, Any]) -> None:
        """Hand an event to every subscriber that wants it; `event["event"]` is its name."""
        if not self._connections:
            return
        self._sequence += 1
        numbered = {**event, "seq": self._sequence}
        for connection in self._connections:
            if not connection.wants(numbered):
                continue
            if connection.lets(numbered):
                self.dropped += connection.offer(numbered)
            else:
                self.narrowed += 1

    def _count_subscribers(self) -> None:
        is_watched = self.subscribers > 0
        if is_watched != self._is_watched and self._watched is not None:
            self._watched(is_watched)
        self._is_watched = is_watched

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= limits.IPC_CONNECTIONS:
            message = f"at most {limits.IPC_CONNECTIONS} connections"
            writer.write(codec.encode_line(codec.refusal(None, "too_many_connections", message)))
            await _close(writer)
            return
        task = asyncio.current_task()
        assert task is not None, "asyncio calls connection handlers in a task"
        self._tasks.add(task)
        connection = _Connection(
            reader, writer, self._handler, self._complain, self._count_subscribers, self._narrow
        )
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            self._tasks.discard(task)
            self._count_subscribers()


class _Connection:
    """One client: reads lines, runs requests, writes replies and events in whole messages."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handler: Handler,
        complain: Complaint | None,
        subscribed: Callable[[], None],
        narrow: Narrow,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._handler = handler
        self._complain = complain
        self._has_subscribed = subscribed
        self._narrow = narrow
        self._lets: Lets | None = None
        self._decoder = codec.LineDecoder()
        self._slots = asyncio.Semaphore(limits.IPC_IN_FLIGHT)
        self._requests: set[asyncio.Task[None]] = set()
        self._encode: Callable[[Mapping[str, Any]], bytes] = codec.encode_line
        self._events: deque[Mapping[str, Any]] = deque()
        self._wanted: frozenset[str] = frozenset()
        self._missed = 0
        self._news = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._finishing = False
        self._reading: asyncio.Task[None] | None = None

    @property
    def subscribed(self) -> bool:
        """Say whether this client listens to events."""
        return self._pump is not None

    def wants(self, event: Mapping[str, Any]) -> bool:
        """Tell whether this client listens to events of that name."""
        return self._pump is not None and (not self._wanted or event["event"] in self._wanted)

    def lets(self, event: Mapping[str, Any]) -> bool:
        """Tell whether an event is one for this client, by what it said of itself."""
        return self._lets is None or self._lets(event)

    def offer(self, event: Mapping[str, Any]) -> int:
        """Queue an event; return 1 when its queue was full and the event is lost."""
        if len(self._events) >= limits.IPC_SUBSCRIBER_EVENTS:
            self._missed += 1
            return 1
        self._mark_gap()
        self._events.append(event)
        self._news.set()
        return 0

    def finish(self) -> None:
        """Read no more; what is queued is still written."""
        self._finishing = True
        self._news.set()
        if self._reading is not None:
            self._reading.cancel()

    async def run(self) -> None:
        """Serve until the client leaves or `finish`."""
        self._reading = asyncio.create_task(self._read())
        try:
            await asyncio.wait([self._reading])
            if self._requests:
                await asyncio.wait(self._requests)
            if self._pump is not None and self._finishing:
                await asyncio.wait([self._pump])
        finally:
            self._reading.cancel()
            for task in (*self._requests, *([self._pump] if self._pump else [])):
                task.cancel()
            await _close(self._writer)

    async def _read(self) -> None:
        with contextlib.suppress(OSError):  # a client that went away in mid-sentence cannot be told
            while data := await self._reader.read(_READ_BYTES):
                for line in self._decoder.feed(data):
                    await self._take(line)

    async def _take(self, line: bytes | codec.Overlong) -> None:
        request = codec.parse_request(line)
        if request is None:
            return
        if isinstance(request, codec.BadRequest):
            await self._send(codec.refusal(request.id, request.code, request.message))
        elif request.cmd == "subscribe":
            await self._subscribe(request)
        else:
            await self._slots.acquire()
            task = asyncio.create_task(self._answer(request))
            self._requests.add(task)
            task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._requests.discard(task)
        self._slots.release()

    async def _answer(self, request: codec.Request) -> None:
        try:
            message = codec.reply(request.id, await self._handler(request))
            encoded = self._encode(message)
        except CoveyError as error:
            encoded = self._encode(codec.refused(request.id, error))
        except Exception as error:  # a bug must cost one reply, not the peer; it is logged with its traceback
            if self._complain is not None:
                self._complain(request.cmd, error)
            encoded = self._encode(codec.refusal(request.id, "internal", f"internal error in {request.cmd}"))
        with contextlib.suppress(OSError):  # a client that left wants no answer
            await self._write(encoded)

    async def _subscribe(self, request: codec.Request) -> None:
        wanted, form = request.arguments.get("events", []), request.arguments.get("format", "json")
        if self._pump is not None:
            message = "this connection is subscribed already"
            return await self._send(codec.refusal(request.id, "already_subscribed", message))
        if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
            message = "events: expected a list of event names"
            return await self._send(codec.refusal(request.id, "invalid_request", message))
        if form not in ("json", "msgpack"):
            message = 'format: expected "json" or "msgpack"'
            return await self._send(codec.refusal(request.id, "invalid_request", message))
        try:
            self._lets = self._narrow(request.arguments)
        except CoveyError as error:
            return await self._send(codec.refused(request.id, error))
        # From here on nothing may be published between the reply and the first event.
        self._wanted = frozenset(wanted)
        ready = codec.encode_line(
            codec.reply(request.id, {"subscribed": sorted(self._wanted), "format": form})
        )
        if form == "msgpack":
            self._encode = codec.encode_frame
        self._writer.write(ready)
        self._pump = asyncio.create_task(self._deliver())
        self._has_subscribed()
        return await self._writer.drain()

    async def _deliver(self) -> None:
        with contextlib.suppress(OSError):  # a subscriber that left needs no events
            while True:
                while self._events:
                    await self._send(self._events.popleft())
                self._mark_gap()
                if self._events:
                    continue
                if self._finishing:
                    return
                self._news.clear()
                await self._news.wait()

    def _mark_gap(self) -> None:
        """Say where in the stream events are missing, and how many."""
        if self._missed:
            self._events.append({"event": "dropped", "count": self._missed})
            self._missed = 0

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._write(self._encode(message))

    async def _write(self, encoded: bytes) -> None:
        self._writer.write(encoded)
        await self._writer.drain()


def figures(server: IpcServer | None) -> dict[str, int]:
    """Return how many listen to events, and what became of those that did not reach them; for status."""
    counts = (0, 0, 0) if server is None else (server.subscribers, server.dropped, server.narrowed)
    return dict(zip(("subscribers", "events_dropped", "events_narrowed"), counts, strict=True))


def _bind(path: Path) -> tuple[socket.socket, int]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            path.unlink()
        listener.bind(os.fspath(path))
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        taken = error.errno in (errno.EADDRINUSE, errno.EEXIST)
        why = "something that is no socket is there" if taken else error.strerror or str(error)
        hint = "move it away, and start again" if taken else "check the folder's owner, mode and space"
        raise IpcError(f"cannot open control socket {path}: {why}", code="socket", hint=hint) from error
    return listener, path.lstat().st_ino


def _unlink(path: Path, inode: int | None) -> None:
    with contextlib.suppress(FileNotFoundError):
        if path.lstat().st_ino == inode:
            path.unlink()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), limits.IPC_LEAVE_SECONDS)
