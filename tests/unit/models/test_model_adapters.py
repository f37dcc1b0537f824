"""Each adapter against a server on loopback, through the real SDK: success, tool call, failures.

X-07: one call is one request, in the vendor's own form, and what it cost is known or said to be unknown.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from covey.model import ModelReply, ModelRequest, Round, ToolAnswer, ToolCall, Usage
from covey.models.anthropic import Options
from covey.models.chat import Dialect
from covey.models.factory import PricedModel
from covey.models.ollama import models_at
from covey.models.prices import quote
from tests.unit.models.adapters import (
    ALL,
    ASK,
    BY_SDK,
    KEY,
    SCHEMA,
    Make,
    anthropic,
    chat_events,
    compatible,
    ollama,
    openai,
    reply,
)
from tests.unit.models.vendor_server import SILENT, Raw, Vendor, vendor_server


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with vendor_server() as running:
        yield running


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
        "stream": True,
        "system": [{"type": "text", "text": "You review.", "cache_control": {"type": "ephemeral"}}],
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
        "stream": True,
        "stream_options": {"include_usage": True},
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
    assert (asked.method, asked.path, asked.body["stream"]) == ("POST", "/api/chat", True)
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


CALL = ToolCall("t1", "files__read", {"path": "a"}, '{"path": "a"}')
SAID = ModelReply("let me look", (CALL,), Usage(), "tool_use", "m")
ROUND = Round(SAID, (ToolAnswer("t1", "files__read", "quoted"),))
REPAIR = Round(ModelReply("{", (), Usage(), "stop", "m"), (), "that was no JSON")


def messages_after(make: Make, vendor: Vendor, *rounds: Round) -> list[dict[str, Any]]:
    vendor.will(text_answer(make))
    reply(make(vendor), replace(ASK, rounds=rounds))
    asked: list[dict[str, Any]] = vendor.asked.pop().body["messages"]
    return asked[1:] if asked[0]["role"] == "user" else asked[2:]


def test_rounds_go_back_to_anthropic_as_it_wants_them(vendor: Vendor) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    use = {"type": "tool_use", "id": "t1", "name": "files__read", "input": {"path": "a"}}
    beyond = {**use, "id": "t99"}
    carried = (thought, {"type": "text", "text": " "}, {"type": "text", "text": "look"}, use, beyond)
    said, told = messages_after(anthropic, vendor, replace(ROUND, said=replace(SAID, carried=carried)))
    assert said == {"role": "assistant", "content": [thought, {"type": "text", "text": "look"}, use]}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "quoted"}
    assert told == {"role": "user", "content": [{**result, "cache_control": {"type": "ephemeral"}}]}
    refused = replace(ROUND, answers=(ToolAnswer("t1", "files__read", "no", failed=True),), remark="go on")
    _, told = messages_after(anthropic, vendor, refused)
    assert [part["type"] for part in told["content"]] == ["tool_result", "text"]
    assert told["content"][0]["is_error"] is True
    said, told = messages_after(anthropic, vendor, REPAIR)
    assert said["content"] == [{"type": "text", "text": "{"}]
    assert told["content"][0]["text"] == "that was no JSON"


@pytest.mark.parametrize("make", [openai, compatible])
def test_rounds_go_back_to_chat_completions_as_they_want_them(make: Make, vendor: Vendor) -> None:
    function = {"name": "files__read", "arguments": '{"path": "a"}'}
    said, told = messages_after(make, vendor, ROUND)
    assert said == {
        "role": "assistant",
        "content": "let me look",
        "tool_calls": [{"id": "t1", "type": "function", "function": function}],
    }
    assert told == {"role": "tool", "tool_call_id": "t1", "content": "quoted"}
    said, told = messages_after(make, vendor, REPAIR)
    assert (said["content"], told) == ("{", {"role": "user", "content": "that was no JSON"})


def test_rounds_go_back_to_ollama_as_it_wants_them(vendor: Vendor) -> None:
    said, told = messages_after(ollama, vendor, ROUND)
    assert said["tool_calls"] == [{"function": {"name": "files__read", "arguments": {"path": "a"}}}]
    assert told == {"role": "tool", "tool_name": "files__read", "content": "quoted"}
    _, told = messages_after(ollama, vendor, REPAIR)
    assert told == {"role": "user", "content": "that was no JSON"}


@pytest.mark.parametrize("make", ALL)
def test_temperature_is_sent_where_it_was_said_and_only_there(make: Make, vendor: Vendor) -> None:
    vendor.will(text_answer(make))
    vendor.will(text_answer(make))
    reply(make(vendor), replace(ASK, temperature=0.2))
    reply(make(vendor))
    bodies = [asked.body.get("options", asked.body) for asked in vendor.asked]
    assert [body.get("temperature") for body in bodies] == [0.2, None]


@pytest.mark.parametrize("make", [openai, compatible, ollama])
def test_an_answer_may_be_asked_for_as_json(make: Make, vendor: Vendor) -> None:
    vendor.will(text_answer(make))
    reply(make(vendor), replace(ASK, tools=(), json_schema=SCHEMA))
    body = vendor.only_request().body
    assert body.get("response_format", body.get("format")) in ({"type": "json_object"}, SCHEMA)
    assert "tools" not in body


def test_a_server_that_cannot_stream_is_asked_without(vendor: Vendor) -> None:
    for make, options in ((anthropic, Options(stream=False, cache=False)), (openai, Dialect(stream=False))):
        vendor.will(text_answer(make))
        reply(make(vendor, **{"options" if make is anthropic else "dialect": options}))
        body = vendor.asked.pop().body
        assert not {"stream", "stream_options"} & set(body)
        assert "cache_control" not in json.dumps(body)
    vendor.will(text_answer(compatible))
    reply(compatible(vendor, dialect=Dialect(stream_usage=False)))
    assert "stream_options" not in vendor.only_request().body


def test_what_comes_from_the_cache_is_counted_and_costs_less(vendor: Vendor) -> None:
    listed = quote("claude-haiku-4-5", {})
    usage = {
        "input_tokens": 100,
        "cache_creation_input_tokens": 1_000,
        "cache_read_input_tokens": 10_000,
        "output_tokens": 10,
    }
    vendor.will({"content": [{"type": "text", "text": "hi"}], "usage": usage})
    model = anthropic(vendor)
    model.quote = listed
    found = reply(model).usage
    assert (found.input_tokens, found.cached_tokens, found.written_tokens) == (11_100, 10_000, 1_000)
    assert found.cost_usd == pytest.approx((100 * 1.0 + 1_000 * 1.25 + 10_000 * 0.1 + 10 * 5.0) / 1e6)


def test_tool_calls_of_a_careless_stream(vendor: Vendor) -> None:
    """Some servers give every call the same index, or none, or whole arguments as an object."""

    def call(call_id: str, arguments: Any, **index: int) -> dict[str, Any]:
        return {
            "tool_calls": [{"id": call_id, "function": {"name": call_id, "arguments": arguments}, **index}]
        }

    deltas = [
        call("a", '{"n": 1}', index=0),
        call("b", {"n": 2}, index=0),
        {"tool_calls": [{"function": {}}]},
    ]
    vendor.will(Raw(chat_events(*deltas, stop="tool_calls")))
    calls = reply(compatible(vendor)).tool_calls
    assert [(each.name, each.arguments) for each in calls] == [("a", {"n": 1}), ("b", {"n": 2})]
