"""What was wrong with the commands of the Node product, each as a test that fails on it.

Some stand with their commands: init and TOML (test_cli_init, test_toml), doctor's missing --fix, folders made
by asking (test_cli_doctor), watch (test_cli_watch), stop (test_cli_stop), names as paths (test_cli_migrate).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from covey import settings
from tests.e2e.program import ROOM, Program, Running

CONFIG = f"""
[identity]
name = "writer"
role = "writer"
[mesh]
room = "{ROOM}"
[model]
adapter = "scripted"
[[scripted.rules]]
emit = {{ focus = "heard" }}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def writer(covey: Program, config: Path) -> Iterator[Running]:
    with covey.start("run", "--config", str(config), "--json") as running:
        running.event("ready")
        yield running


def test_defect_one_line_of_null_ends_the_peer(covey: Program, writer: Running) -> None:
    """A single `null` on the control socket was an uncaught error there."""
    path = covey.home / "run" / "writer.sock"
    for line in (
        b"null\n",
        b"[]\n",
        b"7\n",
        b'"x"\n',
        b'{"cmd": null}\n',
        b'{"cmd": "toString"}\n',
        b"\xff\n",
    ):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(path))
            client.sendall(line)
            answer = json.loads(client.makefile().readline())
            assert answer["ok"] is False, line
    assert covey("status", "writer").code == 0
    assert writer.process.poll() is None


def test_defect_run_takes_a_misspelt_key_for_a_default(covey: Program, config: Path) -> None:
    """`groupp = "x"` ran silently in the default group; only dry-run looked at the schema."""
    config.write_text(CONFIG.replace("room =", "roomm ="))
    for command in ("run", "dry-run"):
        ended = covey(command, "--config", str(config))
        assert ended.code == 1
        assert "mesh.roomm" in ended.out + ended.err
        assert "did you mean `room`?" in ended.out + ended.err
    assert not covey.home.exists()


def test_defect_help_after_a_command_is_the_global_one(covey: Program) -> None:
    ended = covey("status", "writer", "--help")
    assert ended.out.startswith("usage: covey status")
    assert covey("observe", "--focus=--help", "--version").code == 2, "no flag of another place is obeyed"


def test_defect_a_flag_takes_no_equals_sign_and_another_flag_for_its_value(
    covey: Program, config: Path
) -> None:
    assert covey("dry-run", f"--config={config}").code == 0
    ended = covey("dry-run", "--config", "--json")
    assert ended.code == 2
    assert "--config: expected one argument" in ended.err


def test_defect_an_adapter_without_a_model_name_is_asked_for_anothers(covey: Program, config: Path) -> None:
    """A file with ollama and no model asked ollama for claude-opus-4-7."""
    config.write_text(CONFIG.replace('"scripted"', '"ollama"').partition("[[scripted")[0])
    assert "model adapter  — ollama llama3.2:3b" in covey("dry-run", "--config", str(config)).out
    for name, facts in settings.ADAPTERS.items():
        assert facts.model is None or name in ("anthropic",) or "claude" not in facts.model


def test_x02_defect_status_hides_lifetime_peers_breaker_and_what_is_in_flight(
    covey: Program, writer: Running
) -> None:
    said = covey("status", "writer").out
    for row in (
        "peers:",
        "breaker state:",
        "in flight:",
        "lifetime runs:",
        "lifetime cost usd:",
        "run emitted:",
    ):
        assert f"\n{row}" in said, row
    facts = covey("status", "writer", "--json").json["agent"]
    assert facts["lifetime"]["runs"] == 1
    assert facts["breaker"]["state"] == "closed"


def test_defect_a_start_that_fails_is_counted_as_a_run(covey: Program, config: Path, writer: Running) -> None:
    """A second process of one name counted a run, and only then saw that the first one was there."""
    second = covey("run", "--config", str(config))
    assert second.code == 2
    assert 'peer "writer" is already running' in second.err
    assert covey("status", "writer", "--json").json["agent"]["lifetime"]["runs"] == 1


def test_defect_a_dead_socket_is_answered_with_the_systems_own_word(covey: Program) -> None:
    """`connect ECONNREFUSED <path>` was all that was said."""
    covey("keygen", "dead")
    path = covey.home / "run" / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    ended = covey("status", "dead")
    assert ended.code == 1
    assert ended.err.splitlines() == [
        f'covey status: no running peer named "dead": looked at {path}',
        "  no peer runs on this machine",
        "  start one: covey run --config <agent.toml>, or covey listen",
    ]
    assert 'fixable": true' in covey("doctor", "--json").out


def test_defect_trust_is_replaced_in_silence_and_never_taken_back(covey: Program) -> None:
    node, first, second = "01997c00-0000-7000-8000-000000000001", "a" * 64, "b" * 64
    assert covey("trust", "pin", "writer", node, first).code == 0
    refused = covey("trust", "pin", "writer", node, second)
    assert (refused.code, f"fingerprint {first}" in refused.err, "--replace" in refused.err) == (
        1,
        True,
        True,
    )
    replaced = covey("trust", "pin", "writer", node, second, "--replace")
    assert f"given up: {first}" in replaced.out
    assert covey("trust", "remove", "writer", node).code == 0
    assert covey("trust", "list", "writer", "--json").json["trusted"] == []
