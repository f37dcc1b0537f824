"""An inbox: messages for a coroutine handler wait here until its own event loop takes them.

It is bounded, and what happens when it is full is the subscriber's choice: the oldest waiting message goes
(`drop-oldest`), the sender waits (`block`), or the subscriber is let go (`disconnect`). All is counted.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Literal

from covey.fleet.message import Message

Policy = Literal["drop-oldest", "block", "disconnect"]
AsyncHandler = Callable[[Message], Awaitable[None]]
Failed = Callable[[Message, BaseException], None]


class Inbox:
    """One subscriber's queue, filled from any thread, drained on one loop.

    Args:
        handler: Runs for one message at a time, in order.
        capacity: Messages that may wait.
        policy: What to do when they are that many.
        block_seconds: The longest a sender waits under `block`; on the loop's own thread it never waits.
        failed: Told of every exception of the handler.
        done: Told of every message that is over, and whether its handler ran to its end.
        gone: Called once when the subscriber is let go.
    """

    def __init__(
        self,
        handler: AsyncHandler,
        *,
        capacity: int,
        policy: Policy,
        block_seconds: float,
        failed: Failed,
        done: Callable[[Message, bool], None],
        gone: Callable[[], None],
    ) -> None:
        self._handler = handler
        self._capacity = capacity
        self._policy = policy
        self._block_seconds = block_seconds
        self._failed = failed
        self._done = done
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._room = threading.Condition()
        self._waiting: deque[Message] = deque()
        self._wake = asyncio.Event()
        self._closed = False
        self.dropped = 0
        self._task = self._loop.create_task(self._run())

    def put(self, message: Message) -> bool:
        """Let a message wait; False where it was refused. An older one may be dropped for it."""
        with self._room:
            if len(self._waiting) >= self._capacity and not self._closed and not self._make_room():
                return False
            if self._closed:
                return False
            self._waiting.append(message)
        self._loop.call_soon_threadsafe(self._wake.set)
        return True

    def close(self) -> None:
        """Take no more; what waits is dropped, and counted."""
        with self._room:
            if self._closed:
                return
            self._closed = True
            self._room.notify_all()
            lost = self._drop_all()
        for message in lost:
            self._done(message, False)
        self._loop.call_soon_threadsafe(self._task.cancel)

    def _make_room(self) -> bool:
        if self._policy == "drop-oldest":
            lost = self._waiting.popleft()
            self.dropped += 1
            self._loop.call_soon_threadsafe(self._done, lost, False)
            return True
        if self._policy == "block" and threading.get_ident() != self._thread:
            return self._room.wait_for(
                lambda: self._closed or len(self._waiting) < self._capacity, self._block_seconds
            )
        self.dropped += 1
        if self._policy == "disconnect":
            self._closed = True
            for message in self._drop_all():
                self._loop.call_soon_threadsafe(self._done, message, False)
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._gone()
        return False

    def _drop_all(self) -> list[Message]:
        lost = list(self._waiting)
        self.dropped += len(lost)
        self._waiting.clear()
        return lost

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (message := self._take()) is not None:
                try:
                    await self._handler(message)
                except Exception as error:  # contained: told, counted, and the next message is handled
                    self._failed(message, error)
                    self._done(message, False)
                else:
                    self._done(message, True)

    def _take(self) -> Message | None:
        with self._room:
            message = self._waiting.popleft() if self._waiting else None
            self._room.notify()
            return message
