"""The standard streams of an MCP server: the wire, and nothing but the wire, on standard output.

Rules: descriptor 1 becomes standard error before anything else runs, so that whatever a library prints cannot
reach the client. Standard input is read on a thread that ends with the process: the peer can stop while the
client says nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import TextIO


class Lines:
    """Lines of a stream, as they come; the end of the stream ends them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(1)
        threading.Thread(target=self._read, name="mcp-stdin", daemon=True).start()

    def __aiter__(self) -> Lines:
        """Return the lines."""
        return self

    async def __anext__(self) -> str:
        """Return the next line."""
        line = await self._queue.get()
        if line is None:
            raise StopAsyncIteration
        return line

    def _read(self) -> None:
        try:
            for line in self._stream:
                self._put(line)
            self._put(None)
        except (RuntimeError, ValueError, OSError):
            return  # the loop has ended, or the stream is closed: nobody waits for lines any more

    def _put(self, line: str | None) -> None:
        asyncio.run_coroutine_threadsafe(self._queue.put(line), self._loop).result()


class Words:
    """Text to a stream, written beside the loop: a client that does not read blocks nobody else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    async def write(self, text: str) -> None:
        """Write all of it."""
        await asyncio.to_thread(self._stream.write, text)

    async def flush(self) -> None:
        """Let it leave."""
        await asyncio.to_thread(self._stream.flush)


def claim() -> tuple[TextIO, TextIO]:
    """Return the wire as two text streams, and make descriptor 1 standard error from now on."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    reading = os.fdopen(os.dup(0), encoding="utf-8", errors="replace", newline="\n")
    sys.stdout = sys.stderr
    return reading, out
