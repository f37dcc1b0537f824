"""The Anthropic adapter: one request becomes one POST /v1/messages by the vendor's SDK.

The answer is streamed, so that a first word can be waited for and a stop ends the call. What of a question
stays the same from wake to wake (tools, system text) is marked for the vendor's cache; within one wake
that uses tools, so is the conversation so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from covey.model import ModelReply, ModelRequest, Round, ToolCall
from covey.models import failures, wire
from covey.models.folds import AnthropicFold
from covey.models.incoming import reading
from covey.models.line import Line, Patience
from covey.models.prices import Quote
from covey.models.sdk import Sdk, without_redirects
from covey.values import dataclass

# Thinking counts against max_tokens, and a block needs none: where the family lets it be switched off, it is.
_THINKS_UNLESS_TOLD = ("claude-haiku-5-5",)
_CACHED = {"type": "ephemeral"}


@dataclass(frozen=True, slots=True)
class Options:
    """How an adapter asks, beyond what a request says: streaming, and marks for the vendor's cache."""

    stream: bool = True
    cache: bool = True


class AnthropicModel:
    """A Claude model.

    Args:
        name: The model's name.
        api_key: The key; it is sent and never shown.
        quote: What its calls cost.
        base_url: Another address than the vendor's, or None.
        options: How to ask.
        line: Another line than the SDK's, or None.
    """

    def __init__(
        self,
        name: str,
        api_key: str,
        quote: Quote,
        *,
        base_url: str | None = None,
        options: Options = Options(),  # noqa: B008 - a frozen value
        line: Line | None = None,
    ) -> None:
        self._name = name
        self._key = api_key
        self.quote = quote
        self._base_url = base_url
        self._options = options
        self.line = line or Sdk("anthropic", self.label, api_key, self._make, _post)

    @property
    def label(self) -> str:
        """Return `anthropic/<model>`."""
        return f"anthropic/{self._name}"

    def reserve_usd(self, request: ModelRequest) -> float:
        """Return the most that a call is expected to cost, in USD."""
        return self.quote.reserve_usd(request)

    async def warm(self) -> None:
        """Import the SDK (about 1.6 s of processor time) on a thread."""
        await self.line.warm()

    async def call(self, request: ModelRequest) -> ModelReply:
        """Ask once.

        Raises:
            ModelError: No usable answer; it says whether later may help.
        """
        answer = await self.line.ask(self._asked(request), Patience.of(request), reading(AnthropicFold))
        try:
            return self._reply(answer)
        except wire.UnreadableError as error:
            raise failures.unreadable(self.label, str(error)) from None

    async def close(self) -> None:
        """Close connections."""
        await self.line.close()

    def _asked(self, request: ModelRequest) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "model": self._name,
            "max_tokens": request.max_tokens,
            "messages": self._messages(request),
        }
        if self._options.stream:
            asked["stream"] = True
        if request.temperature is not None:
            asked["temperature"] = request.temperature
        if request.system:
            asked["system"] = self._system(request.system)
        if request.tools:
            asked["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": dict(tool.input_schema)}
                for tool in request.tools
            ]
        if self._name.startswith(_THINKS_UNLESS_TOLD):
            asked["thinking"] = {"type": "disabled"}
        return asked

    def _system(self, text: str) -> object:
        # The vendor's prefix is tools, then system: one mark covers both, and short ones cost nothing.
        return [{"type": "text", "text": text, "cache_control": _CACHED}] if self._options.cache else text

    def _messages(self, request: ModelRequest) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = [{"role": "user", "content": request.user}]
        for each in request.rounds:
            messages.append({"role": "assistant", "content": _said(each)})
            messages.append({"role": "user", "content": _answered(each)})
        if request.rounds and self._options.cache:
            messages[-1]["content"][-1]["cache_control"] = _CACHED
        return messages

    def _reply(self, answer: Mapping[str, object]) -> ModelReply:
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
        # The vendor counts what went through its cache apart; ours is all input.
        written = wire.count(used.get("cache_creation_input_tokens")) or 0
        cached = wire.count(used.get("cache_read_input_tokens")) or 0
        plain = wire.count(used.get("input_tokens"))
        usage = self.quote.usage_or_unknown(
            None if plain is None else plain + written + cached,
            wire.count(used.get("output_tokens")),
            cached,
            written,
        )
        return ModelReply(
            text=said,
            tool_calls=wire.at_most(calls),
            usage=usage,
            stop_reason=wire.text(answer.get("stop_reason")) or "unknown",
            model=wire.text(answer.get("model")) or self._name,
            carried=tuple(blocks),
        )

    def _make(self, sdk: Any) -> Any:
        client = sdk.AsyncAnthropic(
            api_key=self._key, base_url=self._base_url, max_retries=0, http_client=without_redirects(sdk)
        )
        _ = client.messages.with_streaming_response  # imported lazily by the SDK: pay here, on the thread
        return client


def _post(client: Any, asked: Mapping[str, Any], timeout_s: float) -> Any:
    # What some models take and some releases of the SDK do not name goes into the body as it is.
    named = {name: value for name, value in asked.items() if name != "temperature"}
    more = {name: value for name, value in asked.items() if name == "temperature"}
    create = client.messages.with_streaming_response.create
    return create(**named, extra_body=more or None, timeout=timeout_s)


def _said(each: Round) -> list[dict[str, Any]]:
    """Return what the model said, as it said it; a call that is not answered is left out."""
    calls = {call.id: call for call in each.said.tool_calls}
    blocks: list[dict[str, Any]] = []
    carried = each.said.carried if isinstance(each.said.carried, tuple) else ()
    for block in carried:
        kind = block.get("type")
        if kind == "text" and str(block.get("text", "")).strip():
            blocks.append({"type": "text", "text": block["text"]})
        elif kind in ("thinking", "redacted_thinking"):
            blocks.append(dict(block))
        elif kind == "tool_use" and (call := calls.get(str(block.get("id")))) is not None:
            arguments = dict(call.arguments or {})
            blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
    return blocks or [{"type": "text", "text": each.said.text.strip() or "(nothing)"}]


def _answered(each: Round) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [
        {
            "type": "tool_result",
            "tool_use_id": answer.call_id,
            "content": answer.text,
            **({"is_error": True} if answer.failed else {}),
        }
        for answer in each.answers
    ]
    if each.remark or not blocks:
        blocks.append({"type": "text", "text": each.remark or "Go on."})
    return blocks
