"""A server with a model, whose answers and pace a test decides. On its own thread and loop."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

WORDS = ("one ", "two ", "three")


class FakeBackend:
    """Serves chat completions, whole or as a stream; `gate` holds every answer until it is opened."""

    def __init__(self, *, status: int = 200, words: tuple[str, ...] = WORDS, usage: bool = True) -> None:
        self.status = status
        self.words = words
        self.usage = usage
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.under_way = 0
        self.most = 0
        self.hung_up = threading.Event()
        self.broken = False
        """Break off each stream after its first word."""
        self._open = asyncio.Event()
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2_048)
        app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/models", self._models),
            ]
        )
        config = uvicorn.Config(app, log_config=None, lifespan="off", access_log=False)
        self._server = uvicorn.Server(config)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def hold(self) -> None:
        """Answer nobody until `go`."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def go(self) -> None:
        """Answer from now on."""
        self._loop.call_soon_threadsafe(self._open.set)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = self._server.force_exit = True
        self.go()
        self._thread.join(20)
        self._listener.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._server.serve([self._listener]))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "small", "object": "model"}]})

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        self.keys.append(request.headers.get("authorization"))
        if self.status != 200:
            return JSONResponse({"error": {"message": "as the test wants it"}}, self.status)
        if body.get("stream"):
            return StreamingResponse(self._stream(body), media_type="text/event-stream")
        self._begin()
        try:
            await self._open.wait()
        finally:
            self.under_way -= 1
        choice = {"index": 0, "message": {"role": "assistant", "content": "".join(self.words)}}
        choice["finish_reason"] = "stop"
        answer = {"id": "r", "object": "chat.completion", "created": 1, "model": body["model"]}
        counts = {"usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}
        return JSONResponse({**answer, "choices": [choice], **(counts if self.usage else {})})

    async def _stream(self, body: dict[str, Any]) -> Any:
        self._begin()
        try:
            for number, word in enumerate(self.words):
                if number or not body.get("first_word_free"):
                    await self._open.wait()
                if number and self.broken:
                    raise ConnectionResetError("as the test wants it")
                yield _event({"choices": [{"index": 0, "delta": {"content": word}}], "model": body["model"]})
            yield _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            if self.usage and (body.get("stream_options") or {}).get("include_usage"):
                counts = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
                yield _event({"choices": [], "usage": counts})
            yield b"data: [DONE]\n\n"
        except BaseException:
            self.hung_up.set()
            raise
        finally:
            self.under_way -= 1

    def _begin(self) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def main() -> None:
    """Serve until standard input ends; the address is the first line on standard output."""
    with FakeBackend(words=tuple(sys.argv[1:]) or WORDS) as backend:
        sys.stdout.write(backend.url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
