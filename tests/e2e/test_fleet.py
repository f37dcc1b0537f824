"""Agents of different processes find, ask and trust each other; one is killed; the tree is read offline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.e2e.program import Program
from tests.e2e.test_node_killed import ROOT

SECONDS = 40


class Agent:
    """One process of tests/e2e/fleet_peer."""

    def __init__(self, covey: Program, room: str, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.fleet_peer", str(covey.home), room, name],
            cwd=ROOT,
            env={**covey.env, "PYTHONPATH": str(ROOT / "python")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.node_id = str(self.event("ready")["node_id"])

    def ask(self, **wish: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(wish) + "\n")
        self.process.stdin.flush()

    def event(self, name: str, **facts: Any) -> dict[str, Any]:
        """Read until an event of this name with these facts."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found: dict[str, Any] = json.loads(line)
            if found["event"] == name and all(found[key] == value for key, value in facts.items()):
                return found
        raise AssertionError(f"ended before {name}")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def begin(covey: Program) -> Iterator[Callable[[str], Agent]]:
    """Start agents in a room of this test's own."""
    room = f"fleet-{os.urandom(4).hex()}"
    with ExitStack() as stack:

        def start(name: str) -> Agent:
            agent = Agent(covey, room, name)
            stack.callback(agent.kill)
            return agent

        yield start


def told(covey: Program, *words: str, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask a command until its answer is as wanted: gossip has no event of its own."""
    for _ in range(SECONDS):
        found = covey(*words, "--json").json
        if enough(found):
            return found
    raise AssertionError(f"{words}: {found}")


def test_s02_s03_s22_s24_s25_agents_of_two_processes_are_found_asked_traced_and_converge(
    covey: Program, begin: Callable[[str], Agent]
) -> None:
    ann, bob = begin("ann"), begin("bob")
    ann.ask(ask="bob")
    answered = ann.event("answered")
    assert answered["payload"] == {"by": "bob", "origin": ann.node_id}

    found = told(covey, "capabilities", "ann", "--find", "only-bob", enough=lambda f: bool(f["agents"]))
    (offer,) = found["agents"]
    assert (offer["nickname"], offer["node_id"], offer["capacity"]) == ("bob", bob.node_id, 2)
    assert "only-bob" in covey("capabilities", "ann").out

    ann.ask(set="shared")
    ann.event("set")
    found = told(
        covey, "converge", "bob", enough=lambda f: any(p["equal"] for s in f["scopes"] for p in s["peers"])
    )
    (lag,) = [peer for scope in found["scopes"] for peer in scope["peers"] if peer["equal"]]
    assert lag["node_id"] == ann.node_id and lag["synced_ms"] is not None and not lag["alarm"]
    assert "equal, last sync" in covey("converge", "bob").out

    ann.kill()
    told(
        covey, "converge", "bob", enough=lambda f: not any(p["here"] for s in f["scopes"] for p in s["peers"])
    )
    assert "ann (away): equal, last sync" in covey("converge", "bob").out, "by name, also when it is gone"
    bob.kill()
    shown = covey("trace", "ann", answered["trace"]).out
    assert "REQUEST ann to bob" in shown and "RESPONSE bob to ann" in shown
    assert "ann: sent to bob" in shown and "bob: heard from ann" in shown
    steps = covey("trace", "bob", answered["trace"][:12], "--json").json["steps"]
    assert [(step["level"], step["type"]) for step in steps] == [(0, "REQUEST"), (1, "RESPONSE")]
    assert covey("trace", "ann", "0123456789ab").code == 2


def test_s02_a_signed_message_reaches_an_agent_that_was_killed_once_it_is_back_and_once(
    covey: Program, begin: Callable[[str], Agent]
) -> None:
    ann, bob = begin("ann"), begin("bob")
    ann.ask(ask="bob")
    ann.event("answered")
    bob.kill()
    ann.ask(sign=f"bob@{bob.node_id}", n=1)
    sent = ann.event("signed")
    assert sent["carried"] == 1
    again = begin("bob")
    assert again.event("worked") == {"event": "worked", "n": 1, "by": ann.node_id}
    assert ann.event("fate", id=sent["id"], state="executed")
    again.kill()
    third = begin("bob")
    ann.ask(sign=f"bob@{bob.node_id}", n=2)
    assert third.event("worked")["n"] == 2, "the first one is not delivered again"
