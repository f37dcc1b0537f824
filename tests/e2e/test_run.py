"""`covey run` as a process: it joins, wakes, answers, answers for itself, and ends as it was told to."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.fake_model import FakeModel
from tests.e2e.program import ROOM, Program, Running

CONFIG = """
[identity]
name = "echo"
role = "generic"
[mesh]
room = "ROOM"
[model]
adapter = "scripted"
[[scripted.rules]]
when = { author = "observer" }
emit = { focus = "heard: {focus}", commitment = "echoed for {author}" }
""".replace("ROOM", ROOM)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def echo(covey: Program, config: Path) -> Iterator[Running]:
    with covey.start("run", "--config", str(config), "--json") as running:
        yield running


def ask(covey: Program, focus: str) -> str:
    said = covey("observe", "--focus", focus, "--json")
    assert said.code == 0, said.out + said.err
    return str(said.json["block"]["key"])


def test_it_is_ready_wakes_answers_and_says_each_step(covey: Program, echo: Running) -> None:
    ready = echo.event("ready")
    assert (ready["peer"], ready["room"], ready["model"]) == ("echo", ROOM, "scripted/rules")
    task = ask(covey, "one two three")
    assert echo.event("agent-woke")["keys"] == [task]
    answer = echo.event("agent-emitted")
    assert answer["parents"] == [task] and answer["closing"] is True
    assert answer["categories"] == {"focus": "heard: one two three", "commitment": "echoed for observer"}


def test_x01_status_cost_trace_and_stop_work_on_it(covey: Program, echo: Running) -> None:
    echo.event("ready")
    task = ask(covey, "one two three")
    key = echo.event("agent-emitted")["key"]
    status = covey("status", "echo", "--json").json
    assert status["agent"]["model"] == "scripted/rules"
    assert status["agent"]["run"]["emitted"] == status["agent"]["lifetime"]["emitted"] == 1
    assert status["agent"]["wakes"]["minute"] == 1
    cost = covey("cost", "echo", "--json").json
    assert cost["run"]["calls"] == 1 and cost["run"]["cost_usd"] == 0.0 and cost["cost_caps"]["run"] == 5.0
    chain = covey("trace", "echo", key, "--json").json["chain"]
    assert [entry["block"]["key"] for entry in chain] == [key, task]
    stopped = covey("stop", "echo")
    assert stopped.code == 0
    assert echo.event("ended")["reason"] == "stop"
    assert echo.process.wait(20) == 0


def test_x17_the_same_block_wakes_it_once_also_after_a_restart(covey: Program, config: Path) -> None:
    with covey.start("run", "--config", str(config), "--json") as first:
        first.event("ready")
        task = ask(covey, "only once")
        first.event("agent-emitted")
        first.signal(signal.SIGTERM)
        assert first.event("ended")["reason"] == "SIGTERM"
        assert first.process.wait(20) == 0
    with covey.start("run", "--config", str(config), "--json") as second:
        second.event("ready")
        other = ask(covey, "something else")
        assert second.event("agent-woke")["keys"] == [other] != [task]
        lifetime = covey("status", "echo", "--json").json["agent"]["lifetime"]
        assert lifetime["runs"] == 2


def test_x16_a_second_run_of_one_peer_is_refused_with_exit_2(
    covey: Program, config: Path, echo: Running
) -> None:
    echo.event("ready")
    again = covey("run", "--config", str(config))
    assert again.code == 2
    assert 'peer "echo" is already running' in again.err and "covey stop echo" in again.err


def test_what_the_agent_decides_can_be_listened_to(covey: Program, echo: Running) -> None:
    echo.event("ready")
    with covey.start("listen", "echo", "--json") as listener:
        listener.event("listening")
        ask(covey, "for the listener")
        assert listener.event("agent-emitted")["categories"]["focus"] == "heard: for the listener"


def test_x25_its_log_is_json_lines_with_the_emitted_id_and_without_the_key(
    covey: Program, tmp_path: Path
) -> None:
    secret = "sk-test-0123456789abcdef"
    path = tmp_path / "agent.toml"
    with FakeModel(lambda name, system, user: {"focus": "answer"}) as model:
        text = CONFIG.replace('adapter = "scripted"', f'adapter = "openai"\nbase_url = "{model.url}"')
        path.write_text(text[: text.index("[[")])
        with covey.start("run", "--config", str(path), "--json", OPENAI_API_KEY=secret) as running:
            running.event("ready")
            ask(covey, "a question")
            key = running.event("agent-emitted")["key"]
            running.signal(signal.SIGTERM)
            running.event("ended")
            running.process.wait(20)
    raw = (covey.home / "logs" / "echo.log").read_text()
    lines = [json.loads(line) for line in raw.splitlines()]
    assert all({"ts", "level", "evt", "peer"} <= line.keys() for line in lines)
    assert [line["data"]["key"] for line in lines if line["evt"] == "agent-emitted"] == [key]
    assert secret not in raw


def test_a_person_sees_short_lines(covey: Program, config: Path) -> None:
    with covey.start("run", "--config", str(config)) as running:
        lines = running.lines()
        assert next(lines) == f"echo is in room {ROOM} with scripted/rules\n"
        ask(covey, "hello")
        woke, emitted = next(lines), next(lines)
        assert woke.startswith("woke: keys ['cmb-") and emitted.startswith("emitted: key cmb-")
        running.signal(signal.SIGINT)
        assert next(lines) == "ended: SIGINT\n"
        assert running.process.wait(20) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot"),
        ("[identity", "TOML"),
        (CONFIG.replace("room", "rooom"), "rooom"),
        (CONFIG.replace('"scripted"', '"openai"'), "OPENAI_API_KEY is not set"),
    ],
    ids=["missing", "not-toml", "unknown-key", "no-key"],
)
def test_a_config_that_cannot_be_used_is_named_and_nothing_is_made(
    covey: Program, tmp_path: Path, text: str | None, said: str
) -> None:
    path = tmp_path / "agent.toml"
    if text is not None:
        path.write_text(text)
    ended = covey("run", "--config", str(path))
    assert ended.code == 1 and said in ended.err
    assert not covey.home.exists()
