"""The demo's agents as processes: started, listened to line by line, and reaped whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Final

_LINE_BYTES: Final = 8 * 1024 * 1024
"""One event line: a record of the largest size, escaped, with room to spare."""
_STDERR_LINES: Final = 20
_PATIENCE_SECONDS: Final = 10.0
"""From SIGTERM to SIGKILL: a stopping peer settles its sends in three."""

EventListener = Callable[[str, Mapping[str, Any]], None]
ExitListener = Callable[[str, int], None]


class Child:
    """One agent's process: standard output is JSON lines, standard error is kept for the worst case."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        """Wrap a running process; see `start`."""
        self.name = name
        self.complaints: deque[str] = deque(maxlen=_STDERR_LINES)
        self._process = process
        self._reading: asyncio.Task[None] | None = None

    @staticmethod
    async def start(
        name: str, config: Path, env: Mapping[str, str], on_event: EventListener, on_exit: ExitListener
    ) -> Child:
        """Start `covey run` for one agent in a session of its own, so that Ctrl-C reaches only the demo.

        Args:
            name: The agent.
            config: Its agent.toml.
            env: Its environment; it has its keys from there.
            on_event: Called with each event it prints.
            on_exit: Called once, after its last event.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            # -P: a folder called covey where the demo is started must not take the package's place.
            *("-P", "-m", "covey", "run", "--config", os.fspath(config), "--json"),
            env=dict(env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
            start_new_session=True,
        )
        child = Child(name, process)
        child._reading = asyncio.create_task(child._read(on_event, on_exit))
        return child

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Say whether the process has not ended."""
        return self._process.returncode is None

    async def stop(self) -> None:
        """Ask the process to finish, then insist; return when it is gone and its last line is read."""
        self._signal(signal.SIGTERM)
        await self._gone_within(_PATIENCE_SECONDS)
        self._signal(signal.SIGKILL)
        await self._process.wait()
        if self._reading is not None:
            await self._reading

    async def gone(self) -> None:
        """Wait for the process to end by itself."""
        if self._reading is not None:
            await asyncio.shield(self._reading)

    async def _gone_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), seconds)

    def _signal(self, number: signal.Signals) -> None:
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _read(self, on_event: EventListener, on_exit: ExitListener) -> None:
        out, err = self._process.stdout, self._process.stderr
        assert out is not None and err is not None, "both were asked for as pipes"
        complaining = asyncio.create_task(self._read_complaints(err))
        async for raw in self._lines(out):
            event = _event(raw)
            if event is not None:
                on_event(self.name, event)
        await complaining
        on_exit(self.name, await self._process.wait())

    async def _read_complaints(self, err: asyncio.StreamReader) -> None:
        async for raw in self._lines(err):
            self.complaints.append(raw.decode("utf-8", "replace").rstrip())

    async def _lines(self, stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
        """Yield lines to the end of a stream; one past the bound is left out, for none of ours is so long."""
        while True:
            try:
                raw = await stream.readline()
            except ValueError as error:
                self.complaints.append(f"unreadable output: {error}")
                continue
            if not raw:
                return
            yield raw


def _event(raw: bytes) -> Mapping[str, Any] | None:
    """Read one line; a complaint of the command itself is an event too (`error`)."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    return value if "event" in value else {"event": "error", **value} if "error" in value else None
