"""The demo as a user runs it: four real processes, real sockets, real stores, read afterwards.

What the public Node product claims and does not do is what is held here: a block that a log calls emitted
arrives at the others, an answer to an own block is heard, one task ends, and numbers are counts of facts.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from covey._core import Store
from covey.cli.demo.scenario import AGENTS, DEFAULT_TASK, OPERATOR, ModelChoice, Run, agent_toml
from covey.settings import load, parse
from tests.e2e.fake_model import FakeModel
from tests.e2e.program import Ended, Program, Running

pytestmark = pytest.mark.timeout(240)


def node_ids(home: Path) -> dict[str, str]:
    return {
        name: json.loads((home / "peers" / name / "identity.json").read_text())["nodeId"]
        for name in (*AGENTS, OPERATOR)
    }


def stores(home: Path) -> dict[str, Store]:
    ids = node_ids(home)
    return {name: Store.open(home / "peers" / name / "store.db", node_id=ids[name]) for name in AGENTS}


def notes(home: Path, name: str, event: str) -> list[dict[str, Any]]:
    """Read what a peer's own log says of one kind of event."""
    lines = (home / "logs" / f"{name}.log").read_text().splitlines()
    return [line["data"] for line in map(json.loads, lines) if line["evt"] == event]


def nobody_left(told: dict[str, Any]) -> bool:
    """Say whether no process runs that has the demo's room in its command line or home."""
    home = told["home"]
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if home in entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"):
                return False
        except OSError:
            continue
    return True


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """Run the scripted demo once; many tests read what it left behind."""
    covey = Program(tmp_path_factory.mktemp("demo") / "home")
    ended = covey("demo", "--adapter", "scripted", "--json")
    assert ended.code == 0, ended.out + ended.err
    return ended.json, Path(ended.json["home"])


def test_x22_the_thread_closes_by_itself_with_a_stated_reason(scripted: tuple[dict[str, Any], Path]) -> None:
    told, _ = scripted
    assert told["outcome"]["reason"] == "thread-closed" and told["ok"]
    ends = {peer["name"]: (peer["end_reason"], peer["exit_code"]) for peer in told["peers"]}
    assert {name: ends[name] for name in AGENTS} == dict.fromkeys(AGENTS, ("thread-closed", 0))
    assert nobody_left(told)


def test_x09_x30_every_block_a_log_calls_emitted_is_in_all_three_stores(
    scripted: tuple[dict[str, Any], Path],
) -> None:
    told, home = scripted
    opened = stores(home)
    emitted = {note["key"]: name for name in AGENTS for note in notes(home, name, "agent-emitted")}
    assert set(emitted.values()) == set(AGENTS) and len(emitted) == 4
    task = next(block for block in told["blocks"] if block["author"] == OPERATOR)
    assert task["said"] == {"focus": DEFAULT_TASK}
    for key in (task["key"], *emitted):
        for name, store in opened.items():
            record = store.record(key)
            assert record is not None, f"{name} does not hold {key}"
            assert record.own == (emitted.get(key) == name)
    assert {name: sorted(facts["holds"]) for name, facts in told["stores"].items()} == dict.fromkeys(
        AGENTS, sorted([task["key"], *emitted])
    )


def test_x09_every_receiver_recorded_its_verdict(scripted: tuple[dict[str, Any], Path]) -> None:
    told, home = scripted
    opened = stores(home)
    for block in told["blocks"]:
        for name, store in opened.items():
            if name == block["author"]:
                continue
            (row,) = [row for row in store.decisions(10, key=block["key"]) if row.kind == "admitted"]
            said, evaluation = block["verdicts"][name], row.evaluation
            assert said["outcome"] == "admitted" and said["decision"] == evaluation.decision
            assert said["total_drift"] == pytest.approx(evaluation.total_drift)


def test_each_closing_block_carries_a_commitment_and_each_agent_closed(
    scripted: tuple[dict[str, Any], Path],
) -> None:
    told, home = scripted
    closing = [block for block in told["blocks"] if block["closing"]]
    assert sorted(block["author"] for block in closing) == sorted(AGENTS)
    assert all(block["said"]["commitment"] for block in closing)
    one = stores(home)["writer"]
    assert all(one.record(block["key"]).categories["commitment"] != "neutral" for block in closing)


