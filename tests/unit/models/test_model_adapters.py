"""Each adapter against a server on loopback, through the real SDK: success, tool call, failures.

X-07: one call is one request, in the vendor's own form, and what it cost is known or said to be unknown.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from covey.errors import ModelError, ModelErrorKind
from covey.model import ModelReply, ModelRequest, ToolSpec
from covey.models.anthropic import AnthropicModel
from covey.models.compatible import CompatibleModel
from covey.models.factory import PricedModel
from covey.models.ollama import OllamaModel, models_at
from covey.models.openai import OpenAIModel
from covey.models.prices import FREE, Quote
from covey.settings import Price
from tests.unit.models.vendor_server import SILENT, Vendor, vendor_server

KEY = "sk-test-123456"
PRICE = Price(2.0, 10.0)
SCHEMA = {"type": "object", "properties": {"focus": {"type": "string"}}, "additionalProperties": False}
TOOL = ToolSpec("emit_cmb", "Emit one block.", SCHEMA)
ASK = ModelRequest("You review.", "[ADMITTED] draft", (TOOL,), max_tokens=512, timeout_seconds=10.0)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with vendor_server() as running:
        yield running


def priced(model: str) -> Quote:
    return Quote(model, PRICE, known=True, source="agent.toml")


def anthropic(vendor: Vendor, name: str = "claude-haiku-4-5") -> AnthropicModel:
    return AnthropicModel(name, KEY, priced(name), base_url=vendor.url)


def openai(vendor: Vendor, name: str = "gpt-4o-mini") -> OpenAIModel:
    return OpenAIModel(name, KEY, priced(name), base_url=f"{vendor.url}/v1")


def compatible(vendor: Vendor, name: str = "qwen3") -> CompatibleModel:
    return CompatibleModel("compatible", name, f"{vendor.url}/v1", priced(name), api_key=KEY)


def ollama(vendor: Vendor, name: str = "llama3.2:3b") -> OllamaModel:
    return OllamaModel(name, vendor.url, Quote(name, FREE, known=True, source="local"), window_tokens=9_000)


Make = Callable[[Vendor], PricedModel]
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


def claude_says(*content: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    usage = {"input_tokens": 100, "output_tokens": 20, "cache_read_input_tokens": 50}
    return {"id": "m", "model": "claude-x", "content": list(content), "stop_reason": stop, "usage": usage}


def chat_says(message: dict[str, Any], stop: str = "stop") -> dict[str, Any]:
    usage = {"prompt_tokens": 150, "completion_tokens": 20, "total_tokens": 170}
    return {
        "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": stop}],
        "usage": usage,
    }


def ollama_says(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": "l",
        "message": message,
        "done_reason": "stop",
        "prompt_eval_count": 150,
        "eval_count": 20,
    }


def text_answer(make: Make) -> dict[str, Any]:
    if make is anthropic:
        return claude_says(
            {"type": "text", "text": "he"}, {"type": "thinking"}, {"type": "text", "text": "llo"}
        )
    message = {"role": "assistant", "content": "hello"}
    return ollama_says(message) if make is ollama else chat_says(message)


def tool_answer(make: Make, arguments: Any) -> dict[str, Any]:
    if make is anthropic:
        return claude_says(
            {"type": "tool_use", "id": "t1", "name": "emit_cmb", "input": arguments}, stop="tool_use"
        )
    call = {"id": "t1", "type": "function", "function": {"name": "emit_cmb", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return ollama_says(message) if make is ollama else chat_says(message, "tool_calls")


@pytest.mark.parametrize("make", ALL)
def test_a_text_answer_with_its_tokens_and_cost(make: Make, vendor: Vendor) -> None:
    vendor.will(text_answer(make))
    answer = reply(make(vendor))
    assert (answer.text, answer.tool_calls) == ("hello", ())
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (150, 20)
    cost = 0.0 if make is ollama else (150 * 2.0 + 20 * 10.0) / 1e6
    assert answer.usage.cost_usd == pytest.approx(cost)
    assert answer.stop_reason in ("end_turn", "stop")


@pytest.mark.parametrize("make", ALL)
def test_a_tool_call(make: Make, vendor: Vendor) -> None:
    arguments = {"focus": "naïve ✓"}
    as_text = '{"focus": "naïve ✓"}'
    vendor.will(tool_answer(make, as_text if make in (openai, compatible) else arguments))
    (call,) = reply(make(vendor)).tool_calls
    assert (call.id, call.name, call.arguments) == ("t1", "emit_cmb", arguments)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("arguments", ['{"focus": ', "[1]", "null", "", 7])
def test_arguments_that_cannot_be_read_are_kept_as_unread(make: Make, arguments: Any, vendor: Vendor) -> None:
    vendor.will(tool_answer(make, arguments))
    (call,) = reply(make(vendor)).tool_calls
    assert (call.name, call.arguments) == ("emit_cmb", None)
    assert call.raw_arguments == (arguments if isinstance(arguments, str) else "")


def test_the_anthropic_request(vendor: Vendor) -> None:
    vendor.will(text_answer(anthropic))
    reply(anthropic(vendor))
    asked = vendor.only_request()
    assert (asked.method, asked.path) == ("POST", "/v1/messages")
    # SDKs before 2 send the key as x-api-key, later ones as a bearer.
    assert asked.headers.get("x-api-key") == KEY or asked.headers.get("authorization") == f"Bearer {KEY}"
    assert asked.body == {
        "model": "claude-haiku-4-5",
        "max_tokens": 512,
        "system": "You review.",
        "messages": [{"role": "user", "content": "[ADMITTED] draft"}],
        "tools": [{"name": "emit_cmb", "description": "Emit one block.", "input_schema": SCHEMA}],
    }


def test_a_family_that_thinks_unless_told_is_told(vendor: Vendor) -> None:
    vendor.will(text_answer(anthropic))
    reply(anthropic(vendor, "claude-haiku-5-5"))
    assert vendor.only_request().body["thinking"] == {"type": "disabled"}


@pytest.mark.parametrize("make", [openai, compatible])
def test_the_chat_request(make: Make, vendor: Vendor) -> None:
    vendor.will(text_answer(make))
    model = make(vendor)
    reply(model)
    asked = vendor.only_request()
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    function = {"name": "emit_cmb", "description": "Emit one block.", "parameters": SCHEMA}
    assert asked.body == {
        "model": model.label.partition("/")[2],
        "max_tokens": 512,
        "messages": [
            {"role": "system", "content": "You review."},
            {"role": "user", "content": "[ADMITTED] draft"},
        ],
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "auto",
    }


@pytest.mark.parametrize(
    ("name", "limit", "effort"),
    [
        ("o1", "max_completion_tokens", None),
        ("o3-mini", "max_completion_tokens", None),
        ("gpt-5", "max_completion_tokens", None),
        ("gpt-5-mini-2025-08-07", "max_completion_tokens", None),
        ("gpt-5.4", "max_completion_tokens", None),
        ("gpt-5.6-luna", "max_completion_tokens", "none"),
        ("gpt-6-luna", "max_completion_tokens", "none"),
        ("gpt-4o-mini", "max_tokens", None),
        ("gpt-4.1", "max_tokens", None),
        ("gpt-oss:20b", "max_tokens", None),
        ("olmo-2", "max_tokens", None),
    ],
)
def test_families_get_the_parameters_they_want(
    name: str, limit: str, effort: str | None, vendor: Vendor
) -> None:
    vendor.will(text_answer(openai))
    reply(openai(vendor, name))
    body = vendor.only_request().body
    assert {key for key in body if key.startswith("max")} == {limit}
    assert body.get("reasoning_effort") == effort


def test_the_ollama_request(vendor: Vendor) -> None:
    vendor.will(text_answer(ollama))
    reply(ollama(vendor))
    asked = vendor.only_request()
    assert (asked.method, asked.path, asked.body["stream"]) == ("POST", "/api/chat", False)
    # 9,000 tokens of context rounded up to a step, not Ollama's own small default.
    assert asked.body["options"] == {"num_predict": 512, "num_ctx": 10_240}
    assert asked.body["tools"][0]["function"]["name"] == "emit_cmb"
    assert [message["role"] for message in asked.body["messages"]] == ["system", "user"]


@pytest.mark.parametrize("make", ALL)
def test_without_system_and_tools_neither_is_sent(make: Make, vendor: Vendor) -> None:
    vendor.will(text_answer(make))
    reply(make(vendor), ModelRequest("", "hello", timeout_seconds=10.0))
    body = vendor.only_request().body
    assert not {"system", "tools", "tool_choice"} & set(body)
    assert len(body["messages"]) == 1


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize(
    ("status", "kind", "transient"),
    [
        (400, ModelErrorKind.REQUEST, False),
        (401, ModelErrorKind.AUTH, False),
        (403, ModelErrorKind.AUTH, False),
        (404, ModelErrorKind.NOT_FOUND, False),
        (408, ModelErrorKind.TIMEOUT, True),
        (409, ModelErrorKind.OVERLOADED, True),
        (422, ModelErrorKind.REQUEST, False),
        (429, ModelErrorKind.RATE_LIMIT, True),
        (500, ModelErrorKind.OVERLOADED, True),
        (503, ModelErrorKind.OVERLOADED, True),
        (529, ModelErrorKind.OVERLOADED, True),
    ],
)
def test_a_failure_is_classified_and_asked_once(
    make: Make, status: int, kind: ModelErrorKind, transient: bool, vendor: Vendor
) -> None:
    said = f"no: {KEY} is\n wrong"
    vendor.will({"error": said} if make is ollama else {"error": {"message": said}}, status, retry_after="7")
    if make is ollama:  # Ollama has no key to keep back
        with pytest.raises(ModelError) as caught:
            reply(make(vendor))
        error = caught.value
    else:
        error = failure(make(vendor))
        assert "no: *** is wrong" in error.message
    assert (error.kind, error.transient, error.status, error.retry_after_s) == (kind, transient, status, 7.0)
    assert error.code == f"model_{kind.value}"
    vendor.only_request()


@pytest.mark.parametrize("make", ALL)
def test_no_answer_in_time(make: Make, vendor: Vendor) -> None:
    vendor.will(SILENT)
    error = failure(make(vendor), ModelRequest("", "hello", timeout_seconds=0.2))
    assert (error.kind, error.transient) == (ModelErrorKind.TIMEOUT, True)
    assert "within 0.2 s" in error.message


@pytest.mark.parametrize("make", ALL)
def test_nobody_there(make: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = Vendor(port=taken.getsockname()[1])
        error = failure(make(nobody))
    assert (error.kind, error.transient) == (ModelErrorKind.CONNECTION, True)
    assert "cannot reach" in error.message


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("body", [b"<html>welcome</html>", b"[]", b"{}", b'{"choices": [], "content": 3}'])
def test_a_success_that_is_none(make: Make, body: bytes, vendor: Vendor) -> None:
    vendor.will(body)
    error = failure(make(vendor))
    assert (error.kind, error.transient) == (ModelErrorKind.PROTOCOL, False)


@pytest.mark.parametrize("make", BY_SDK)
def test_what_a_vendor_does_not_count_has_no_known_cost(make: Make, vendor: Vendor) -> None:
    answer = text_answer(make)
    del answer["usage"]
    vendor.will(answer)
    usage = reply(make(vendor)).usage
    assert (usage.input_tokens, usage.output_tokens, usage.cost_usd) == (0, 0, None)


def test_text_in_parts_and_a_refusal_are_text(vendor: Vendor) -> None:
    vendor.will(chat_says({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}))
    vendor.will(chat_says({"content": None, "refusal": "I will not"}))
    assert reply(compatible(vendor)).text == "ab"
    assert reply(compatible(vendor)).text == "I will not"


def test_warming_loads_the_sdk_and_asks_nobody(vendor: Vendor) -> None:
    async def run() -> None:
        for make in ALL:
            model = make(vendor)
            await model.warm()
            await model.close()

    asyncio.run(run())
    assert vendor.asked == []


def test_cancelling_a_call_ends_it(vendor: Vendor) -> None:
    async def run(model: PricedModel) -> None:
        vendor.will(SILENT)
        call = asyncio.create_task(model.call(ASK))
        assert await asyncio.to_thread(vendor.arrived.wait, 10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        vendor.arrived.clear()
        await model.close()

    for make in ALL:
        asyncio.run(run(make(vendor)))


def test_the_models_an_ollama_holds(vendor: Vendor) -> None:
    vendor.will({"models": [{"name": "a"}, {"nameless": 1}, {"name": "b"}]})
    assert models_at(vendor.url) == ["a", "b"]
    vendor.will({"models": []}, 500)
    assert models_at(vendor.url) is None
    vendor.will(b"hello")
    assert models_at(vendor.url) is None
