"""The Anthropic adapter: one request becomes one POST /v1/messages by the vendor's SDK."""

from __future__ import annotations

from typing import Any

from covey.model import ModelReply, ModelRequest, ToolCall
from covey.models import failures, wire
from covey.models.prices import Quote
from covey.models.sdk import Sdk

# Thinking counts against max_tokens, and a block needs none: where the family lets it be switched off, it is.
_THINKS_UNLESS_TOLD = ("claude-haiku-5-5",)


class AnthropicModel:
    """A Claude model.

    Args:
        name: The model's name.
        api_key: The key; it is sent and never shown.
        quote: What its calls cost.
        base_url: Another address than the vendor's, or None.
    """

    def __init__(self, name: str, api_key: str, quote: Quote, *, base_url: str | None = None) -> None:
        self._name = name
        self._key = api_key
        self.quote = quote
        self._base_url = base_url
        self._sdk = Sdk("anthropic", self._make)

    @property
    def label(self) -> str:
        """Return `anthropic/<model>`."""
        return f"anthropic/{self._name}"

    def reserve_usd(self, request: ModelRequest) -> float:
        """Return the most that a call is expected to cost, in USD."""
        return self.quote.reserve_usd(request)

    async def warm(self) -> None:
        """Import the SDK (about 1.6 s of processor time) on a thread."""
        await self._sdk.client()

    async def call(self, request: ModelRequest) -> ModelReply:
        """Ask once.

        Raises:
            ModelError: No usable answer; it says whether later may help.
        """
        asked = self._asked(request)

        async def send(client: Any) -> Any:
            return await client.messages.with_raw_response.create(**asked, timeout=request.timeout_seconds)

        body = await self._sdk.ask(self.label, request.timeout_seconds, self._key, send)
        try:
            return self._reply(wire.document(body))
        except wire.UnreadableError as error:
            raise failures.unreadable(self.label, str(error)) from None

    async def close(self) -> None:
        """Close connections."""
        await self._sdk.close()

    def _asked(self, request: ModelRequest) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "model": self._name,
            "max_tokens": request.max_tokens,
            "messages": [{"role": "user", "content": request.user}],
        }
        if request.system:
            asked["system"] = request.system
        if request.tools:
            asked["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": dict(tool.input_schema)}
                for tool in request.tools
            ]
        if self._name.startswith(_THINKS_UNLESS_TOLD):
            asked["thinking"] = {"type": "disabled"}
        return asked

    def _reply(self, answer: Any) -> ModelReply:
        if not isinstance(answer.get("content"), list):
            raise wire.UnreadableError("an answer without content")
        blocks = wire.rows(answer["content"])
        said = "".join(wire.text(block.get("text")) for block in blocks if block.get("type") == "text")
        calls: list[ToolCall] = [
            wire.tool_call(wire.text(block.get("id")), wire.text(block.get("name")), block.get("input"))
            for block in blocks
            if block.get("type") == "tool_use"
        ]
        used = wire.table(answer.get("usage"))
        # Cached input is counted apart by the vendor; ours is all input.
        parts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        read = sum(wire.count(used.get(part)) or 0 for part in parts)
        usage = self.quote.usage_or_unknown(
            read if "input_tokens" in used else None, wire.count(used.get("output_tokens"))
        )
        return ModelReply(
            text=said,
            tool_calls=wire.at_most(calls),
            usage=usage,
            stop_reason=wire.text(answer.get("stop_reason")) or "unknown",
            model=wire.text(answer.get("model")) or self._name,
        )

    def _make(self, sdk: Any) -> Any:
        client = sdk.AsyncAnthropic(api_key=self._key, base_url=self._base_url, max_retries=0)
        _ = client.messages.with_raw_response  # imported lazily by the SDK: pay for it here, on the thread
        return client