def test_an_answer_to_an_own_block_is_heard_and_wakes(scripted: tuple[dict[str, Any], Path]) -> None:
    _, home = scripted
    own = {note["key"] for note in notes(home, "writer", "agent-emitted")}
    heard = [note for note in notes(home, "writer", "agent-heard") if own & set(note["parents"])]
    assert [note["author"] for note in heard] == ["reviewer"]
    assert heard[0]["answers_own"]
    woke = [key for note in notes(home, "writer", "agent-woke") for key in note["keys"]]
    assert heard[0]["key"] in woke


def test_x02_one_task_ends_in_few_calls_and_every_number_is_a_count_of_facts(
    scripted: tuple[dict[str, Any], Path],
) -> None:
    told, home = scripted
    assert told["calls"]["made"] <= told["calls"]["bound"] == 12
    for peer in told["peers"]:
        name = peer["name"]
        if name == OPERATOR:
            continue
        ended = notes(home, name, "agent-run-ended")[0]["tally"]
        assert ended["calls"] == peer["calls"] == len(notes(home, name, "agent-model-call"))
        assert ended["wakes"] == peer["wakes"] == len(notes(home, name, "agent-woke"))
        assert ended["emitted"] == peer["emitted"] == len(notes(home, name, "agent-emitted"))
        assert ended["emitted"] == sum(block["author"] == name for block in told["blocks"])
        assert ended["silent"] == len(notes(home, name, "agent-no-answer"))
        assert ended["heard"] == sum(block["author"] != name for block in told["blocks"])
        assert ended["calls"] == ended["silent"] + ended["emitted"]
        assert ended["cost_usd"] == 0.0 and ended["calls_failed"] == ended["suppressed"] == 0
    assert sum(peer["calls"] for peer in told["peers"]) == told["calls"]["made"]


def test_every_agent_has_an_identity_a_room_and_a_home_of_its_own(
    scripted: tuple[dict[str, Any], Path],
) -> None:
    told, home = scripted
    ids = node_ids(home)
    assert len(set(ids.values())) == 4
    assert {peer["name"]: peer["node_id"] for peer in told["peers"]} == ids
    for name in AGENTS:
        settings = load(home / "peers" / name / "agent.toml")
        assert settings.mesh.room == told["room"] and settings.mesh.room.startswith("demo-")
        assert set(settings.run.participants) == {ids[each] for each in AGENTS}
    assert home.stat().st_mode & 0o777 == 0o700


def test_plain_lines_without_a_terminal_and_the_lineage_at_the_end(covey: Program, tmp_path: Path) -> None:
    ended = covey("demo", "--keep", str(tmp_path / "kept"), OLLAMA_HOST="127.0.0.1:9")
    assert ended.code == 0, ended.out + ended.err
    assert "\x1b" not in ended.out
    lines = ended.out.splitlines()
    assert lines[0].startswith("model: scripted/rules (scripted rules: no model key and no Ollama")
    assert any("writer wakes on cmb-" in line and "answer to its own" in line for line in lines)
    assert any("reviewer judges cmb-" in line and "aligned" in line for line in lines)
    tree = [line for line in lines if " closes its part" in line]
    assert len(tree) == 3 and any("└─" in line for line in tree)
    assert f"holds 5 of 5 blocks in {tmp_path / 'kept' / 'peers' / 'writer' / 'store.db'}" in ended.out
    assert lines[-1].startswith("done: thread-closed")


SCRIPTED = ModelChoice("scripted", "rules", None, "asked for")


def scripted_text(name: str, rule: int) -> dict[str, str]:
    """Return what a rule of the demo's own config says: texts that every receiver admits."""
    settings = parse(agent_toml(name, Run("r", (), SCRIPTED, 12, 60.0)))
    templates = settings.scripted.rules[rule].emit.templates()
    return {category: "".join(map(str, template.pieces)) for category, template in templates.items()}


