"""Programs of tests that are agents: processes that are asked by JSON lines and answer by events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.e2e.program import Program
from tests.e2e.test_node_killed import ROOT


class Agent:
    """One process of a module of tests/e2e, such as `work_peer`.

    Args:
        module: Its name there.
        covey: Where its home is, and what its environment holds.
        room: The room it sits in.
        name: Its name.
        words: Further arguments.
        inside: The words that start it somewhere else, such as in a network namespace.
    """

    def __init__(
        self, module: str, covey: Program, room: str, name: str, *words: str, inside: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [*inside, sys.executable, "-m", f"tests.e2e.{module}", str(covey.home), room, name, *words],
            cwd=ROOT,
            env={**covey.env, "PYTHONPATH": str(ROOT / "python")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.node_id = str(self.event("ready")["node_id"])

    def ask(self, **wish: Any) -> None:
        """Write one line."""
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
        raise AssertionError(f"{self.name} ended before {name}")

    def submit(self, capability: str, payload: Any, **options: Any) -> str:
        """Submit a task; return its id."""
        self.ask(submit=capability, payload=payload, **options)
        return str(self.event("submitted")["task"])

    def result(self, task: str) -> dict[str, Any]:
        """Wait for a task's end."""
        self.ask(result=task)
        return self.event("ended")

    def counters(self) -> dict[str, Any]:
        """Return what it has counted of tasks."""
        self.ask(counters=True)
        return self.event("counters")

    def kill(self) -> None:
        """Kill the process, and read what it still said."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def begins(module: str, covey: Program) -> Iterator[Callable[..., Agent]]:
    """Give what starts agents in a room of this test's own; they end with it."""
    room = f"agents-{os.urandom(4).hex()}"
    with ExitStack() as stack:

        def start(name: str, *words: str) -> Agent:
            agent = Agent(module, covey, room, name, *words)
            stack.callback(agent.kill)
            return agent

        yield start
