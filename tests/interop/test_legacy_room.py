"""A whole covey peer and a stock Node peer in one room: each hears the other, and an agent answers."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from covey import _core
from tests.e2e.program import ROOM, Program
from tests.interop.stock import StockNode, reference, stock_node

CONFIG = """
[identity]
name = "echo"
role = "generic"
[mesh]
room = "ROOM"
profile = "legacy"
stock_peers = ["127.0.0.1:PORT"]
[model]
adapter = "scripted"
[[scripted.rules]]
when = { author = "stock" }
emit = { focus = "heard: {focus}", issue = "an echo", intent = "to answer {author}" }
"""


@pytest.fixture
def covey(tmp_path: Path) -> Program:
    return Program(tmp_path / "covey")


def configured(folder: Path, stock: StockNode) -> Path:
    path = folder / "agent.toml"
    path.write_text(CONFIG.replace("ROOM", ROOM).replace("PORT", str(stock.port)), encoding="utf-8")
    return path


def test_a_stock_peer_that_dials_is_met(covey: Program, tmp_path: Path) -> None:
    with stock_node(reference(), tmp_path / "stock", ROOM) as stock:
        config = configured(tmp_path, stock)
        lines = [
            line for line in config.read_text(encoding="utf-8").splitlines() if "stock_peers" not in line
        ]
        config.write_text("\n".join(lines), encoding="utf-8")
        with covey.start("run", "--config", str(config), "--json") as echo:
            ready = echo.event("ready")
            assert ready["node_id"] > stock.node_id, "made later: the stock peer dials"
            stock.tell_of(ready["node_id"], "echo", ready["port"])
            assert stock.wait("joined")["id"] == ready["node_id"]
            asked = stock.do("remember", categories={"focus": "who is there?"}, to=ready["node_id"])["key"]
            assert echo.event("agent-woke")["keys"] == [asked]


def test_a_stock_peer_of_this_machine_is_found_by_its_own_registry(tmp_path: Path) -> None:
    covey = Program(tmp_path / "home" / "covey")
    with stock_node(reference(), tmp_path / "home", "default") as stock:
        config = tmp_path / "agent.toml"
        kept = [line for line in CONFIG.splitlines() if "stock_peers" not in line]
        config.write_text("\n".join(kept).replace("ROOM", "default"), encoding="utf-8")
        before = sorted((tmp_path / "home" / ".sym").rglob("*"))
        with covey.start("run", "--config", str(config), "--json") as echo:
            node_id = echo.event("ready")["node_id"]
            assert stock.wait("joined")["id"] == node_id
            peers = covey("peers", "echo", "--json").json["peers"]
            assert [(p["name"], p["path"]) for p in peers if p["implementation"] == "legacy"] == [
                ("stock", "stock-registry")
            ]
            stock.do("remember", categories={"focus": "found you"}, to=node_id)
            echo.event("agent-woke")
        assert sorted((tmp_path / "home" / ".sym").rglob("*")) == before, "nothing of ours is written there"


def test_a_key_that_changed_between_two_runs_is_noticed(covey: Program, tmp_path: Path) -> None:
    folder, home = reference(), tmp_path / "stock"
    with (
        stock_node(folder, home, ROOM) as stock,
        covey.start("run", "--config", str(configured(tmp_path, stock)), "--json") as echo,
    ):
        node_id = echo.event("ready")["node_id"]
        assert stock.wait("joined")["id"] == node_id
        stock.do("remember", categories={"focus": "before"}, to=node_id)
        echo.event("agent-woke")
        assert covey("stop", "echo").code == 0 and echo.process.wait(20) == 0
        assert stock.stop() == 0
    (kept,) = covey("trust", "list", "echo", "--json").json["claimed"]
    (identity,) = (home / "state" / "nodes").glob("*/identity.json")
    facts = json.loads(identity.read_text(encoding="utf-8"))
    seed = os.urandom(32)
    facts["privateKey"] = base64.urlsafe_b64encode(seed).rstrip(b"=").decode()
    facts["publicKey"] = base64.urlsafe_b64encode(_core.SigningKey(seed).public_key).rstrip(b"=").decode()
    identity.write_text(json.dumps(facts), encoding="utf-8")
    with stock_node(folder, home, ROOM) as stock:
        assert stock.node_id == kept["node_id"]
        config = configured(tmp_path, stock)
        with covey.start("run", "--config", str(config), "--json") as echo:
            echo.event("ready")
            stock.wait("joined")
            stock.wait("left")
            assert covey("peers", "echo", "--json").json["peers"] == []
            log = covey.home / "logs" / "echo.log"
            said = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
            refused = [line for line in said if line["evt"] == "claim-refused"]
            assert refused and refused[0]["data"]["said_first"] == kept["fingerprint"]


def test_an_agent_wakes_on_a_stock_peers_block_and_is_verified_there(covey: Program, tmp_path: Path) -> None:
    with stock_node(reference(), tmp_path / "stock", ROOM) as stock:
        config = configured(tmp_path, stock)
        with covey.start("run", "--config", str(config), "--json") as echo:
            node_id = echo.event("ready")["node_id"]
            assert stock.wait("joined")["id"] == node_id
            asked = stock.do("remember", categories={"focus": "is it red?"}, to=node_id)["key"]
            assert echo.event("agent-woke")["keys"] == [asked]
            answered = echo.event("agent-emitted")["key"]
            accepted = stock.wait("accepted")
            assert (accepted["key"], accepted["verified"]) == (answered, True)
            assert "focus: heard: is it red?" in accepted["content"]

            status = covey("status", "echo")
            assert "legacy: stock peers prove nothing" in status.out
            chain = covey("trace", "echo", answered, "--json").json["chain"]
            assert [(entry["block"]["key"], entry["block"]["proof"]) for entry in chain] == [
                (answered, "signature"),
                (asked, "legacy"),
            ]
            assert covey("stop", "echo").code == 0
            assert echo.process.wait(20) == 0
            assert echo.process.stderr is not None
            assert echo.process.stderr.read().count("stock Node peers prove nothing") == 1
        assert stock.stop() == 0
