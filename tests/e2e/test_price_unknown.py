"""A model whose price nobody knows: said before and at the start, held at an assumed price, never free."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import covey as package
from tests.e2e.fake_model import FakeModel
from tests.e2e.program import ROOM, Program

MODEL = "gpt-unheard-of"
SAYS = (
    f"no price known for model {MODEL}: its cost is shown as unknown and its calls are held against the caps "
    "at 15/60 USD per million tokens; set [model.prices] "
    f'"{MODEL}" = {{ input = …, output = … }}'
)
LEAST = (600 * 15 + 20 * 60) / 1e6
"""USD that a call of 20 tokens is reserved at, with not a word asked."""


def config(folder: Path, url: str, cap: float, more: str = "") -> str:
    path = folder / "agent.toml"
    path.write_text(
        f'[identity]\nname = "writer"\nrole = "writer"\n[mesh]\nroom = "{ROOM}"\n'
        '[model]\nadapter = "openai"\n'
        f'model_name = "{MODEL}"\nbase_url = "{url}"\napi_key = "k"\nmax_tokens_per_call = 20\n{more}'
        f"[budget]\nmax_cost_usd_per_run = {cap}\n"
    )
    return str(path)


def test_x03_dry_run_and_doctor_warn_and_an_own_price_ends_it(covey: Program, tmp_path: Path) -> None:
    path = config(tmp_path, "http://127.0.0.1:9/v1", 1.0)
    told = covey("dry-run", "--config", path)
    assert told.code == 0
    assert f"  warn  model price  — (warn) {SAYS}" in told.out.splitlines()
    assert "checks passed, 1 with a warning" in told.out
    found = covey("doctor", "--config", path, "--json").json["findings"]
    assert [each["state"] for each in found if each["name"] == "model price"] == ["warn"]
    path = config(
        tmp_path, "http://127.0.0.1:9/v1", 1.0, f'[model.prices]\n"{MODEL}" = {{ input=1, output=1 }}\n'
    )
    assert "model price" not in covey("dry-run", "--config", path).out


def test_x13_its_calls_are_counted_at_their_whole_reserve(covey: Program, tmp_path: Path) -> None:
    with FakeModel(lambda name, system, user: {"focus": "noted", "intent": "report"}) as model:
        path = config(tmp_path, model.url, 1.0)
        with covey.start("run", "--config", path, "--json") as writer:
            assert writer.event("agent-price-unknown")["detail"] == SAYS
            writer.event("ready")
            assert covey("observe", "--focus", "count the open invoices", "--json").code == 0
            writer.event("agent-emitted")
            cost = covey("cost", "writer", "--json").json["run"]
            assert (cost["calls"], cost["cost_usd"]) == (1, 0.0)
            assert LEAST < cost["assumed_usd"] < 1.0, "what it may have cost counts, though nobody knows it"
            assert covey("stop", "writer").code == 0
            assert writer.process.wait(20) == 0
    log = (covey.home / "logs" / "writer.log").read_text().splitlines()
    kept = [line for line in map(json.loads, log) if line["evt"] == "agent-price-unknown"]
    assert [(line["level"], line["data"]["reason"]) for line in kept] == [("warn", "price-unknown")]


def test_x13_a_cap_below_the_reserve_lets_no_call_through(covey: Program, tmp_path: Path) -> None:
    with FakeModel(lambda name, system, user: {"focus": "noted", "intent": "report"}) as model:
        path = config(tmp_path, model.url, round(LEAST - 0.0001, 6))
        with covey.start("run", "--config", path, "--json") as writer:
            writer.event("ready")
            assert covey("observe", "--focus", "count the open invoices", "--json").code == 0
            assert writer.event("agent-wake-kept")["reason"] == "cost-run"
            assert writer.event("ended")["reason"] == "budget"
    assert model.requests == []


def test_a_peer_from_python_says_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")

    async def live() -> None:
        agent = package.Agent(f"openai/{MODEL}")
        async with package.Peer("ann", room=ROOM, agent=agent, home=tmp_path / "home"):
            pass

    asyncio.run(live())
    logs = (tmp_path / "home" / "logs" / "ann.log").read_text()
    assert "agent-price-unknown" in logs and "15/60 USD" in logs
