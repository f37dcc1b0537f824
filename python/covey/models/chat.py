"""OpenAI-style chat completions, as OpenAI itself and a dozen servers speak them.

Rules: this is what the `openai` and `compatible` adapters share; they differ in address, key, price and in
what a server can be expected to know (`Dialect`). The vendor caches prompts by itself; we keep their
beginning the same from wake to wake, and read what it says of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from covey.model import ModelReply, ModelRequest, Round
from covey.models import failures, wire
from covey.models.folds import ChatFold
from covey.models.incoming import reading
from covey.models.line import Line, Patience
from covey.models.prices import Quote
from covey.models.sdk import Sdk, without_redirects
from covey.values import dataclass

# These families refuse `max_tokens`; older ones and other servers may not know its successor.
_COMPLETION_TOKENS = re.compile(r"(?:o\d|gpt-(?:[5-9]|\d{2}))(?:[.-]|\Z)")
# These take function tools over chat completions only when reasoning is explicitly off.
_REASONS_UNLESS_TOLD = re.compile(r"gpt-(?:5\.6|6)(?:-(?!pro)|\Z)")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server is asked with: streaming, and whether it must be told to count tokens then."""

    stream: bool = True
    stream_usage: bool = True


class ChatModel:
    """A model behind an OpenAI-style API.

    Args:
        label: `adapter/model`, for logs.
        name: The model's name as the server is asked for it.
        api_key: The key; a server that wants none is sent a word that is no key.
        quote: What its calls cost.
        base_url: The API's address, or None for the vendor's own.
        dialect: How to ask.
        line: Another line than the SDK's, or None.
    """

    def __init__(
        self,
        label: str,
        name: str,
        api_key: str,
        quote: Quote,
        *,
        base_url: str | None,
        dialect: Dialect = Dialect(),  # noqa: B008 - a frozen value
        line: Line | None = None,
    ) -> None:
        self._label = label
        self._name = name
        self._key = api_key
        self.quote = quote
        self._base_url = base_url
        self._dialect = dialect
        self.line = line or Sdk("openai", label, api_key, self._make, _post)

    @property
    def label(self) -> str:
        """Return `adapter/model`."""
        return self._label

    def reserve_usd(self, request: ModelRequest) -> float:
        """Return the most that a call is expected to cost, in USD."""
        return self.quote.reserve_usd(request)

    async def warm(self) -> None:
        """Import the SDK on a thread."""
        await self.line.warm()

    async def call(self, request: ModelRequest) -> ModelReply:
        """Ask once.

        Raises:
            ModelError: No usable answer; it says whether later may help.
        """
        answer = await self.line.ask(self.asked(request), Patience.of(request), reading(ChatFold))
        try:
            return self._reply(answer)
        except wire.UnreadableError as error:
            raise failures.unreadable(self.label, str(error)) from None

    async def close(self) -> None:
        """Close connections."""
        await self.line.close()

    def asked(self, request: ModelRequest) -> dict[str, Any]:
        """Return the request body for a question."""
        messages: list[dict[str, Any]] = []
        if request.system:
            messages.append({"role": "system", "content": request.system})
        messages.append({"role": "user", "content": request.user})
        for each in request.rounds:
            messages += _round(each)
        limit = "max_completion_tokens" if _COMPLETION_TOKENS.match(self._name) else "max_tokens"
        asked: dict[str, Any] = {"model": self._name, "messages": messages, limit: request.max_tokens}
        if self._dialect.stream:
            asked["stream"] = True
            if self._dialect.stream_usage:
                asked["stream_options"] = {"include_usage": True}
        if request.temperature is not None:
            asked["temperature"] = request.temperature
        if request.json_schema is not None:
            asked["response_format"] = {"type": "json_object"}
        if request.tools:
            asked["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": dict(tool.input_schema),
                    },
                }
                for tool in request.tools
            ]
            asked["tool_choice"] = "auto"
            if _REASONS_UNLESS_TOLD.match(self._name):
                asked["reasoning_effort"] = "none"
        return asked

    def _reply(self, answer: Any) -> ModelReply:
        choices = wire.rows(answer.get("choices"))
        if not choices:
            raise wire.UnreadableError("an answer without choices")
        message = wire.table(choices[0].get("message"))
        calls = []
        for index, call in enumerate(wire.rows(message.get("tool_calls"))):
            function = wire.table(call.get("function"))
            call_id = wire.text(call.get("id")) or f"call-{index}"
            calls.append(wire.tool_call(call_id, wire.text(function.get("name")), function.get("arguments")))
        used = wire.table(answer.get("usage"))
        details = wire.table(used.get("prompt_tokens_details"))
        usage = self.quote.usage_or_unknown(
            wire.count(used.get("prompt_tokens")),
            wire.count(used.get("completion_tokens")),
            wire.count(details.get("cached_tokens")),
            wire.count(details.get("cache_write_tokens")),
        )
        return ModelReply(
            text=_said(message),
            tool_calls=wire.at_most(calls),
            usage=usage,
            stop_reason=wire.text(choices[0].get("finish_reason")) or "unknown",
            model=wire.text(answer.get("model")) or self._name,
        )

    def _make(self, sdk: Any) -> Any:
        client = sdk.AsyncOpenAI(
            api_key=self._key, base_url=self._base_url, max_retries=0, http_client=without_redirects(sdk)
        )
        _ = client.chat.completions.with_streaming_response  # imported lazily: pay on the thread
        return client


def _post(client: Any, asked: Mapping[str, Any], timeout_s: float) -> Any:
    return client.chat.completions.with_streaming_response.create(**asked, timeout=timeout_s)


def _round(each: Round) -> list[dict[str, Any]]:
    """Return one round as messages: what the model said, one message for each answer, our remark."""
    said: dict[str, Any] = {"role": "assistant", "content": each.said.text or None}
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.raw_arguments or "{}"},
        }
        for call in each.said.tool_calls
    ]
    if calls:
        said["tool_calls"] = calls
    elif not each.said.text:
        said["content"] = "(nothing)"
    told = [
        {"role": "tool", "tool_call_id": answer.call_id, "content": answer.text} for answer in each.answers
    ]
    remark = [{"role": "user", "content": each.remark or "Go on."}] if each.remark or not told else []
    return [said, *told, *remark]


def _said(message: Any) -> str:
    """Return a message's text: a string, text parts (some servers), or the words of a refusal."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(wire.text(part.get("text")) for part in wire.rows(content))
    return wire.text(content) or wire.text(message.get("refusal"))
