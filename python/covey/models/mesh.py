"""The adapter for a peer's model: the same questions as to any OpenAI-style server, carried by the mesh.

Rules: nothing listens for this and no address is named; the session between the two peers seals every byte
from end to end, over whatever carries it. Until the peer runs there is nobody to carry a call.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from covey.errors import ModelError, NetworkError
from covey.limits import MODEL_ERROR_CHARS
from covey.models import failures
from covey.models.chat import ChatModel, Dialect
from covey.models.incoming import Incoming
from covey.models.line import Line, Patience
from covey.models.prices import Quote

_PATH = "/chat/completions"
_BODY_BYTES = 65_536  # of an answer that is a refusal: its first line is shown


class Carried(Protocol):
    """An answer that has begun."""

    status: int
    content_type: str
    retry_after: str | None

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield its bytes as they come; raises NetworkError where it breaks off."""
        ...


class Carrier(Protocol):
    """What carries calls to a peer's model."""

    async def ask(self, peer: str, path: str, body: bytes, *, key: str, seconds: float) -> Carried:
        """Call; raises NetworkError where no answer begins."""
        ...


class MeshLine:
    """A line to a peer's model.

    Args:
        label: `adapter/model`, for messages.
        peer: Whose: a nodeId, or a name.
        key: A key of its door; empty where its operator named this node.
    """

    def __init__(self, label: str, peer: str, key: str) -> None:
        self._label = label
        self._peer = peer
        self._key = key
        self._carrier: Carrier | None = None

    def attach(self, carrier: Carrier) -> None:
        """Take what carries calls."""
        self._carrier = carrier

    async def warm(self) -> None:
        """Do nothing: there is nothing to load."""

    async def ask(
        self, asked: Mapping[str, Any], patience: Patience, reader: Callable[[], Incoming]
    ) -> Mapping[str, object]:
        """Send one request; return the answer in the form it has without streaming.

        Raises:
            ModelError: Whatever kept the answer away, classified.
        """
        if self._carrier is None:
            hint = "start it: covey run"
            raise failures.unreachable(self._label, self._peer, "this peer is not on the mesh yet", hint)
        body = json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        begun = asyncio.Event()
        try:
            async with asyncio.timeout(patience.total_s):
                work = asyncio.ensure_future(self._exchange(self._carrier, body, patience, reader(), begun))
                try:
                    return await self._in_time(work, begun, patience)
                finally:
                    work.cancel()
                    await asyncio.gather(work, return_exceptions=True)
        except TimeoutError:
            raise failures.timed_out(self._label, patience.total_s) from None
        except NetworkError as error:
            raise self._lost(error, begun.is_set()) from None
        except ValueError as error:
            raise failures.misread(self._label, error) from None

    async def close(self) -> None:
        """Do nothing: the mesh is not ours to close."""

    async def _in_time(
        self, work: asyncio.Future[Mapping[str, object]], begun: asyncio.Event, patience: Patience
    ) -> Mapping[str, object]:
        first = asyncio.ensure_future(begun.wait())
        try:
            await asyncio.wait((work, first), timeout=patience.first_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            first.cancel()
        if not work.done() and not begun.is_set():
            raise patience.error(self._label, first_missing=True)
        return await work

    async def _exchange(
        self, carrier: Carrier, body: bytes, patience: Patience, incoming: Incoming, begun: asyncio.Event
    ) -> Mapping[str, object]:
        answer = await carrier.ask(self._peer, _PATH, body, key=self._key, seconds=patience.total_s)
        async with answer:
            if not 200 <= answer.status < 300:
                raise await self._refused(answer)
            incoming.start(answer.content_type)
            async for data in answer:
                incoming.feed(data)
                if incoming.begun:
                    begun.set()
        return incoming.finish()

    async def _refused(self, answer: Carried) -> ModelError:
        body = bytearray()
        async for data in answer:
            body += data
            if len(body) > _BODY_BYTES:
                break
        headers = {} if answer.retry_after is None else {"retry-after": answer.retry_after}
        hint = None
        if answer.status == 401:
            hint = "ask its operator: covey share add <you> --node <your nodeId> --fingerprint <your key>"
        return failures.from_status(
            self._label, answer.status, bytes(body), headers, secret=self._key or None, hint=hint
        )

    def _lost(self, error: NetworkError, begun: bool) -> ModelError:
        if begun:
            return failures.interrupted(self._label, error.message[:MODEL_ERROR_CHARS])
        hint = "is it running, trusted and in this room? covey peers; covey trust"
        return failures.unreachable(self._label, self._peer, error.message, hint)


class MeshModel(ChatModel):
    """A model that a peer of the mesh shares.

    Args:
        name: The lane or model to ask for.
        quote: What its calls cost this peer.
        carried: The line to it, which is given what carries it once the peer runs.
        dialect: How to ask.
        line: Another line than that one, or None: a tape, for instance.
    """

    def __init__(
        self,
        name: str,
        quote: Quote,
        carried: MeshLine,
        *,
        dialect: Dialect = Dialect(),  # noqa: B008 - a frozen value
        line: Line | None = None,
    ) -> None:
        super().__init__(
            f"mesh/{name}", name, "none", quote, base_url=None, dialect=dialect, line=line or carried
        )
        self._carried = carried

    def attach(self, carrier: Carrier) -> None:
        """Take what carries calls."""
        self._carried.attach(carrier)
