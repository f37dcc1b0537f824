"""Prices: dated, overridable, honest about what they do not know."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from covey.model import ModelReply, ModelRequest, Round, ToolAnswer, ToolCall, ToolSpec, Usage
from covey.models.prices import FREE, PRICES_DATE, quote
from covey.settings import ADAPTERS, Price


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-4o-mini", (0.15, 0.60)),
        ("gpt-4o-mini-2024-07-18", (0.15, 0.60)),
        ("gpt-4o-2024-11-20", (2.5, 10.0)),
        ("claude-haiku-4-5-20251001", (1.0, 5.0)),
        ("claude-opus-5", (5.0, 25.0)),
        ("claude-opus-5-5", (4.0, 20.0)),
        ("mistral-small-latest", (0.10, 0.30)),
        ("mistral-small-2603", (0.10, 0.30)),
    ],
)
def test_a_listed_name_and_its_dated_forms(model: str, price: tuple[float, float]) -> None:
    found = quote(model, {})
    assert (found.price.input, found.price.output) == price
    assert (found.known, found.warning) == (True, None)
    assert PRICES_DATE in found.source


@pytest.mark.parametrize(
    "model", ["gpt-5-pro", "o1-mini", "gpt-4o-audio", "claude-opus-9", "qwen3", "gpt-5.10", "", "-"]
)
def test_another_model_is_not_a_date(model: str) -> None:
    found = quote(model, {})
    assert not found.known
    assert found.usage(1_000_000, 0).cost_usd is None
    assert "[model.prices]" in (found.warning or "")
    # What is not known is reserved at the dearest price, so that the caps still hold.
    request = ModelRequest("", "x" * 1000, max_tokens=1000)
    assert found.reserve_usd(request) >= quote("o1", {}).reserve_usd(request) > 0


def test_the_operators_price_comes_first() -> None:
    own = {"gpt-4o": Price(1.0, 2.0), "qwen3": Price(0.5, 0.5)}
    assert quote("gpt-4o", own).usage(1_000_000, 1_000_000).cost_usd == pytest.approx(3.0)
    assert quote("gpt-4o-2024-11-20", own).source == "agent.toml"
    assert quote("qwen3", own, free="local").price == Price(0.5, 0.5)
    assert quote("qwen3", {}, free="local").usage(10**6, 10**6).cost_usd == 0.0


def test_long_questions_cost_what_the_list_says() -> None:
    short, long = (
        quote("claude-haiku-5-5", {}).usage(100_000, 0),
        quote("claude-haiku-5-5", {}).usage(100_001, 0),
    )
    assert short.cost_usd == pytest.approx(0.01)
    assert long.cost_usd == pytest.approx(0.0500005)
    own = quote("claude-haiku-5-5", {"claude-haiku-5-5": Price(1.0, 1.0)})
    assert own.usage(1_000_000, 0).cost_usd == pytest.approx(1.0), "the operator's price is what it is"


def test_what_was_not_reported_is_unknown_unless_it_is_free() -> None:
    assert quote("gpt-4o", {}).usage_or_unknown(None, 5).cost_usd is None
    assert quote("llama", {}, free="local").usage_or_unknown(None, None).cost_usd == 0.0
    assert quote("gpt-4o", {}).usage_or_unknown(0, 0).cost_usd == 0.0


def test_a_reserve_covers_the_answer_and_dense_text() -> None:
    found = quote("gpt-4o", {"gpt-4o": Price(1_000_000.0, 0.0)})
    tool = ToolSpec("emit_cmb", "d" * 100, {"type": "object"})
    # A dollar a token: text of one token for two bytes is covered, tools and system included.
    assert found.reserve_usd(ModelRequest("s" * 100, "é" * 1000, (tool,))) >= 1000 + 50 + 50 + 600
    output = quote("gpt-4o", {"gpt-4o": Price(0.0, 1_000_000.0)})
    assert output.reserve_usd(ModelRequest("", "x", max_tokens=77)) == 77.0


def test_every_default_model_has_a_known_price() -> None:
    for facts in ADAPTERS.values():
        if facts.model is not None and facts.key_env is not None:
            assert quote(facts.model, {}).known, facts.model
    assert re.fullmatch(r"20\d\d-\d\d", PRICES_DATE)
    assert Price(0.0, 0.0) == FREE


@pytest.mark.parametrize(
    ("model", "cached", "written"),
    [
        ("claude-haiku-4-5", 0.1, 1.25),
        ("gpt-5.6-luna", 0.02, 0.25),
        ("gpt-5.4", 0.25, 2.5),
        ("gpt-4.1", 0.5, 2.0),
        ("gpt-4o", 1.25, 2.5),
        ("o3", 0.5, 2.0),
        ("mistral-small", 0.1, 0.1),
    ],
)
def test_the_table_knows_what_cached_input_costs(model: str, cached: float, written: float) -> None:
    found = quote(model, {})
    read = found.usage(100_000, 0, cached_tokens=100_000)
    filled = found.usage(100_000, 0, written_tokens=100_000)
    assert read.cost_usd == pytest.approx(cached / 10)
    assert filled.cost_usd == pytest.approx(written / 10)
    assert found.usage(100_000, 0).cost_usd == pytest.approx(found.price.input / 10)
    # What a vendor claims beyond its own total is not believed.
    assert found.usage(100, 0, 500, 500) == found.usage(100, 0, 100, 0)


def test_an_own_price_may_name_the_cache_and_never_undercounts_a_known_surcharge() -> None:
    own = {"claude-x": Price(1.0, 1.0), "claude-y": Price(1.0, 1.0, cached=0.2, written=3.0)}
    assert quote("claude-x", own).usage(10**6, 0, 10**6).cost_usd == pytest.approx(1.0)
    assert quote("claude-x", own).usage(10**6, 0, 0, 10**6).cost_usd == pytest.approx(1.25)
    assert quote("claude-y", own).usage(10**6, 0, 10**6).cost_usd == pytest.approx(0.2)
    assert quote("claude-y", own).usage(10**6, 0, 0, 10**6).cost_usd == pytest.approx(3.0)


def test_a_reserve_covers_a_filled_cache_and_the_rounds_so_far() -> None:
    found = quote("claude-haiku-4-5", {})
    plain = ModelRequest("s" * 4_000, "u", max_tokens=1)
    tokens = 4_001 // 2 + 600
    assert found.reserve_usd(plain) == pytest.approx((tokens * 1.25 + 5.0) / 1e6)
    said = ModelReply("", (ToolCall("1", "t", {}, "r" * 1_000),), Usage(), "tool_use", "m")
    longer = replace(plain, rounds=(Round(said, (ToolAnswer("1", "t", "a" * 3_000),), "x"),))
    more = found.reserve_usd(longer) - found.reserve_usd(plain)
    assert more == pytest.approx(2_001 * 1.25 / 1e6)
