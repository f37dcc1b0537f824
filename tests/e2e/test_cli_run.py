"""dry-run and run over a real agent.toml: named checks, an agent that answers, a stop that drains."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from covey.system.home import Home
from tests.e2e.program import ROOM, Program, Running

CONFIG = """
[identity]
name = "writer"
role = "writer"

[model]
adapter = "scripted"

[[scripted.rules]]
emit = { focus = "heard: {focus}", intent = "answer the question", commitment = "done with it" }
"""
MESH = f'\n[mesh]\nroom = "{ROOM}"\n'
REVIEWER = """
[identity]
name = "reviewer-02"
role = "reviewer"
[mesh]
room = "demo-room"
[model]
adapter = "openai"
model_name = "gpt-4o-mini"
[budget]
max_wakes_per_minute = 5
max_cost_usd_per_run = 2.0
"""


def write(folder: Path, text: str, name: str = "agent.toml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


@pytest.fixture
def writer(covey: Program, tmp_path: Path) -> Iterator[Running]:
    """Run an agent that answers every block by a rule."""
    with covey.start("run", "--config", write(tmp_path, CONFIG + MESH), "--json") as running:
        running.event("ready")
        yield running


def test_x06_dry_run_names_every_check(covey: Program, tmp_path: Path) -> None:
    path = write(tmp_path, REVIEWER)
    ended = covey("dry-run", "--config", path, OPENAI_API_KEY="sk-proj-abcdefghijkl")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "covey dry-run — no mesh join, no model call, no CMB emission",
        f"config: {path}",
        "",
        "  ok    load config  — peer=reviewer-02 room=demo-room adapter=openai",
        "  ok    schema validation  — config matches covey agent.toml schema",
        "  ok    claude-code advisory  — (info) no Claude config found in default locations",
        "  ok    model adapter  — openai gpt-4o-mini (key present)",
        "  ok    SVAF α_f weights  — "
        "focus=1 issue=2.5 intent=1.2 motivation=0.8 commitment=2 perspective=0.5 mood=0.6",
        "  ok    budget sanity  — wakes=5/min cost=$2/run",
        '  ok    role sanity  — role "reviewer" α_f emphasis matches expectations',
        "  ok    cycle depth  — 5",
        "  ok    attach mode  — headless",
        "",
        "PASS — 9/9 checks passed",
        "",
        f"ready to run: `covey run --config {path}`",
    ]
    assert not covey.home.exists(), "a dry run leaves nothing behind"


def test_x06_a_missing_key_fails_and_says_what_to_export(covey: Program, tmp_path: Path) -> None:
    ended = covey("dry-run", "--config", write(tmp_path, REVIEWER))
    assert ended.code == 1
    line = next(line for line in ended.out.splitlines() if "model adapter" in line)
    assert line.startswith("  FAIL  model adapter  — ")
    assert "OPENAI_API_KEY is not set" in line
    assert "export OPENAI_API_KEY=sk-proj-..." in line
    assert ended.out.splitlines()[-1] == "FAIL — 8/9 checks passed"
    assert ended.err.splitlines()[1].startswith("dry-run found issues — fix the FAIL line(s) above")


def test_x06_a_warning_is_no_failure(covey: Program, tmp_path: Path) -> None:
    weights = "\n".join(
        f"{name} = 1.0"
        for name in ("focus", "issue", "intent", "motivation", "commitment", "perspective", "mood")
    )
    claude = {"mcpServers": {"claude-sym-mesh": {"env": {"SYM_GROUP": "default", "SYM_NODE_NAME": "writer"}}}}
    (tmp_path / ".claude.json").write_text(json.dumps(claude))
    path = write(tmp_path, CONFIG.replace("[model]", f"[role_weights]\n{weights}\n[model]"))
    found = covey("dry-run", "--config", path, "--json")
    assert found.code == 0
    assert (found.json["ok"], found.json["passed"], found.json["warnings"]) == (True, 9, 2)
    states = {check["name"]: (check["state"], check["detail"]) for check in found.json["checks"]}
    assert states["role sanity"] == ("warn", '(warn) role "writer" α_f mismatch: intent=1, focus=1')
    assert states["claude-code advisory"][0] == "warn"
    assert "PASS — 9/9 checks passed, 2 with a warning" in covey("dry-run", "--config", path).out


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        ("not json", "is not valid JSON"),
        ("[]", 'has no "claude-sym-mesh" MCP server entry'),
        ('{"mcpServers": {"claude-sym-mesh": {}}}', "room=default name=(its own)"),
        (
            '{"mcpServers": {"claude-sym-mesh": {"env": {"SYM_GROUP": "x"}}}}',
            'sits in room "x", this peer in',
        ),
    ],
)
def test_whatever_stands_in_claudes_own_file_is_only_advice(
    covey: Program, tmp_path: Path, content: str, detail: str
) -> None:
    (tmp_path / ".claude.json").write_text(content)
    ended = covey("dry-run", "--config", write(tmp_path, CONFIG))
    assert ended.code == 0
    assert detail in ended.out


@pytest.mark.parametrize("command", ["dry-run", "run"])
def test_every_problem_of_a_config_is_named_with_its_line(
    covey: Program, tmp_path: Path, command: str
) -> None:
    text = CONFIG.replace('role = "writer"', 'role = "writer"\nrol = 1') + "\n[mesh]\ngroupp = 1\nlan = 7\n"
    path = write(tmp_path, text)
    ended = covey(command, "--config", path)
    said = ended.out + ended.err
    assert ended.code == 1
    for key in ("identity.rol", "mesh.groupp", "mesh.lan"):
        name = key.split(".")[1]
        line = next(
            number for number, each in enumerate(text.splitlines(), 1) if each.startswith(f"{name} =")
        )
        assert re.search(rf"{re.escape(path)}:{line}: {key}: ", said), said
    assert not covey.home.exists(), "a config that cannot be used changes nothing"


@pytest.mark.parametrize("command", ["dry-run", "run"])
@pytest.mark.parametrize(("content", "word"), [(None, "none.toml"), ("a = = 1", "TOML"), ("", "identity")])
def test_a_config_that_is_none_is_named(
    covey: Program, tmp_path: Path, command: str, content: str | None, word: str
) -> None:
    path = tmp_path / "none.toml"
    if content is not None:
        path.write_text(content)
    ended = covey(command, "--config", str(path))
    assert ended.code == 1
    assert str(path) in ended.out + ended.err
    assert word in ended.out + ended.err


def test_an_agent_answers_and_the_answer_has_its_parent(covey: Program, writer: Running) -> None:
    with covey.start("listen", "--json") as listener:
        listener.event("listening")
        listener.event("peer-joined")
        asked = covey("observe", "--focus", "what is the plan", "--peer", "listener", "--json").json
        answer = listener.event("delivered")["delivery"]["block"]
        assert answer["author"] == "writer"
        assert answer["parents"] == [asked["block"]["key"]]
        assert answer["categories"]["focus"] == "heard: what is the plan"
        status = covey("status", "writer", "--json").json
    assert status["agent"]["run"]["emitted"] == 1
    assert status["agent"]["lifetime"]["calls"] == 1
    shown = covey("status", "writer").out
    assert "lifetime emitted:" in shown
    assert "breaker state:" in shown
    cost = covey("cost", "writer", "--json").json
    assert cost["peer"] == "writer"
    assert cost["run"]["calls"] == 1
    tree = covey("trace", "writer", answer["key"]).out.splitlines()
    assert [line.partition(" by ")[2].partition(" |")[0] for line in tree[1:-1]] == ["writer", "listener"]
    assert tree[-1].startswith("still about its root ")


def test_x18_stop_lets_the_agent_finish(covey: Program, writer: Running) -> None:
    assert covey("stop", "writer", "--json").json == {"peer": "writer", "accepted": True, "stopped": True}
    ended = writer.end()
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out.splitlines()[-1])["event"] == "ended"
    assert not Home.resolve(covey.env).socket_path("writer").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_an_agent_in_good_order(
    covey: Program, writer: Running, number: signal.Signals
) -> None:
    writer.signal(number)
    ended = writer.end()
    assert (ended.code, ended.err) == (0, "")


def test_x16_a_second_run_of_one_peer_ends_with_2_and_changes_nothing(
    covey: Program, writer: Running, tmp_path: Path
) -> None:
    before = covey("status", "writer", "--json").json
    second = covey("run", "--config", str(tmp_path / "agent.toml"))
    assert second.code == 2
    assert f'peer "writer" is already running (process {writer.process.pid})' in second.err
    after = covey("status", "writer", "--json").json
    assert after["pid"] == before["pid"]
    assert after["agent"]["lifetime"] == before["agent"]["lifetime"]


def test_x25_the_log_is_json_lines_without_secrets(covey: Program, tmp_path: Path) -> None:
    own = tmp_path / "own.log"
    text = CONFIG + MESH + f'\n[logging]\nlevel = "debug"\nfile_path = "{own}"\n'
    with covey.start("run", "--config", write(tmp_path, text), "--json") as running:
        running.event("ready")
        covey("observe", "--focus", "key sk-ant-abcdefgh12345678")
        running.event("agent-emitted")
        covey("stop", "writer")
        running.end()
    for path in (own, Home.resolve(covey.env).log_path("writer")):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert {"ts", "level", "evt", "peer", "data"} == set().union(*lines)
        assert {line["peer"] for line in lines} == {"writer"}
        assert "abcdefgh12345678" not in path.read_text()


def test_a_peer_is_ready_before_its_models_library_is_loaded(covey: Program, tmp_path: Path) -> None:
    text = REVIEWER.replace("[model]", '[model]\napi_key = "sk-proj-abcdefghijkl"')
    with covey.start("run", "--config", write(tmp_path, text), "--json") as running:
        assert running.event("ready")["model"] == "openai/gpt-4o-mini"
        assert covey("status", "reviewer-02", "--json").json["agent"]["role"] == "reviewer"
        covey("stop", "reviewer-02")
        ended = running.end()
    assert ended.code == 0
    assert "abcdefghijkl" not in ended.out + ended.err


@pytest.mark.parametrize("name", ["nope0", "192.0.2.77"])
def test_dry_run_names_an_interface_that_is_not_here(covey: Program, tmp_path: Path, name: str) -> None:
    text = CONFIG + MESH + f'lan = true\ninterfaces = ["{name}"]\n'
    ended = covey("dry-run", "--config", write(tmp_path, text))
    (line,) = [line for line in ended.out.splitlines() if "interfaces" in line]
    assert (ended.code, f"(warn) not here now: {name}" in line) == (0, True), ended.out
    assert "only this machine reaches the peer" in line and "; here: " in line
