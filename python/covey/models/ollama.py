"""The Ollama adapter: its own /api/chat, without any SDK, so that a local model works with the base install.

Its OpenAI-style endpoint would do as well, but cannot be told how much context to keep: Ollama's default is
far below what an agent shows, and it cuts the rest off silently.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Any

from covey.limits import MODEL_PROBE_SECONDS
from covey.model import ModelReply, ModelRequest, Round
from covey.models import failures, wire
from covey.models.folds import OllamaFold
from covey.models.http import exchange
from covey.models.incoming import reading
from covey.models.line import Line, Patience
from covey.models.local import PlainLine
from covey.models.prices import Quote

_WINDOW_STEP = 2_048  # windows are rounded up, so that nearby settings share one loaded model


class OllamaModel:
    """A model served by Ollama.

    Args:
        name: The model's name, as `ollama list` shows it.
        base_url: The server's address.
        quote: What its calls cost (nothing, unless agent.toml says otherwise).
        window_tokens: Context the model must keep: the longest question and the longest answer.
        stream: Whether the answer is asked for word by word.
        line: Another line than plain HTTP, or None.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        quote: Quote,
        *,
        window_tokens: int,
        stream: bool = True,
        line: Line | None = None,
    ) -> None:
        self._name = name
        self.quote = quote
        self._stream = stream
        hints = {
            0: "is it running? `ollama serve`",
            400: 'a model that knows no tools needs model.answer_as = "json"',
            404: f"`ollama pull {name}`",
        }
        self.line = line or PlainLine(self.label, f"{base_url}/api/chat", hints)
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
        """Load what is slow to load: nothing, over plain HTTP."""
        await self.line.warm()

    async def call(self, request: ModelRequest) -> ModelReply:
        """Ask once.

        Raises:
            ModelError: No usable answer; it says whether later may help.
        """
        answer = await self.line.ask(self._asked(request), Patience.of(request), reading(OllamaFold))
        try:
            return self._reply(answer)
        except wire.UnreadableError as error:
            raise failures.unreadable(self.label, str(error)) from None

    async def close(self) -> None:
        """Let go of connections."""
        await self.line.close()

    def _asked(self, request: ModelRequest) -> dict[str, Any]:
        messages: list[dict[str, Any]] = []
        if request.system:
            messages.append({"role": "system", "content": request.system})
        messages.append({"role": "user", "content": request.user})
        for each in request.rounds:
            messages += _round(each)
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
        options: dict[str, Any] = {"num_predict": request.max_tokens, "num_ctx": self._window}
        if request.temperature is not None:
            options["temperature"] = request.temperature
        asked = {"model": self._name, "messages": messages, "stream": self._stream, "options": options}
        if request.json_schema is not None:
            asked["format"] = dict(request.json_schema)
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


def _round(each: Round) -> list[dict[str, Any]]:
    """Return one round as messages; Ollama tells answers apart by the tool's name and their order."""
    said: dict[str, Any] = {"role": "assistant", "content": each.said.text}
    if each.said.tool_calls:
        said["tool_calls"] = [
            {"function": {"name": call.name, "arguments": dict(call.arguments or {})}}
            for call in each.said.tool_calls
        ]
    told = [{"role": "tool", "tool_name": answer.name, "content": answer.text} for answer in each.answers]
    remark = [{"role": "user", "content": each.remark or "Go on."}] if each.remark or not told else []
    return [said, *told, *remark]


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
