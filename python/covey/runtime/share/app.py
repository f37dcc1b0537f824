"""The door's HTTP: what OpenAI's clients ask, and pages for those who watch. On Starlette.

Rules: the key first, then the rate, then the body within its bounds, then the queue. Bytes of a stream leave
as they come; who hangs up ends the request at its backend, also while it waits. There is no CORS: no web page
may use a door.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from covey import __version__, limits
from covey.inference.door import Refuse
from covey.inference.keys import PRIORITIES, Priority
from covey.inference.reading import BadRequestError, body_of
from covey.runtime.metrics.page import CONTENT_TYPE, Words
from covey.runtime.share import metrics
from covey.runtime.share.door import Door
from covey.runtime.share.gate import LOCAL, Gate, refused, told
from covey.runtime.share.going import Refused
from covey.runtime.share.lines import Lines
from covey.runtime.share.port import Call, Reply

PATHS: Final = ("/chat/completions", "/completions", "/responses", "/embeddings")
"""What is passed on to backends; whether one has it is its own answer."""
_DEADLINE: Final = "x-covey-deadline-ms"
_PRIORITY: Final = "x-covey-priority"

Page = Callable[[Request], Awaitable[Response]]


class DoorApp:
    """What is served.

    Args:
        door: Who answers.
        gate: Who may ask.
        log: The newest lines of this program's log.
        facts: What the version and dependency pages say.
        body_bytes: Of one request.
        admin: Further pages, for admin keys.
    """

    def __init__(
        self,
        door: Door,
        gate: Gate,
        log: Lines,
        facts: Callable[[], Mapping[str, Any]],
        body_bytes: int,
        admin: Sequence[Route] = (),
    ) -> None:
        self._door = door
        self._gate = gate
        self._log = log
        self._facts = facts
        self._body_bytes = body_bytes
        self._words = Words()
        routes = [Route(f"/v1{path}", _Asked(self, path), methods=["POST"]) for path in PATHS]
        pages: dict[str, Page] = {
            "/v1/models": self._models,
            "/metrics": self._metrics,
            "/covey/status": self._status,
            "/covey/version": self._version,
            "/covey/deps": self._deps,
            "/covey/requests": self._requests,
            "/covey/logs": self._logs,
        }
        routes += [
            Route(path, self._page(page, open_here=path != "/v1/models")) for path, page in pages.items()
        ]
        routes.append(Route("/healthz", self._health))
        self.app = Starlette(routes=[*routes, *admin])

    # --- requests for a model ---------------------------------------------------------------------

    async def call(self, request: Request, path: str, held: Held) -> Call:
        """Read a request: its key, its rate, its body, in this order; `held` is told of each piece.

        Raises:
            Refused: It may not, or cannot be read.
            ClientDisconnect: Whoever asked has gone in the middle of its body.
        """
        entry = self._gate.entry(request)
        if entry.admin:
            raise Refused(Refuse(0, 403, "admin-key", "this key is for upkeep: ask with a peer's own key"))
        limited = self._door.limited(entry)
        if limited is not None:
            raise Refused(limited)
        priority, deadline_s = _wishes(request.headers)
        raw = await self._body(request, held)
        try:
            return Call(entry, path, body_of(raw), len(raw), priority, deadline_s)
        except BadRequestError as error:
            raise Refused(Refuse(0, 400, "request", f"expected {error}")) from error

    async def _body(self, request: Request, held: Held) -> bytes:
        """Return the whole body, within its bounds of size and time."""
        said = request.headers.get("content-length", "0")
        if not said.isdigit() or len(said) > 12 or int(said) > self._body_bytes:
            raise self._too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(limits.DOOR_BODY_SECONDS):
                async for piece in request.stream():
                    held.more(len(piece))
                    body += piece
                    if len(body) > self._body_bytes:
                        raise self._too_large()
        except TimeoutError:
            raise Refused(Refuse(0, 408, "slow", "the body did not arrive in time")) from None
        return bytes(body)

    def _too_large(self) -> Refused:
        return Refused(Refuse(0, 413, "body", f"a body of at most {self._body_bytes} bytes"))

    # --- pages --------------------------------------------------------------------------------------

    def _page(self, page: Page, *, open_here: bool) -> Page:
        """Return a page that asks for a key, and counts against its rate like anything else."""

        async def asked(request: Request) -> Response:
            try:
                limited = self._door.limited(self._gate.entry(request, page=open_here))
                return await page(request) if limited is None else refused(limited)
            except Refused as error:
                return refused(error.refusal)

        return asked

    async def _health(self, request: Request) -> Response:
        draining = self._door.engine.draining
        return Response("draining\n" if draining else "ok\n", 503 if draining else 200)

    async def _models(self, request: Request) -> Response:
        return told({"object": "list", "data": await self._door.models()})

    async def _metrics(self, request: Request) -> Response:
        return Response(
            metrics.page(self._door, self._words, __version__, self._only(request)),
            200,
            {"content-type": CONTENT_TYPE},
        )

    async def _status(self, request: Request) -> Response:
        found, only = self._door.view(), self._only(request)
        if only is not None:
            found["accounts"] = {name: each for name, each in found["accounts"].items() if name == only}
        return told({"version": __version__, **found})

    async def _version(self, request: Request) -> Response:
        return told({"version": __version__, **{k: v for k, v in self._facts().items() if k != "packages"}})

    async def _deps(self, request: Request) -> Response:
        return told({"version": __version__, "packages": self._facts()["packages"]})

    async def _requests(self, request: Request) -> Response:
        found, only = self._door.recent.since(_number(request, "since")), self._only(request)
        if only is not None:
            found["rows"] = [row for row in found["rows"] if row["account"] == only]
        return told(found)

    async def _logs(self, request: Request) -> Response:
        """Give lines since a number; with `wait` answer once there are some, or the time is over."""
        if self._only(request) is not None:
            return refused(Refuse(0, 403, "not-admin", "the log names other peers: it needs an admin key"))
        since = _number(request, "since")
        if _number(request, "wait"):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limits.DOOR_LOG_WAIT_SECONDS):
                    await self._log.after(since)
        return told(self._log.since(since))

    def _only(self, request: Request) -> str | None:
        """Return the account that a page may speak of; None for whoever keeps the door, who sees them all.

        A key is nobody's of this machine because its account is called like that.
        """
        entry = self._gate.entry(request, page=True)
        return None if entry.admin or entry is LOCAL else entry.account

    @property
    def door(self) -> Door:
        """Return who answers."""
        return self._door


class _Asked:
    """One path for models, as a plain ASGI application: a response class would buffer or wrap too much."""

    def __init__(self, app: DoorApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request, door, said = Request(scope, receive), self._app.door, _Said(send)
        with Held(door) as held:
            try:
                call = await self._app.call(request, self._path, held)
                gone = asyncio.ensure_future(_gone(receive))
                try:
                    await self._answered(call, gone, said)
                finally:
                    gone.cancel()
            except Refused as error:
                await refused(error.refusal)(scope, receive, said)
            except ClientDisconnect:
                door.engine.counters["left.body"] += 1
            except Exception as error:  # a fault here is ours: it is logged, and whoever asked hears of it
                door.fault(repr(error))
                if not said.begun:
                    await refused(Refuse(0, 500, "internal", "the door failed"))(scope, receive, said)

    async def _answered(self, call: Call, gone: asyncio.Future[None], send: Send) -> None:
        """Wait for the reply and hand it on, until it ends or whoever asked has gone."""
        working = asyncio.ensure_future(self._work(call, send))
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            return
        await working

    async def _work(self, call: Call, send: Send) -> None:
        reply = await self._app.door.answer(call)
        try:
            await _hand_on(reply, send)
        finally:
            close: Any = reply.chunks
            await close.aclose()


class Held:
    """Bytes that one request holds at the door, let go at the end of the context.

    Args:
        door: Which.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._size = 0

    def more(self, size: int) -> None:
        """Hold more.

        Raises:
            Refused: All requests together hold too much.
        """
        self._door.hold(size)
        self._size += size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._door.hold(-self._size)