def sensible(name: str, system: str, user: str) -> dict[str, str] | str:
    """Answer as a model that follows its role would."""
    woke = user.split("What woke you:", 1)[1].split("What it answers", 1)[0]
    if name == "writer":
        if 'by "operator"' in woke:
            return scripted_text("writer", 0)
        return scripted_text("writer", 1) if "test-writer" in user else "waiting for the tests"
    if name == "reviewer":
        return scripted_text("reviewer", 0) if 'by "writer"' in woke else "there is no draft yet"
    return scripted_text("test-writer", 0) if 'by "reviewer"' in woke else "there is no review yet"


@pytest.mark.parametrize("adapter", ["compatible", "openai"])
def test_x07_any_compatible_server_thinks_for_the_three(covey: Program, adapter: str) -> None:
    with FakeModel(sensible) as model:
        key = {"OPENAI_API_KEY": "sk-test-0123456789abcdef"} if adapter == "openai" else {}
        flags = ("--adapter", adapter, "--model", "tiny", "--base-url", model.url)
        ended = covey("demo", *flags, "--json", **key)
    assert ended.code == 0, ended.out + ended.err
    told = ended.json
    assert told["outcome"]["reason"] == "thread-closed"
    assert len(model.requests) == told["calls"]["made"] <= 12
    assert {request["path"] for request in model.requests} == {"/v1/chat/completions"}
    assert all(request["tools"][0]["function"]["name"] == "emit_cmb" for request in model.requests)
    assert sum(peer["input_tokens"] for peer in told["peers"]) == 100 * len(model.requests)
    if adapter == "openai":
        assert {request["key"] for request in model.requests} == {f"Bearer {key['OPENAI_API_KEY']}"}
        left = [path for path in Path(told["home"]).rglob("*") if path.is_file()]
        assert not [path for path in left if key["OPENAI_API_KEY"].encode() in path.read_bytes()]


def test_blocks_that_are_refused_are_named_with_by_whom_and_why(covey: Program) -> None:
    """By a repeat: the memories of a demo are too young to turn away what is foreign."""
    block, decision, why = {"focus": DEFAULT_TASK.upper() + "!"}, "redundant", "too close to a block it holds"

    def stubborn(name: str, system: str, user: str) -> dict[str, str] | str:
        return block if name == "writer" else "there is no draft yet"

    with FakeModel(stubborn) as model:
        ended = covey("demo", "--adapter", "compatible", "--model", "tiny", "--base-url", model.url)
    assert ended.code == 1, ended.out + ended.err
    refusals = [line for line in ended.out.splitlines() if "was not taken by" in line]
    assert len(refusals) == 3, ended.out
    for receiver in ("reviewer", "test-writer", OPERATOR):
        (line,) = [each for each in refusals if f"taken by {receiver}:" in each]
        assert "by writer was" in line and decision in line and why in line
    assert ended.out.splitlines()[-1].startswith("not done: idle")


def test_a_model_that_always_fails_is_a_clear_outcome(covey: Program) -> None:
    with FakeModel(lambda name, system, user: 401) as model:
        key = {"OPENAI_API_KEY": "sk-test-0123456789abcdef"}
        ended = covey("demo", "--adapter", "openai", "--base-url", model.url, "--json", **key)
    told = ended.json
    assert ended.code == 1 and not told["ok"]
    assert told["outcome"]["reason"] == "model-failed" and "openai" in told["outcome"]["detail"]
    assert told["calls"]["made"] == len(model.requests) == 3
    assert nobody_left(told)


def test_x13_a_chatty_model_ends_within_its_calls(covey: Program) -> None:
    counts: dict[str, int] = {}

    def chatty(name: str, system: str, user: str) -> dict[str, str]:
        counts[name] = counts.get(name, 0) + 1
        return {"focus": f"{name} has thought {counts[name]} about durations, units, pairs and whole seconds"}

    with FakeModel(chatty) as model:
        flags = ("--adapter", "compatible", "--model", "tiny", "--base-url", model.url)
        ended = covey("demo", *flags, "--json")
    told = ended.json
    assert len(model.requests) == told["calls"]["made"] <= 12
    assert told["outcome"]["reason"] in ("idle", "budget")
    assert all(peer["emitted"] <= 4 for peer in told["peers"])


