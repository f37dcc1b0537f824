"""Scenarios as processes, with rules in the place of their vendors' models; and the runbook for two hosts."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.e2e.program import ROOM, Program
from tests.tidy import tree

SCENARIOS = tree.ROOT / "examples/scenarios"
MODEL = re.compile(r"\[model\]\n.*?\n\n", re.DOTALL)
ANSWERS = {
    "writer": ("observer", "a draft of the function", ""),
    "reviewer": ("writer-01", "an issue with the draft", ""),
    "test-writer": ("reviewer-01", "checks for that issue", "the checks cover it"),
}
"""Whom each answers, and with what: a chain, so that every step needs the one before."""


def scripted(text: str, author: str, focus: str, commitment: str) -> str:
    """Return a configuration with one rule in the place of its model, in this run's room."""
    said = f'focus = "{focus}"' + (f', commitment = "{commitment}"' if commitment else "")
    rule = f'\n[[scripted.rules]]\nwhen = {{ author = "{author}", max_times = 1 }}\nemit = {{ {said} }}\n'
    plain = MODEL.sub('[model]\nadapter = "scripted"\n\n', text)
    return re.sub(r'room = "[^"]+"', f'room = "{ROOM}"', plain) + rule


def test_writer_reviewer_and_test_writer_work_on_one_task(covey: Program, tmp_path: Path) -> None:
    running = {}
    try:
        for name, answer in ANSWERS.items():
            config = tmp_path / f"{name}.toml"
            config.write_text(scripted((SCENARIOS / f"{name}.toml").read_text(), *answer))
            running[name] = covey.start("run", "--config", str(config), "--json")
        for each in running.values():
            each.event("ready")
        for name in ANSWERS:
            while len(covey("peers", f"{name}-01", "--json").json["peers"]) < 2:
                pass
        task = covey("observe", "--focus", "design parse_duration", "--json").json["block"]["key"]
        parents = [task]
        for name, (_, focus, _) in ANSWERS.items():
            emitted = running[name].event("agent-emitted")
            assert emitted["categories"]["focus"] == focus and emitted["parents"] == parents
            parents = [emitted["key"]]
        chain = covey("trace", "writer-01", parents[0], "--json").json["chain"]
        assert chain[-1]["block"]["key"] == task and len(chain) == 4
    finally:
        for each in running.values():
            each.__exit__(None, None, None)


def test_the_runbook_for_two_hosts_does_what_it_promises(covey: Program, tmp_path: Path) -> None:
    """Two homes stand for two hosts, loopback for the network: only how addresses are found differs."""
    second = Program(tmp_path / "second/home")
    (tmp_path / "second").mkdir()
    assert "HEALTHY" in covey("doctor").out
    writer, reviewer = tmp_path / "writer.toml", tmp_path / "second/reviewer.toml"
    words = ("init", "writer", "--role", "writer", "--room", ROOM, "--adapter", "scripted")
    assert covey(*words, "--out", str(writer)).code == 0
    answer = (
        '\n[[scripted.rules]]\nwhen = { author = "reviewer", max_times = 1 }\nemit = { focus = "mended" }\n'
    )
    writer.write_text(writer.read_text() + answer)
    with covey.start("run", "--config", str(writer), "--json") as first:
        port = first.event("ready")["port"]
        invite = tmp_path / "invite.txt"
        told = covey("invite", "writer", "--once", "--out", str(invite), "--address", f"127.0.0.1:{port}")
        assert told.code == 0, told.err
        joined = second(
            "join", "--file", str(invite), "--name", "reviewer", "--config", str(reviewer), "--yes"
        )
        assert joined.code == 0, joined.err
        assert covey("fingerprint", "writer", "--json").json["fingerprint"] in joined.out + joined.err
        made = re.sub(r"(?s)\[scripted\].*", "", reviewer.read_text())
        rule = '[[scripted.rules]]\nwhen = { author = "writer", max_times = 1 }\n'
        rule += 'emit = { issue = "which inputs?" }\n'
        reviewer.write_text(made + rule)
        began = time.monotonic()
        with second.start("run", "--config", str(reviewer), "--json") as other:
            other.event("ready")
            while not any(each["trusted"] for each in covey("peers", "writer", "--json").json["peers"]):
                assert time.monotonic() - began < 30
            seed = covey(
                "observe", "--room", ROOM, "--peer", "writer", "--focus", "which inputs break it?", "--json"
            )
            answer_key = other.event("agent-emitted")["key"]
            assert first.event("agent-emitted")["parents"] == [answer_key]
            chain = second("trace", "reviewer", answer_key, "--json").json["chain"]
            assert [each["block"]["key"] for each in chain] == [answer_key, seed.json["block"]["key"]]
            for program, name, process in ((covey, "writer", first), (second, "reviewer", other)):
                began = time.monotonic()
                assert program("stop", name).code == 0
                assert process.process.wait(20) == 0
                assert time.monotonic() - began < 5
