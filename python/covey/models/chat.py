"""OpenAI-style chat completions, as OpenAI itself and a dozen servers speak them.

Rules: this is what the `openai` and `compatible` adapters share; they differ in address, key and price only.
"""

from __future__ import annotations

import re
from typing import Any

from covey.model import ModelReply, ModelRequest
from covey.models import failures, wire
from covey.models.prices import Quote
from covey.models.sdk import Sdk

# These families refuse `max_tokens`; older ones and other servers may not know its successor.
_COMPLETION_TOKENS = re.compile(r"(?:o\d|gpt-(?:[5-9]|\d{2}))(?:[.-]|\Z)")
# These take function tools over chat completions only when reasoning is explicitly off.
_REASONS_UNLESS_TOLD = re.compile(r"gpt-(?:5\.6|6)(?:-(?!pro)|\Z)")


class ChatModel:
    """A model behind an OpenAI-style API.

    Args:
        label: `adapter/model`, for logs.
        name: The model's name as the server is asked for it.
        api_key: The key; servers without keys get a placeholder.
        quote: What its calls cost.
        base_url: The API's address, or None for the vendor's own.
    """

    def __init__(self, label: str, name: str, api_key: str, quote: Quote, *, base_url: str | None) -> None:
        self._label = label
        self._name = name
        self._key = api_key
        self.quote = quote
        self._base_url = base_url
        self._sdk = Sdk("openai", self._make)

    @property
    def label(self) -> str:
        """Return `adapter/model`."""
        return self._label

    def reserve_usd(self, request: ModelRequest) -> float:
        """Return the most that a call is expected to cost, in USD."""
        return self.quote.reserve_usd(request)

    async def warm(self) -> None:
        """Import the SDK on a thread."""
        await self._sdk.client()

    async def call(self, request: ModelRequest) -> ModelReply:
        """Ask once.

        Raises:
            ModelError: No usable answer; it says whether later may help.
        """
        asked = self.asked(request)

        async def send(client: Any) -> Any:
            raw = client.chat.completions.with_raw_response
            return await raw.create(**asked, timeout=request.timeout_seconds)

        body = await self._sdk.ask(self.label, request.timeout_seconds, self._key, send)
        try:
            return self._reply(wire.document(body))
        except wire.UnreadableError as error:
            raise failures.unreadable(self.label, str(error)) from None

    async def close(self) -> None:
        """Close connections."""
        await self._sdk.close()

    def asked(self, request: ModelRequest) -> dict[str, Any]:
        """Return the request body for a question."""
        messages = [{"role": "system", "content": request.system}] if request.system else []
        messages.append({"role": "user", "content": request.user})
        limit = "max_completion_tokens" if _COMPLETION_TOKENS.match(self._name) else "max_tokens"
        asked: dict[str, Any] = {"model": self._name, "messages": messages, limit: request.max_tokens}
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
        usage = self.quote.usage_or_unknown(
            wire.count(used.get("prompt_tokens")), wire.count(used.get("completion_tokens"))
        )
        return ModelReply(
            text=_said(message),
            tool_calls=wire.at_most(calls),
            usage=usage,
            stop_reason=wire.text(choices[0].get("finish_reason")) or "unknown",
            model=wire.text(answer.get("model")) or self._name,
        )

    def _make(self, sdk: Any) -> Any:
        client = sdk.AsyncOpenAI(api_key=self._key, base_url=self._base_url, max_retries=0)
        _ = client.chat.completions.with_raw_response  # imported lazily by the SDK: pay here, on the thread
        return client


def _said(message: Any) -> str:
    """Return a message's text: a string, text parts (some servers), or the words of a refusal."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(wire.text(part.get("text")) for part in wire.rows(content))
    return wire.text(content) or wire.text(message.get("refusal"))
