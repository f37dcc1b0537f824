"""The line to a server that needs no SDK: one POST over plain HTTP, its answer read as it comes."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Callable, Mapping
from typing import Any

from covey.errors import ModelError
from covey.models import failures
from covey.models.http import Answer, Collected, stream
from covey.models.incoming import Incoming
from covey.models.line import Patience


class PlainLine:
    """A line over the standard library's HTTP.

    Args:
        label: `adapter/model`, for messages.
        url: Where requests go.
        hints: The next step for a person, by status; and under 0 where nobody answers.
    """

    def __init__(self, label: str, url: str, hints: Mapping[int, str]) -> None:
        self._label = label
        self._url = url
        self._hints = hints

    async def warm(self) -> None:
        """Do nothing: there is nothing to load, and loading the model is the server's business."""

    async def ask(
        self, asked: Mapping[str, Any], patience: Patience, reader: Callable[[], Incoming]
    ) -> Mapping[str, object]:
        """Send one request; return the answer in the form it has without streaming.

        Raises:
            ModelError: Whatever kept the answer away, classified.
        """
        taker, label = _Taker(reader()), self._label
        try:
            async with asyncio.timeout(patience.total_s):
                await self._exchange(asked, patience, taker)
            return taker.document()
        except _Refused as refused:
            answer = refused.answer
            hint = self._hints.get(answer.status)
            raise failures.from_status(label, answer.status, answer.body, answer.headers, hint=hint) from None
        except _FirstWordLate:
            raise patience.error(label, first_missing=True) from None
        except TimeoutError:
            raise failures.timed_out(label, patience.total_s) from None
        except ValueError as error:
            raise failures.misread(label, error) from None
        except OSError as error:
            raise self._lost(taker, error.strerror or str(error)) from None
        except http.client.HTTPException as error:
            if isinstance(error, http.client.IncompleteRead):
                raise failures.interrupted(label, type(error).__name__) from None
            raise failures.unreadable(label, type(error).__name__) from None

    async def close(self) -> None:
        """Do nothing: each call closes its own connection."""

    async def _exchange(self, asked: Mapping[str, Any], patience: Patience, taker: _Taker) -> None:
        work = asyncio.ensure_future(stream(self._url, asked, patience.total_s, taker.take))
        begun = asyncio.ensure_future(taker.begun.wait())
        try:
            await asyncio.wait((work, begun), timeout=patience.first_s, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not begun.done():
                raise _FirstWordLate
            await work
        finally:
            begun.cancel()
            work.cancel()
            await asyncio.gather(work, begun, return_exceptions=True)

    def _lost(self, taker: _Taker, why: str) -> ModelError:
        if taker.started:
            return failures.interrupted(self._label, why)
        return failures.unreachable(self._label, self._url, why, self._hints.get(0))


class _FirstWordLate(Exception):  # noqa: N818 - an end with a name, not a fault of the code
    """The stream did not begin in time."""


class _Refused(Exception):  # noqa: N818 - an end with a name, not a fault of the code
    """The server answered, and it was no success."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class _Taker:
    """Takes an answer on the reading thread, and tells the loop when it begins."""

    def __init__(self, incoming: Incoming) -> None:
        self.begun = asyncio.Event()
        self.started = False
        self._incoming = incoming
        self._loop = asyncio.get_running_loop()
        self._failure: Collected | None = None

    def take(self, status: int, headers: Mapping[str, str], data: bytes) -> bool:
        if not self.started:
            self.started = True
            if not 200 <= status < 300:
                self._failure = Collected()
            else:
                self._incoming.start(headers.get("content-type"))
        if self._failure is not None:
            return self._failure.take(status, headers, data)
        self._incoming.feed(data)
        if self._incoming.begun and not self.begun.is_set():
            self._loop.call_soon_threadsafe(self.begun.set)
        return True

    def document(self) -> Mapping[str, object]:
        if self._failure is not None:
            raise _Refused(self._failure.answer())
        return self._incoming.finish()
