"""stop: what a peer has begun is finished, up to a deadline that one may set."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.fake_model import FakeModel
from tests.e2e.program import ROOM, Program, Running


class SlowModel:
    """A model that says when it was asked and answers when it may."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may_answer = threading.Event()

    def __call__(self, name: str, system: str, user: str) -> dict[str, str]:
        self.asked.set()
        self.may_answer.wait(60)
        return {"focus": "paid for", "commitment": "done"}


@pytest.fixture
def slow() -> Iterator[SlowModel]:
    model = SlowModel()
    yield model
    model.may_answer.set()


def thinking(covey: Program, folder: Path, model: FakeModel, slow: SlowModel) -> Running:
    """Return an agent whose model has been asked and has not answered."""
    path = folder / "agent.toml"
    path.write_text(
        f'[identity]\nname = "writer"\nrole = "writer"\n[mesh]\nroom = "{ROOM}"\n'
        f'[model]\nadapter = "compatible"\nmodel_name = "m"\nbase_url = "{model.url}"\n'
    )
    running = covey.start("run", "--config", str(path), "--json")
    running.event("ready")
    assert covey("observe", "--focus", "a task").code == 0
    assert slow.asked.wait(30)
    return running


def test_defect_stop_does_not_drain(covey: Program, tmp_path: Path, slow: SlowModel) -> None:
    """The Node product was gone in a tenth of a second, and the answer that was paid for with it."""
    with FakeModel(slow) as model, thinking(covey, tmp_path, model, slow) as running:
        stopped = covey("stop", "writer", "--timeout", "45", "--wait", "0", "--json")
        assert (stopped.code, stopped.json) == (0, {"peer": "writer", "accepted": True, "stopped": False})
        assert running.process.poll() is None, "it has accepted, and finishes"
        slow.may_answer.set()
        said = [json.loads(line)["event"] for line in running.lines()]
        assert "agent-emitted" in said
        assert "agent-drain-cut-off" not in said
        assert running.end().code == 0
    found = covey("recall", "writer", "paid", "--json").json["blocks"]
    assert [block["said"]["focus"] for block in found] == ["paid for"]


def test_x18_stop_cuts_off_what_is_not_done_by_the_deadline(
    covey: Program, tmp_path: Path, slow: SlowModel
) -> None:
    with FakeModel(slow) as model, thinking(covey, tmp_path, model, slow) as running:
        began = time.monotonic()
        stopped = covey("stop", "writer", "--timeout", "0.2")
        assert (stopped.code, stopped.out) == (0, "stop accepted: true\nstopped\n")
        assert time.monotonic() - began < 15
        ended = running.end()
        slow.may_answer.set()
    assert ended.code == 0
    events = {event["event"]: event for event in map(json.loads, ended.out.splitlines())}
    assert events["agent-drain-cut-off"]["seconds"] == 0.2
    assert events["ended"]["detail"] == "what was in flight did not finish in time"


def test_a_signal_drains_and_a_second_one_ends_at_once(
    covey: Program, tmp_path: Path, slow: SlowModel
) -> None:
    """A model that never answers holds the drain for 30 seconds; whoever is in a hurry says so twice."""
    with FakeModel(slow) as model, thinking(covey, tmp_path, model, slow) as running:
        running.signal(signal.SIGTERM)
        assert covey("status", "writer", "--json").json["agent"]["in_flight"] == 1, "it drains, and answers"
        began = time.monotonic()
        running.signal(signal.SIGINT)
        ended = running.end()
        assert time.monotonic() - began < 10
        slow.may_answer.set()
    assert (ended.code, ended.err) == (130, "")
    assert "agent-drain-cut-off" not in ended.out
    again = tmp_path / "agent.toml"
    with covey.start("run", "--config", str(again), "--json") as running:
        running.event("ready")
        assert covey("stop", "writer", "--timeout", "0").code == 0, "nothing is left locked or broken"
        assert running.end().code == 0
