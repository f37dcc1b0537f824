"""Stock peers reached through a relay, covey's own and the stock one; and what `null` does to each."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.e2e.program import ROOM, Program, Running
from tests.interop.stock import StockNode, reference, relay_reference, stock_node, stock_relay

TOKEN = "tok-1"
CONFIG = """
[identity]
name = "echo"
role = "generic"
[mesh]
room = "ROOM"
profile = "legacy"
relay = "URL"
[trust]
strangers_may_wake = true
[model]
adapter = "scripted"
[[scripted.rules]]
when = { author = "stock" }
emit = { focus = "heard: {focus}", issue = "an echo", intent = "to answer {author}" }
"""


@pytest.fixture
def covey(tmp_path: Path) -> Program:
    return Program(tmp_path / "covey", COVEY_RELAY_TOKEN=TOKEN)


@contextlib.contextmanager
def own_relay(covey: Program) -> Iterator[str]:
    """Run covey's relay with a token."""
    words = ("relay", "--listen", "127.0.0.1:0", "--json")
    with covey.start(*words, COVEY_RELAY_TOKENS=f"one:{TOKEN}") as running:
        yield running.event("relaying")["url"]


@contextlib.contextmanager
def echo(covey: Program, folder: Path, url: str) -> Iterator[tuple[Running, str]]:
    """Run a covey agent at a relay; give it and its nodeId."""
    path = folder / "agent.toml"
    path.write_text(CONFIG.replace("ROOM", ROOM).replace("URL", url), encoding="utf-8")
    with covey.start("run", "--config", str(path), "--json") as running:
        yield running, running.event("ready")["node_id"]


def exchange(stock: StockNode, running: Running, node_id: str) -> None:
    """Let the stock peer ask, and hear the agent's verified answer."""
    assert stock.wait("joined")["id"] == node_id
    asked = stock.do("remember", categories={"focus": "is it red?"}, to=node_id)["key"]
    assert running.event("agent-woke")["keys"] == [asked]
    answered = running.event("agent-emitted")["key"]
    accepted = stock.wait("accepted")
    assert (accepted["key"], accepted["verified"]) == (answered, True)
    assert "focus: heard: is it red?" in accepted["content"]


def say_null(url: str) -> int | None:
    """Say `null` first; return the close code, or None where the connection just broke."""

    async def talk() -> int | None:
        async with connect(url, compression=None, proxy=None) as connection:
            await connection.send("null")
            with contextlib.suppress(ConnectionClosed):
                await connection.recv()
                await connection.recv()
            return connection.close_code

    return asyncio.run(talk())


def test_a_stock_peer_at_our_relay_hears_and_is_heard(covey: Program, tmp_path: Path) -> None:
    folder = reference()
    with (
        own_relay(covey) as url,
        stock_node(folder, tmp_path / "stock", ROOM, url, TOKEN) as stock,
        echo(covey, tmp_path, url) as (running, node_id),
    ):
        exchange(stock, running, node_id)
        (peer,) = covey("peers", "echo", "--json").json["peers"]
        assert (peer["name"], peer["path"], peer["implementation"]) == ("stock", "relay", "legacy")
        assert say_null(url) == 4002
        stock.begin("mood", mood="tired")
        stock.wait("done")
        again = stock.do("remember", categories={"focus": "and after null?"}, to=node_id)["key"]
        assert running.event("agent-woke")["keys"] == [again]
        assert stock.stop() == 0


def test_a_covey_peer_at_the_stock_relay_hears_and_is_heard(covey: Program, tmp_path: Path) -> None:
    folder = reference()
    with (
        stock_relay(relay_reference(), folder, TOKEN) as (url, relay),
        stock_node(folder, tmp_path / "stock", ROOM, url, TOKEN) as stock,
        echo(covey, tmp_path, url) as (running, node_id),
    ):
        exchange(stock, running, node_id)
        assert stock.stop() == 0
        with contextlib.suppress(ConnectionClosed, OSError):
            say_null(url)
        assert relay.wait(20) != 0, "null ends the stock relay"


def test_two_stock_peers_meet_at_our_relay(covey: Program, tmp_path: Path) -> None:
    folder = reference()
    with (
        own_relay(covey) as url,
        stock_node(folder, tmp_path / "one", ROOM, url, TOKEN, name="one") as one,
        stock_node(folder, tmp_path / "two", ROOM, url, TOKEN, name="two") as two,
    ):
        assert (one.wait("joined")["name"], two.wait("joined")["name"]) == ("two", "one")
        key = one.do("remember", categories={"focus": "through another relay"}, to=two.node_id)["key"]
        accepted = two.wait("accepted")
        assert (accepted["key"], accepted["verified"]) == (key, True)
        assert json.dumps(accepted).count("through another relay") == 1
