"""Running the real `covey` program as a user would: own home, own environment, real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PACKAGE = Path(__file__).parents[2] / "python"
SECONDS = 60
ROOM = f"test-{os.urandom(4).hex()}"
"""A room of this run's own: multicast reaches every peer of this machine, the user's own among them."""
MESH_VERBS = ("listen", "observe", "send", "ask")
"""The commands that take a room; without one they would sit in the default room."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Return the one JSON object on standard output."""
        found: dict[str, Any] = json.loads(self.out)
        return found


class Program:
    """The program with one home."""

    def __init__(self, home: Path, **env: str) -> None:
        """Use `home`; further words go into the environment."""
        self.home = home
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home.parent),
            "COVEY_HOME": str(home),
            "PYTHONPATH": str(PACKAGE),
            "LANG": "C.UTF-8",
            **env,
        }

    def __call__(self, *words: str | bytes, stdin: str | None = None, **env: str) -> Ended:
        """Run a command to its end."""
        done = subprocess.run(
            self.words(words),
            env={**self.env, **env},
            capture_output=True,
            timeout=SECONDS,
            check=False,
            input=None if stdin is None else stdin.encode(),
        )
        ended = Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Traceback" not in ended.out + ended.err, "no traceback reaches a user"
        return ended

    def start(self, *words: str, **env: str) -> Running:
        """Start a command that stays."""
        return Running(self.words(words), {**self.env, **env})

    def words(self, words: Sequence[str | bytes]) -> list[str | bytes]:
        """Return the whole command line, in this run's room where no other is named."""
        room = ["--room", ROOM] if words[:1] and words[0] in MESH_VERBS and "--room" not in words else []
        return [sys.executable, "-m", "covey", *words[:1], *room, *words[1:]]


class Running:
    """A command that runs until its test ends it."""

    def __init__(self, words: Sequence[str | bytes], env: Mapping[str, str]) -> None:
        """Start it, with its output on pipes."""
        self.process = subprocess.Popen(
            words,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def event(self, name: str) -> dict[str, Any]:
        """Read JSON lines of its output until the event of this name."""
        for line in self.lines():
            found: dict[str, Any] = json.loads(line)
            if found["event"] == name:
                return found
        raise AssertionError(f"ended before {name}: {self.process.communicate()}")

    def lines(self) -> Any:
        """Return its output, line by line, as it comes."""
        assert self.process.stdout is not None
        return iter(self.process.stdout.readline, "")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self) -> Ended:
        """Wait for its own end."""
        out, err = self.process.communicate(timeout=SECONDS)
        assert "Traceback" not in out + err, "no traceback reaches a user"
        return Ended(self.process.returncode, out, err)
