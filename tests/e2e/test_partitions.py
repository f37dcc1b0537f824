"""Tasks and votes where a cable is pulled: real processes on networks of their own, joined again later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.agents import Agent
from tests.e2e.netns import Inside, Laboratory, inside, laboratory

NAMES = ("lead", "one", "two")
PEER = {"lan": True, "settings": {"mesh": {"interfaces": ["eth0"]}, "trust": {"strangers_may_wake": True}}}


@pytest.fixture
def lab() -> Iterator[Laboratory]:
    """Three machines at one switch."""
    with laboratory() as made:
        made.add(*NAMES, "lan")
        for number, name in enumerate(NAMES, 1):
            made.cable(name, "eth0", "lan", f"to-{name}")
            made.address(name, "eth0", f"10.74.0.{number}/24")
        made.bridge("lan", *(f"to-{name}" for name in NAMES))
        yield made


def begin(lab: Laboratory, stack: ExitStack, folder: Path, name: str, *capabilities: str) -> Agent:
    program = lab.program(name, folder / f"home-{name}", WORK_PEER=json.dumps(PEER))
    agent = Agent("work_peer", program, "lab", name, *capabilities, inside=inside(name))
    stack.callback(agent.kill)
    return agent


def test_s17_s21_a_worker_that_is_cut_off_in_mid_task_comes_back_with_a_result_that_counts_for_nothing(
    lab: Laboratory, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        lead = begin(lab, stack, tmp_path, "lead")
        one = begin(lab, stack, tmp_path, "one", "work")
        task = lead.submit("work", {})
        one.event("begun", task=task)
        lab.ip("lan", "link", "set", "to-one", "down")
        two = begin(lab, stack, tmp_path, "two", "work")
        two.ask(go=True)
        ended = lead.result(task)
        assert (ended["state"], ended["value"], ended["fence"]) == ("done", "done by two", 2)
        one.ask(go=True)  # it works to its end, behind the cut, and has a result to tell
        one.event("worked", task=task)
        lab.ip("lan", "link", "set", "to-one", "up")
        while "task.fenced-done" not in lead.counters():
            pass  # each look is a round trip to the process
        again = lead.result(task)
        assert (again["value"], again["fence"]) == ("done by two", 2), "one result is accepted, for good"
        assert lead.counters()["task.done"] == 1


def called(program: Inside, text: str, quorum: str) -> tuple[int, dict[str, Any]]:
    """Call a vote of all three; return the exit code and the record."""
    words = ("vote", "call", "lead", text, "--option", "yes", "--option", "no", "--seconds", "4")
    voters = [word for name in NAMES for word in ("--voter", name)]
    ended = program(*words, *voters, "--quorum", quorum, "--json")
    record: dict[str, Any] = ended.json["record"]
    return ended.code, record


def test_s11_s21_a_vote_with_a_voter_that_is_cut_off_ends_in_time_and_holds_on_both_sides_of_the_cut(
    lab: Laboratory, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        programs = {
            name: lab.program(name, tmp_path / f"home-{name}", DECIDING_PEER=json.dumps(PEER))
            for name in NAMES
        }
        agents = {}
        for name, program in programs.items():
            agent = Agent("deciding_peer", program, "lab", name, "0", "accept", inside=inside(name))
            stack.callback(agent.kill)
            agents[name] = agent
        for name, program in programs.items():
            for _ in range(60):
                known = program("peers", name, "--json").json["peers"]
                if {each["name"] for each in known if each["paths"]} >= set(NAMES) - {name}:
                    break
        code, record = called(programs["lead"], "before the cut?", "1")
        assert (code, record["outcome"]["counts"], record["outcome"]["missing"]) == (
            0,
            {"yes": 3, "no": 0},
            [],
        )
        lab.ip("lan", "link", "set", "to-two", "down")
        code, decided = called(programs["lead"], "ship it?", "0.6")
        assert (code, decided["outcome"]["kind"], decided["outcome"]["winner"]) == (0, "decided", "yes")
        assert decided["outcome"]["missing"] == [agents["two"].node_id]
        code, undecided = called(programs["lead"], "all of us?", "0.9")
        assert (code, undecided["outcome"]["kind"], undecided["outcome"]["winner"]) == (1, "no-quorum", None)
        lab.ip("lan", "link", "set", "to-two", "up")
        for record in (decided, undecided):
            path = tmp_path / "record.json"
            path.write_text(json.dumps(record))
            for name in ("one", "two"):
                found = programs[name]("vote", "verify", name, "--file", str(path))
                assert found.code == 0 and "holds: 2 ballots" in found.out, (name, found)
