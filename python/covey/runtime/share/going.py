"""One answer on its way: handed on as it comes, counted, and ended exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from covey import limits
from covey.errors import CoveyError, NetworkError
from covey.inference.accounts import Used
from covey.inference.door import Refuse

if TYPE_CHECKING:
    from covey.inference.reading import Tally
    from covey.runtime.share.door import Door
    from covey.runtime.share.port import BackendAnswer, Call


class Refused(CoveyError):  # noqa: N818 - an end with a name, not a fault of the code
    """A request that was turned away, with what its asker is told."""

    default_code = "refused"

    def __init__(self, refusal: Refuse) -> None:
        super().__init__(refusal.message, code=refusal.reason)
        self.refusal = refusal


def failure(refusal: Refuse) -> bytes:
    """Return a refusal as the body that OpenAI's clients read."""
    said = {
        "message": refusal.message,
        "type": "rate_limit_error" if refusal.status == 429 else "covey_door_error",
        "code": refusal.reason,
        "retry_after_s": refusal.retry_after_s,
        "queue_depth": refusal.queue_depth,
    }
    return json.dumps({"error": said}).encode()


class Going(AsyncIterator[bytes]):
    """The bytes of one answer. Iterate it, and call `aclose` whatever happened.

    Args:
        door: Whose it is.
        ticket: Its slot.
        call: What was asked.
        lane: The lane that answers.
        since: When it was asked, in monotonic seconds.
        waited: Seconds of it in the queue.
    """

    def __init__(self, door: Door, ticket: int, call: Call, lane: str, since: float, waited: float) -> None:
        self.ticket, self.call, self.lane, self.since, self.waited = ticket, call, lane, since, waited
        self._door = door
        self._end_by, self._wanted_by = door.deadlines(call, waited)
        self._ready: list[bytes] = []
        self._answer: BackendAnswer | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self._tally: Tally | None = None
        self._backend = ""
        self._ended = False

    @contextlib.asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """Do something before this has to end.

        Raises:
            NetworkError: It took too long.
            Refused: Its asker does not want it any more.
        """
        try:
            async with asyncio.timeout_at(min(self._end_by, self._wanted_by)):
                yield
        except TimeoutError:
            if self._wanted_by <= self._end_by:
                raise Refused(Refuse(self.ticket, 504, "deadline", "the deadline is over")) from None
            raise NetworkError("no answer in time", code="timeout") from None

    async def begin(self, backend: str, answer: BackendAnswer, tally: Tally) -> None:
        """Take a stream once its first bytes are there.

        Raises:
            NetworkError: It ended, or broke off, before any.
        """
        chunks = answer.chunks()
        async with self.in_time():
            first = await anext(chunks, b"")
        if not first:
            raise NetworkError("an empty stream", code="empty")
        self._answer, self._chunks, self._tally, self._backend = answer, chunks, tally, backend
        self._ready.append(tally.feed(first))

    async def whole(self, backend: str, answer: BackendAnswer, tally: Tally) -> bytes:
        """Take an answer that is no stream, all of it.

        Raises:
            NetworkError: It broke off, or is too large.
        """
        body = bytearray()
        async with self.in_time(), answer:
            async for data in answer.chunks():
                body += data
                if len(body) > limits.DOOR_REPLY_BYTES:
                    raise NetworkError("an answer past every bound", code="oversize")
        found = bytes(body)
        if answer.status < 400:
            tally.whole(found)
        self._tally, self._backend = tally, backend
        self._ready.append(found)
        self._end("answered", answer.status)
        return found

    async def __anext__(self) -> bytes:
        """Return the next bytes."""
        if self._ready and (ready := self._ready.pop()):
            return ready
        while self._chunks is not None and not self._ended:
            data = await self._next()
            if data:
                return data
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Let go of it; what has not ended was given up by whoever asked."""
        await self.end("cancelled")

    async def end(self, how: str, refused: Refuse | None = None) -> None:
        """End it, where nothing else has."""
        answer, self._answer = self._answer, None
        self._end(how, 499 if refused is None else refused.status, refused)
        if answer is not None:
            await answer.__aexit__(None, None, None)

    async def _next(self) -> bytes:
        """Return what the next piece of the stream has to be handed on; its last piece ends it."""
        if self._chunks is None or self._tally is None:
            return b""
        try:
            async with self.in_time():
                data = await anext(self._chunks, None)
            if data is None:
                rest = self._tally.finish()
                self._end("answered", 200)
                return rest
            return self._tally.feed(data)
        except Refused as error:
            self._end("failed", 200, error.refusal)
            return b"data: " + failure(error.refusal) + b"\n\n"
        except (NetworkError, ValueError) as error:
            why = error.code if isinstance(error, NetworkError) else "oversize"
            self._door.broke(self._backend, why)
            broken = Refuse(self.ticket, 502, why, "the answer broke off")
            self._end("failed", 200, broken)
            # The status has left already: a stream says in an event that it is not whole.
            return b"data: " + failure(broken) + b"\n\n"

    def _end(self, how: str, status: int, refused: Refuse | None = None) -> None:
        if self._ended:
            return
        self._ended = True
        used = Used() if self._tally is None else self._tally.used()
        self._door.ended(self, how, status, used, refused, self._backend)
