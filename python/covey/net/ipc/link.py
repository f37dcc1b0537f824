"""The asking side of a control socket on an event loop: many requests at once, and events as they come.

Rules: as the blocking client's: a peer that is not there, does not answer, or answers nonsense is a named
error. When the peer ends, everything that waits learns it at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from covey.errors import IpcError, NotRunningError
from covey.limits import IPC_ANSWER_SECONDS, IPC_LEAVE_SECONDS
from covey.net.ipc import codec
from covey.net.ipc.client import result_of

_READ_BYTES: Final = 65_536


class IpcLink:
    """One connection to a running peer. Make it with `open`."""

    def __init__(self, path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._path = path
        self._reader = reader
        self._writer = writer
        self._waiting: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._next_id = 1
        self._hear: Callable[[Mapping[str, Any]], None] = lambda _: None
        self.closed = asyncio.Event()
        self._task = asyncio.create_task(self._read(), name="ipc-link")

    @staticmethod
    async def open(path: Path) -> IpcLink:
        """Connect.

        Raises:
            NotRunningError: No socket is there, or nobody listens behind it.
            IpcError: The socket is there and may not be used.
        """
        try:
            reader, writer = await asyncio.open_unix_connection(path)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunningError(f"no peer answers at {path}") from error
        except OSError as error:
            raise IpcError(f"cannot reach {path}: {error.strerror or error}") from error
        return IpcLink(path, reader, writer)

    async def request(
        self, cmd: str, arguments: Mapping[str, object] | None = None, *, timeout_seconds: float | None = None
    ) -> dict[str, Any]:
        """Ask, and return the result.

        Raises:
            NotRunningError: The peer has ended.
            IpcError: The peer refused (with its code and hint), did not answer in time, or broke the line.
        """
        if self.closed.is_set():
            raise self._gone()
        request_id, self._next_id = self._next_id, self._next_id + 1
        answer = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(codec.encode_line({"id": request_id, "cmd": cmd, **(arguments or {})}))
            await self._writer.drain()
            async with asyncio.timeout(IPC_ANSWER_SECONDS if timeout_seconds is None else timeout_seconds):
                return result_of(await answer)
        except TimeoutError as error:
            raise IpcError(f"the peer at {self._path} does not answer", code="timeout") from error
        except OSError as error:
            raise self._gone() from error
        finally:
            del self._waiting[request_id]

    async def subscribe(self, events: Sequence[str], hear: Callable[[Mapping[str, Any]], None]) -> None:
        """Hear the named events from now on, on the loop's thread."""
        self._hear = hear
        await self.request("subscribe", {"events": list(events), "format": "json"})

    async def close(self) -> None:
        """End the connection; calling it twice is harmless."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(self._writer.wait_closed(), IPC_LEAVE_SECONDS)

    async def _read(self) -> None:
        decoder = codec.LineDecoder()
        error: IpcError = self._gone()
        try:
            while data := await self._reader.read(_READ_BYTES):
                for line in decoder.feed(data):
                    message = None if isinstance(line, codec.Overlong) else codec.parse_json(line)
                    if not isinstance(message, dict):
                        error = IpcError(f"{self._path} does not speak covey's control protocol")
                        return
                    self._sort(message)
        except OSError as broken:
            error = IpcError(f"the connection to {self._path} broke: {broken}")
        finally:
            self.closed.set()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(error)

    def _sort(self, message: Mapping[str, Any]) -> None:
        if "event" in message:
            return self._hear(message)
        answer = self._waiting.get(message.get("id", 0))
        if answer is not None and not answer.done():
            answer.set_result(message)
        return None

    def _gone(self) -> NotRunningError:
        return NotRunningError(f"the peer at {self._path} closed the connection")
