"""The four adapters as the tests of this room make them, and what their vendors say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from covey.errors import ModelError
from covey.model import ModelReply, ModelRequest, ToolSpec
from covey.models.anthropic import AnthropicModel
from covey.models.compatible import CompatibleModel
from covey.models.factory import PricedModel
from covey.models.ollama import OllamaModel
from covey.models.openai import OpenAIModel
from covey.models.prices import FREE, Quote
from covey.settings import Price
from tests.unit.models.vendor_server import Vendor

KEY = "sk-test-123456"
PRICE = Price(2.0, 10.0)
SCHEMA = {"type": "object", "properties": {"focus": {"type": "string"}}, "additionalProperties": False}
TOOL = ToolSpec("emit_cmb", "Emit one block.", SCHEMA)
ASK = ModelRequest("You review.", "[ADMITTED] draft", (TOOL,), max_tokens=512, timeout_seconds=10.0)


def priced(model: str) -> Quote:
    return Quote(model, PRICE, known=True, source="agent.toml")


def anthropic(vendor: Vendor, name: str = "claude-haiku-4-5", **more: Any) -> AnthropicModel:
    return AnthropicModel(name, KEY, priced(name), base_url=vendor.url, **more)


def openai(vendor: Vendor, name: str = "gpt-4o-mini", **more: Any) -> OpenAIModel:
    return OpenAIModel(name, KEY, priced(name), base_url=f"{vendor.url}/v1", **more)


def compatible(vendor: Vendor, name: str = "qwen3", **more: Any) -> CompatibleModel:
    return CompatibleModel("compatible", name, f"{vendor.url}/v1", priced(name), api_key=KEY, **more)


def ollama(vendor: Vendor, name: str = "llama3.2:3b", **more: Any) -> OllamaModel:
    quote = Quote(name, FREE, known=True, source="local")
    return OllamaModel(name, vendor.url, quote, window_tokens=9_000, **more)


Make = Callable[..., PricedModel]
ALL: list[Make] = [anthropic, openai, compatible, ollama]
BY_SDK: list[Make] = [anthropic, openai, compatible]


def reply(model: PricedModel, request: ModelRequest = ASK) -> ModelReply:
    async def run() -> ModelReply:
        try:
            return await model.call(request)
        finally:
            await model.close()

    return asyncio.run(run())


def failure(model: PricedModel, request: ModelRequest = ASK) -> ModelError:
    with pytest.raises(ModelError) as caught:
        reply(model, request)
    assert KEY not in str(caught.value)
    assert "\n" not in caught.value.message
    return caught.value


def events(*said: dict[str, Any], named: bool = False) -> tuple[bytes, ...]:
    """Return server-sent events, one piece each."""
    return tuple(
        (f"event: {each['type']}\n" if named else "").encode()
        + b"data: "
        + json.dumps(each).encode()
        + b"\n\n"
        for each in said
    )


def claude_events(*deltas: dict[str, Any], block: dict[str, Any] | None = None) -> tuple[bytes, ...]:
    """Return a whole stream of Anthropic's, with one block."""
    start = {
        "id": "m",
        "model": "claude-x",
        "content": [],
        "usage": {"input_tokens": 150, "output_tokens": 1},
    }
    return events(
        {"type": "message_start", "message": start},
        {"type": "ping"},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": block or {"type": "text", "text": ""},
        },
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 20}},
        {"type": "message_stop"},
        named=True,
    )


def chat_events(*deltas: dict[str, Any], stop: str = "stop") -> tuple[bytes, ...]:
    """Return a whole stream of chat chunks."""
    chunks = [{"model": "m-1", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"model": "m-1", "choices": [{"index": 0, "delta": {}, "finish_reason": stop}]})
    usage = {"prompt_tokens": 150, "completion_tokens": 20, "total_tokens": 170}
    chunks.append({"model": "m-1", "choices": [], "usage": usage})
    return (*events(*chunks), b"data: [DONE]\n\n")


def ollama_lines(*messages: dict[str, Any]) -> tuple[bytes, ...]:
    """Return a whole stream of Ollama's."""
    lines = [{"model": "l", "message": message, "done": False} for message in messages]
    end = {"done_reason": "stop", "prompt_eval_count": 150, "eval_count": 20}
    lines.append({"model": "l", "message": {"content": ""}, "done": True, **end})
    return tuple(json.dumps(line).encode() + b"\n" for line in lines)


def hello(make: Make) -> tuple[bytes, ...]:
    """Return a stream that says hello in two words."""
    if make is anthropic:
        return claude_events({"type": "text_delta", "text": "he"}, {"type": "text_delta", "text": "llo"})
    if make is ollama:
        return ollama_lines({"content": "he"}, {"content": "llo"})
    return chat_events({"role": "assistant", "content": "he"}, {"content": "llo"})


def kind(make: Make) -> str:
    """Return the type of a vendor's stream."""
    return "application/x-ndjson" if make is ollama else "text/event-stream; charset=utf-8"
