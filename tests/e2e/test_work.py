"""Tasks among real processes: killed, stopped and resumed, handed on; each has one accepted result."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.agents import Agent, begins
from tests.e2e.program import Program

Begin = Callable[..., Agent]


@pytest.fixture
def begin(covey: Program) -> Iterator[Begin]:
    with begins("work_peer", covey) as start:
        yield start


def test_s17_tasks_of_a_killed_worker_end_elsewhere_each_once(covey: Program, begin: Begin) -> None:
    lead, one = begin("lead"), begin("one", "work")
    tasks = [lead.submit("work", {"n": n}) for n in range(4)]
    assert {one.event("begun")["task"] for _ in tasks} == set(tasks)
    one.kill()
    two = begin("two", "work")
    two.ask(go=True)
    ended = [lead.result(task) for task in tasks]
    assert {each["value"] for each in ended} == {"done by two"} and {each["tries"] for each in ended} == {1}
    counted = lead.counters()
    assert (counted["task.done"], counted["task.tries-lost"]) == (4, 4)


def test_s17_a_stopped_worker_that_goes_on_is_fenced_off_counted_and_explained(
    covey: Program, begin: Begin, tmp_path: Path
) -> None:
    lead, slow = begin("lead"), begin("slow", "work")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    task = lead.submit("work", {"pipe": {"slow": str(pipe)}})
    slow.event("begun", task=task)
    slow.process.send_signal(signal.SIGSTOP)
    other = begin("other", "work")
    other.ask(go=True)
    first = lead.result(task)
    slow.process.send_signal(signal.SIGCONT)
    assert (first["state"], first["value"], first["fence"]) == ("done", "done by other", 2)
    pipe.write_text("go on")
    slow.event("worked", task=task)
    while "task.fenced-done" not in lead.counters():
        pass  # each look is a round trip to the process
    found = covey("task", "show", "lead", task, "--json").json
    assert found["task"]["value"] == "done by other" and found["proven"] == "holds"
    words = [step["what"] for step in found["task"]["story"]]
    assert words == ["submitted", "granted", "lost", "granted", "done", "fenced"]
    why = found["task"]["story"][-1]["detail"]
    assert "fence 1 is void: lost" in why and "done by other@" in why and "under fence 2" in why
    assert f"result of slow@{slow.node_id} not accepted: fence 1 is void" in covey("trace", "lead", task).out


def test_s17_a_killed_submitter_goes_on_and_its_key_is_not_done_again(covey: Program, begin: Begin) -> None:
    lead, one = begin("lead"), begin("one", "work")
    task = lead.submit("work", {}, key="order-7")
    one.event("begun", task=task)
    lead.kill()
    assert covey("task", "list", "lead", "--json").json["tasks"][0]["state"] == "leased"
    one.ask(go=True)
    one.event("worked")
    again = begin("lead")
    ended = again.result(task)
    assert (ended["value"], ended["fence"], ended["tries"]) == ("done by one", 1, 0)
    assert again.submit("work", {}, key="order-7") == task
    assert one.counters()["task.run.begun"] == 1


def test_s10_s18_s22_commands_submit_wait_show_cancel_and_trace_offline(covey: Program, begin: Begin) -> None:
    lead, mid, one = begin("lead"), begin("mid", "relay"), begin("one", "work")
    done = covey("task", "submit", "lead", "relay", '{"at once": 1}', "--hops", "1", "--wait", "--json")
    assert done.code == 0 and done.json["task"]["value"] == "done by one" and done.json["proven"] == "holds"
    failed = covey("task", "submit", "lead", "fly", "--no-queue", "--wait")
    assert failed.code == 1 and "no capable agent found: nobody can do it" in failed.out
    at_once = covey("task", "submit", "lead", "fly", "--no-queue")
    assert at_once.code == 1 and "no capable agent found: nobody can do it" in at_once.out, "also unwaited"
    waits = covey("task", "submit", "lead", "fly", "--key", "wings", "--json").json["task"]["id"]
    assert "wings" in covey("task", "show", "lead", "wings").out
    listed = covey("task", "list", "lead", "--state", "waiting", "--json").json["tasks"]
    assert [each["id"] for each in listed] == [waits]
    assert covey("task", "cancel", "lead", "wings").code == 0
    assert covey("task", "cancel", "lead", done.json["task"]["id"]).code == 1, "too late: it is done"
    assert covey("task", "show", "lead", waits[:8], "--wait").code == 1
    assert covey("task", "show", "lead", "nothing-here").code == 1
    assert covey("task", "submit", "lead", "work", "{not json").code == 2
    for wrong in (
        ("--within", "nan"),
        ("--within", "inf"),
        ("--try", "0"),
        ("--tries", "0"),
        ("--within", "9e9"),
        ("--hops", "9"),
    ):
        assert covey("task", "submit", "lead", "work", *wrong).code == 2, wrong
    for asked in (
        ("task", "submit", "lead"),
        ("auction", "hold", "lead", "x", "--need"),
        ("capabilities", "--find"),
    ):
        refused = covey(*asked, "a b")
        assert refused.code == 2 and "expected one word of" in refused.err, asked
    assert "did you mean" in covey("task", "list", "lead", "--state", "waitin").err
    assert covey("task", "cancel", "lead", "wings", "--hops", "1").code == 2
    for agent in (lead, mid, one):
        agent.kill()
    task = done.json["task"]["id"]
    assert covey("task", "show", "lead", task, "--json").json["proven"] == "holds", "offline too"
    steps = covey("trace", "lead", task, "--json").json["steps"]
    assert [(step["level"], step["type"], step["recipient"].split("@")[0]) for step in steps] == [
        (0, "TASK", "relay"),
        (1, "TASK_REQUEST", "mid/tasks"),
        (2, "TASK", "work"),
        (3, "TASK_REQUEST", "one/tasks"),
        (4, "TASK_RESULT", "mid/tasks"),
        (2, "TASK_RESULT", "lead/tasks"),
    ]
    shown = covey("trace", "lead", task).out
    assert "under fence 1" in shown and "done by mid@" in shown


WORKER = """
[identity]
name = "wren"
role = "generic"
[role_weights]
focus = 1.0
issue = 1.0
intent = 1.0
motivation = 1.0
commitment = 1.0
perspective = 1.0
mood = 1.0
[mesh]
room = "{room}"
[model]
adapter = "scripted"
[[scripted.rules]]
emit = {{ focus = "heard" }}
[work]
capacity = 2
[work.offers."shout.loud"]
file = "voice.py"
"""


def test_s14_what_agent_toml_offers_is_done_by_its_function(covey: Program, tmp_path: Path) -> None:
    room = f"work-{os.urandom(4).hex()}"
    config = tmp_path / "agent.toml"
    config.write_text(WORKER.format(room=room))
    (tmp_path / "voice.py").write_text("def shout_loud(job):\n    return job.payload.upper() + '!'\n")
    with covey.start("run", "--config", str(config), "--json") as wren, ExitStack() as stack:
        wren.event("ready")
        lead = Agent("work_peer", covey, room, "lead")
        stack.callback(lead.kill)
        ended = lead.result(lead.submit("shout.loud", "hello"))
        assert (ended["value"], ended["by"].split("@")[0]) == ("HELLO!", "wren")
    (tmp_path / "voice.py").write_text("whisper = None")
    broken = covey("run", "--config", str(config))
    assert broken.code == 1 and "has no function shout_loud" in broken.err
