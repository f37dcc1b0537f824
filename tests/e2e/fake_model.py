"""A local OpenAI-style server whose answers a test decides."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Answer = dict[str, str] | list[tuple[str, dict[str, Any]]] | str | int
"""A block's categories (a tool call), calls of other tools, a text, or an HTTP status (a failure)."""
Policy = Callable[[str, str, str], Answer]
"""From the asking peer's name, the system text and the text of all that follows it to an answer."""


class FakeModel:
    """Serve `/v1/chat/completions` on loopback, and keep every request."""

    def __init__(self, policy: Policy) -> None:
        self.requests: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
                status, answer = _answer(policy, body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                """Keep the test's output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _answer(policy: Policy, body: dict[str, Any]) -> tuple[int, bytes]:
    system, *rest = (message["content"] or "" for message in body["messages"])
    user = "\n".join(rest)
    _, named, after = system.partition("You are the peer ")
    name = json.loads(after.split(" in the room", 1)[0]) if named else ""
    answer = policy(name, system, user)
    if isinstance(answer, int):
        return answer, json.dumps({"error": {"message": "as the test wants it", "type": "test"}}).encode()
    message: dict[str, Any] = {"role": "assistant", "content": answer if isinstance(answer, str) else None}
    calls = [("emit_cmb", answer)] if isinstance(answer, dict) else answer if isinstance(answer, list) else []
    if calls:
        message["tool_calls"] = [
            {
                "id": f"call-{number}",
                "type": "function",
                "function": {"name": called, "arguments": json.dumps(arguments)},
            }
            for number, (called, arguments) in enumerate(calls)
        ]
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": "tool_calls" if calls else "stop",
    }
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    reply = {
        "id": "r",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [choice],
    }
    return 200, json.dumps({**reply, "usage": usage}).encode()