class _Said:
    """Sends, and knows whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        self.begun = True
        await self._send(message)


async def _hand_on(reply: Reply, send: Send) -> None:
    """Send a reply, each piece as it comes."""
    headers = {"content-type": reply.content_type, "cache-control": "no-store", **reply.headers}
    if reply.length is not None:
        headers["content-length"] = str(reply.length)
    rows = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
    start: Message = {"type": "http.response.start", "status": reply.status, "headers": rows}
    await send(start)
    if reply.length is not None:
        body = b"".join([data async for data in reply.chunks])
        await send({"type": "http.response.body", "body": body})
        return
    async for data in reply.chunks:
        await send({"type": "http.response.body", "body": data, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    """Return once whoever asked has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _wishes(headers: Mapping[str, str]) -> tuple[Priority | None, float | None]:
    """Return the priority and the deadline in seconds that a request names."""
    said, late = headers.get(_PRIORITY), headers.get(_DEADLINE)
    priority = next((each for each in PRIORITIES if each == said), None)
    if said is not None and priority is None:
        raise Refused(Refuse(0, 400, "priority", f"{_PRIORITY}: one of {', '.join(PRIORITIES)}"))
    if late is None:
        return priority, None
    if not late.isascii() or not late.isdigit() or len(late) > 9:
        raise Refused(Refuse(0, 400, "deadline", f"{_DEADLINE}: milliseconds from now"))
    return priority, int(late) / 1_000


def _number(request: Request, name: str) -> int:
    said = request.query_params.get(name, "0")
    return int(said) if said.isascii() and said.isdigit() and len(said) <= 15 else 0