def watch(demo: Running, until: str, then: Callable[[], None]) -> tuple[int, str]:
    """Read a demo's lines to its end; do something at the first that has `until` in it."""
    said: list[str] = []
    for line in demo.lines():
        if until in line and not any(until in earlier for earlier in said):
            then()
        said.append(line)
    return demo.process.wait(60), "".join(said)


def test_a_killed_agent_is_named_and_the_others_are_reaped(covey: Program, tmp_path: Path) -> None:
    kept, hold = tmp_path / "kept", threading.Event()

    def kill_the_reviewer() -> None:
        os.kill(int((kept / "peers" / "reviewer" / "lock").read_text()), signal.SIGKILL)
        hold.set()

    with FakeModel(lambda name, system, user: f"let go: {hold.wait(60)}") as model:
        flags = ("--adapter", "compatible", "--model", "tiny", "--base-url", model.url, "--keep", str(kept))
        with covey.start("demo", *flags) as demo:
            code, said = watch(demo, "reviewer wakes", kill_the_reviewer)
    assert code == 1, said
    assert "not done: agent-died: reviewer ended early (killed by signal 9)" in said
    assert nobody_left({"home": str(kept)})


def test_ctrl_c_ends_everything_and_says_so(covey: Program, tmp_path: Path) -> None:
    kept, hold = tmp_path / "kept", threading.Event()
    with FakeModel(lambda name, system, user: f"let go: {hold.wait(60)}") as model:
        flags = ("--adapter", "compatible", "--model", "tiny", "--base-url", model.url, "--keep", str(kept))
        with covey.start("demo", *flags) as demo:

            def interrupt() -> None:
                demo.signal(signal.SIGINT)
                hold.set()

            code, said = watch(demo, "writer wakes", interrupt)
    assert code == 1, said
    assert "not done: interrupted: stopped by SIGINT" in said
    assert nobody_left({"home": str(kept)})


def test_a_demo_that_takes_too_long_gives_up_and_says_so(covey: Program) -> None:
    hold = threading.Event()
    with FakeModel(lambda name, system, user: f"let go: {hold.wait(60)}") as model:
        flags = ("--adapter", "compatible", "--model", "tiny", "--base-url", model.url, "--timeout", "6")
        with covey.start("demo", *flags) as demo:
            code, said = watch(demo, "writer wakes", lambda: threading.Timer(7, hold.set).start())
    assert code == 1, said
    assert "not done: timeout: not finished after 6 s" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--adapter", "gpt"), "--adapter: expected one of"),
        (("--adapter", "compatible"), "needs --model"),
        (("--base-url", "ftp://x", "--model", "m"), "--base-url: expected an http"),
        (("--max-calls", "2"), "--max-calls"),
        (("--task", "  "), "--task: expected"),
    ],
)
def test_wrong_flags_are_named_before_anything_starts(
    covey: Program, words: tuple[str, ...], said: str
) -> None:
    ended: Ended = covey("demo", *words)
    assert ended.code == 2 and said in ended.err
    assert not (covey.home / "demo").exists()


def test_a_missing_key_is_said_with_the_next_step(covey: Program) -> None:
    ended = covey("demo", "--adapter", "openai")
    assert ended.code == 1
    assert "OPENAI_API_KEY is not set" in ended.err and "export OPENAI_API_KEY=" in ended.err


def test_a_terminal_gets_a_live_view_and_the_tree(covey: Program) -> None:
    leader, follower = pty.openpty()
    size = struct.pack("HHHH", 50, 160, 0, 0)
    fcntl.ioctl(follower, termios.TIOCSWINSZ, size)
    env = {**covey.env, "TERM": "xterm-256color"}
    words = covey.words(["demo", "--adapter", "scripted"])
    process = subprocess.Popen(words, env=env, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    shown = bytearray()
    with contextlib.suppress(OSError):  # Linux says EIO when the last writer is gone
        while part := os.read(leader, 65_536):
            shown += part
    os.close(leader)
    assert process.wait(60) == 0
    text = shown.decode()
    assert "\x1b[" in text
    assert "at test-writer" in text and "aligned" in text
    assert text.count("closes its part") >= 3
    assert "done: thread-closed" in text
