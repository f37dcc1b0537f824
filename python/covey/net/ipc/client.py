"""The asking side of a control socket, blocking: what commands use. It imports no event loop.

Rules: a peer that is not there, does not answer, or answers nonsense is a named error with the path in it.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from covey.errors import IpcError, NotRunningError, RefusedArgumentError
from covey.limits import IPC_ANSWER_SECONDS
from covey.net.ipc import codec

_READ_BYTES: Final = 65_536


class IpcClient:
    """One connection to a running peer. Use as a context manager."""

    def __init__(self, path: Path, timeout_seconds: float = IPC_ANSWER_SECONDS) -> None:
        """Connect.

        Args:
            path: The peer's control socket.
            timeout_seconds: For connecting, and for each answer unless `request` says otherwise.

        Raises:
            NotRunningError: No socket is there, or nobody listens behind it.
            IpcError: The socket is there and may not be used.
        """
        self._path = path
        self._timeout_seconds = timeout_seconds
        self._next_id = 1
        self._decode: Callable[[bytes], Sequence[Mapping[str, Any]]] = _lines(codec.LineDecoder())
        self._events: deque[Mapping[str, Any]] = deque()
        self._replies: deque[Mapping[str, Any]] = deque()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_seconds)
        try:
            self._socket.connect(os.fspath(path))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            self._socket.close()
            raise NotRunningError(f"no peer answers at {path}") from error
        except OSError as error:
            self._socket.close()
            raise IpcError(
                f"cannot reach {path}: {error.strerror or error}",
                hint="check that COVEY_HOME is a folder of yours, and the socket too",
            ) from error

    def __enter__(self) -> Self:
        """Return the open client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection; calling it twice is harmless."""
        self._socket.close()

    def request(
        self, cmd: str, arguments: Mapping[str, object] | None = None, *, timeout_seconds: float | None = None
    ) -> dict[str, Any]:
        """Ask, and return the result.

        Args:
            cmd: The verb.
            arguments: What it works on.
            timeout_seconds: Longest wait for the answer, where it is not the usual one.

        Raises:
            IpcError: The peer refused (with its code and hint), did not answer in time, or broke the line.
        """
        request_id, self._next_id = self._next_id, self._next_id + 1
        self._socket.settimeout(self._timeout_seconds if timeout_seconds is None else timeout_seconds)
        try:
            self._socket.sendall(codec.encode_line({"id": request_id, "cmd": cmd, **(arguments or {})}))
        except OSError as error:
            raise self._broken(error) from error
        while True:
            while self._replies:
                message = self._replies.popleft()
                if message.get("id") in (request_id, None):
                    return result_of(message)
            self._read()

    def subscribe(
        self, events: Sequence[str] = (), *, form: str = "json", **more: Any
    ) -> Iterator[Mapping[str, Any]]:
        """Listen to events, all of them or the named ones, until the peer ends.

        Args:
            events: Event names; empty means all.
            form: `json` or `msgpack`.
            more: Further arguments: `weights` and `threshold` narrow it (MMP 2.0 §14.9.2).

        Raises:
            IpcError: The peer refused, or broke the line.
        """
        request_id, self._next_id = self._next_id, self._next_id + 1
        line = {"id": request_id, "cmd": "subscribe", "events": list(events), "format": form, **more}
        self._socket.sendall(codec.encode_line(line))
        while not self._replies:
            self._read(after_reply=form)
        result_of(self._replies.popleft())
        return self._listen()

    def _listen(self) -> Iterator[Mapping[str, Any]]:
        self._socket.settimeout(None)
        while True:
            while self._events:
                yield self._events.popleft()
            try:
                self._read()
            except NotRunningError:
                return

    def _read(self, *, after_reply: str = "json") -> None:
        """Read once and sort what arrived. A msgpack subscription turns frames on behind its own reply."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except OSError as error:
            raise self._broken(error) from error
        if not data:
            raise NotRunningError(f"the peer at {self._path} closed the connection")
        if after_reply == "msgpack":
            head, newline, data = data.partition(b"\n")
            self._sort(self._decode(head + newline))
            if not newline:
                return
            self._decode = codec.FrameDecoder().feed
        try:
            self._sort(self._decode(data))
        except ValueError as error:
            raise IpcError(f"{self._path} does not speak covey's control protocol: {error}") from error

    def _sort(self, messages: Sequence[Mapping[str, Any]]) -> None:
        for message in messages:
            (self._events if "event" in message else self._replies).append(message)

    def _broken(self, error: OSError) -> IpcError:
        if isinstance(error, TimeoutError):
            return IpcError(
                f"the peer at {self._path} does not answer",
                code="timeout",
                hint="is it stopped or overloaded?",
            )
        return NotRunningError(f"the peer at {self._path} closed the connection")


def _lines(decoder: codec.LineDecoder) -> Callable[[bytes], Sequence[Mapping[str, Any]]]:
    def decode(data: bytes) -> Sequence[Mapping[str, Any]]:
        messages = []
        for line in decoder.feed(data):
            message = None if isinstance(line, codec.Overlong) else codec.parse_json(line)
            if not isinstance(message, dict):
                raise codec.FrameError("a line is no JSON object")
            messages.append(message)
        return messages

    return decode


def result_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of a reply.

    Raises:
        RefusedArgumentError: The peer did not take an argument, with its code and hint.
        IpcError: The peer refused otherwise, with its code and hint; or the reply is neither.
    """
    result, error = message.get("result"), message.get("error")
    if message.get("ok") is True and isinstance(result, dict):
        return result
    if isinstance(error, dict):
        hint = error.get("hint")
        kind = RefusedArgumentError if error.get("kind") == "usage" else IpcError
        raise kind(
            str(error.get("message")),
            code=str(error.get("code")),
            hint=None if hint is None else str(hint),
        )
    raise IpcError("the peer's answer is neither a result nor an error", code="protocol")
