"""The Ollama adapter: its own /api/chat, without any SDK, so that a local model works with the base install.

Its OpenAI-style endpoint would do as well, but cannot be told how much context to keep: Ollama's default is
far below what an agent shows, and it cuts the rest off silently.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Any

from covey.limits import MODEL_PROBE_SECONDS
from covey.model import ModelReply, ModelRequest
from covey.models import failures, wire
from covey.models.http import exchange, exchange_async
from covey.models.prices import Quote

_WINDOW_STEP = 2_048  # windows are rounded up, so that nearby settings share one loaded model


class OllamaModel:
    """A model served by Ollama.

    Args:
        name: The model's name, as `ollama list` shows it.
        base_url: The server's address.
        quote: What its calls cost (nothing, unless agent.toml says otherwise).
        window_tokens: Context the model must keep: the longest question and the longest answer.
    """

    def __init__(self, name: str, base_url: str, quote: Quote, *, window_tokens: int) -> None:
        self._name = name
        self._base_url = base_url
        self.quote = quote
        # One size for all calls: changing it makes Ollama load the model again.
        self._window = -(-window_tokens // _WINDOW_STEP) * _WINDOW_STEP

    @property
    def label(self) -> str:
        """Return `ollama/<model>`."""
        return f"ollama/{self._name}"

    def reserve_usd(self, request: ModelRequest) -> float:
        """Return the most that a call is expected to cost, in USD."""
        return self.quote.reserve_usd(request)

    async def warm(self) -> None:
        """Do nothing: there is no SDK to load, and loading the model is the server's business."""

    async def call(self, request: ModelRequest) -> ModelReply:
        """Ask once.

        Raises:
            ModelError: No usable answer; it says whether later may help.
        """
        url = f"{self._base_url}/api/chat"
        try:
            answer = await exchange_async("POST", url, self._asked(request), request.timeout_seconds)
        except TimeoutError:
            raise failures.timed_out(self.label, request.timeout_seconds) from None
        except OSError as error:
            why = error.strerror or str(error)
            raise failures.unreachable(
                self.label, self._base_url, why, "is it running? `ollama serve`"
            ) from None
        except http.client.HTTPException as error:
            raise failures.unreadable(self.label, type(error).__name__) from None
        if not 200 <= answer.status < 300:
            hint = f"`ollama pull {self._name}`" if answer.status == 404 else None
            raise failures.from_status(self.label, answer.status, answer.body, answer.headers, hint=hint)
        try:
            return self._reply(wire.document(answer.body))
        except wire.UnreadableError as error:
            raise failures.unreadable(self.label, str(error)) from None

    async def close(self) -> None:
        """Do nothing: each call closes its own connection."""

    def _asked(self, request: ModelRequest) -> dict[str, Any]:
        messages = [{"role": "system", "content": request.system}] if request.system else []
        messages.append({"role": "user", "content": request.user})
        tools = [
            {
                "type": "function",
                "function": {
                    "name": t.name,
                    "description": t.description,
                    "parameters": dict(t.input_schema),
                },
            }
            for t in request.tools
        ]
        options = {"num_predict": request.max_tokens, "num_ctx": self._window}
        asked = {"model": self._name, "messages": messages, "stream": False, "options": options}
        return {**asked, "tools": tools} if tools else asked

    def _reply(self, answer: Mapping[str, object]) -> ModelReply:
        if not isinstance(answer.get("message"), dict):
            raise wire.UnreadableError("an answer without a message")
        message = wire.table(answer["message"])
        calls = []
        for index, call in enumerate(wire.rows(message.get("tool_calls"))):
            function = wire.table(call.get("function"))
            call_id = wire.text(call.get("id")) or f"ollama-{index}"
            calls.append(wire.tool_call(call_id, wire.text(function.get("name")), function.get("arguments")))
        return ModelReply(
            text=wire.text(message.get("content")),
            tool_calls=wire.at_most(calls),
            usage=self.quote.usage_or_unknown(
                wire.count(answer.get("prompt_eval_count")), wire.count(answer.get("eval_count"))
            ),
            stop_reason=wire.text(answer.get("done_reason")) or "unknown",
            model=wire.text(answer.get("model")) or self._name,
        )


def models_at(base_url: str, timeout_s: float = MODEL_PROBE_SECONDS) -> list[str] | None:
    """Return the names of the models a server holds, or None where none answers in time."""
    try:
        answer = exchange("GET", f"{base_url}/api/tags", None, timeout_s)
        listed = wire.rows(wire.document(answer.body).get("models"))
    except (OSError, http.client.HTTPException, wire.UnreadableError):
        return None
    if answer.status != 200:
        return None
    return [name for entry in listed if (name := wire.text(entry.get("name")))]
