"""Shared state between real processes: it converges, also over others, and survives being killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.e2e.program import Program, Running
from tests.e2e.test_node_killed import ROOT


class Sharing:
    """One process of tests/e2e/state_peer."""

    def __init__(self, folder: Path, number: int, *ports: int) -> None:
        words = [sys.executable, "-m", "tests.e2e.state_peer", str(folder), str(number), *map(str, ports)]
        self.process = subprocess.Popen(
            words,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT / "python")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self.event("ready")["port"])

    def ask(self, **request: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def event(self, name: str) -> dict[str, Any]:
        """Read until the next event of this name."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found: dict[str, Any] = json.loads(line)
            if found["event"] == name:
                return found
        raise AssertionError(f"ended before {name}")

    def answer(self, **request: Any) -> dict[str, Any]:
        self.ask(**request)
        found: dict[str, Any] = self.event("answer")["answer"]
        return found

    def reads(self, name: str, value: object) -> None:
        """Wait, change by change, until a name holds a value."""
        while True:
            found = self.answer(op="get", name=name)["found"]
            if found is not None and found["value"] == value:
                return
            self.event("state")

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def listening(covey: Program, name: str) -> Running:
    running = covey.start("listen", name, "--json")
    running.event("listening")
    return running


def met(covey: Program, *names: str) -> None:
    """Wait until each of these peers is connected to all others; news of that may come before it listens."""
    for name in names:
        while len(covey("peers", name, "--json").json["peers"]) < len(names) - 1:
            pass


def eventually(covey: Program, peer: str, name: str, value: object) -> float:
    """Wait, change by change, until a value is readable; return how long it took."""
    began = time.monotonic()
    with covey.start("state", "watch", peer, "--json") as watching:
        watching.event("watching")
        while True:
            found = covey("state", "get", peer, name, "--json").json["found"]
            if found is not None and found["value"] == value:
                return time.monotonic() - began
            watching.event("state")


def test_a02_what_one_peer_sets_the_others_read(covey: Program) -> None:
    with ExitStack() as stack:
        ann = stack.enter_context(listening(covey, "ann"))
        stack.enter_context(listening(covey, "bob"))
        ann.event("peer-joined")
        assert covey("state", "set", "ann", "title", '{"plan": 1}').code == 0
        seconds = eventually(covey, "bob", "title", {"plan": 1})
        sys.stdout.write(f"readable after {seconds * 1000:.0f} ms, starting two commands included\n")
        assert covey("state", "incr", "bob", "n", "5").code == 0
        eventually(covey, "ann", "n", 5)
        peers = covey("state", "status", "ann", "--json").json["scopes"][0]["peers"]
        assert [peer["name"] for peer in peers] == ["bob"]
        assert "bob:" in covey("state", "status", "ann").out
        assert covey("state", "get", "ann", "nothing").code == 1
        assert covey("state", "set", "ann").code == 2
        assert covey("state", "incr", "ann", "n", "much").code == 2
        over = covey("state", "spend", "ann", "tokens", "1", "--json")
        assert (over.code, over.json["error"]["code"]) == (1, "over_budget")
        assert covey("state", "get", "ann", "x", "--scope", "room:other").code == 1


def test_a11_the_ends_of_a_chain_converge_over_the_middle(tmp_path: Path) -> None:
    with ExitStack() as stack:
        middle = Sharing(tmp_path, 2)
        stack.callback(middle.end)
        ends = [Sharing(tmp_path, number, middle.port) for number in (1, 3)]
        for end in ends:
            stack.callback(end.end)
        ends[0].answer(op="set", name="x", value="from one end")
        ends[1].reads("x", "from one end")
        ends[1].answer(op="add", name="s", element="e")
        ends[1].answer(op="set", name="y", value=2)
        ends[0].reads("y", 2)
        status = ends[0].answer(op="status")
        assert [peer["name"] for peer in status["scopes"][0]["peers"]] == ["peer-2"], "the ends never met"
        assert status["refused"] == []
        # A12: with the middle gone, each end still reads and writes (A09).
        middle.end()
        ends[0].answer(op="set", name="alone", value=True)
        ends[0].reads("alone", True)


def test_kill_9_in_the_middle_of_writes_loses_nothing_acknowledged(tmp_path: Path) -> None:
    other = Sharing(tmp_path, 2)
    acknowledged = 0
    try:
        for life in range(3):
            writer = Sharing(tmp_path, 1, other.port)
            if acknowledged:
                writer.reads(f"k{acknowledged - 1}", acknowledged - 1)
            for number in range(acknowledged, acknowledged + 60):
                writer.ask(op="set", name=f"k{number}", value=number)
            for _ in range(20 + life):
                answer = writer.event("answer")
                assert answer["answer"]["durable"], answer
                acknowledged += 1
            writer.process.kill()  # in the middle of the rest
            writer.process.communicate()
        writer = Sharing(tmp_path, 1, other.port)
        held = {entry["name"] for entry in writer.answer(op="list")["entries"]}
        assert {f"k{number}" for number in range(acknowledged)} <= held
        writer.answer(op="set", name="last", value="word")
        other.reads("last", "word")
        for number in range(acknowledged):
            other.reads(f"k{number}", number)
        assert other.answer(op="status")["refused"] == [], "no number was used twice"
        writer.end()
    finally:
        other.end()
