"""The agent's side: its agent.toml, its process, the seed, and what came of it."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from covey.settings import ADAPTERS
from covey.settings.scaffold import Choice, scaffold
from covey.settings.toml import document
from tools.action.inputs import KEYS, InputError, Inputs

SEEDER = "github"
CONTEXT_TOKENS = 32_000  # the diff's 20,000 and what belongs to it
CALLS = 4  # the answer, and some repairs
STOP_SECONDS = 45  # what `covey stop` allows an answer that is under way, and its end
_PASSED = ("PATH", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "NO_PROXY")
_ENDS: tuple[str, ...] = (
    "agent-wake-ended",
    "agent-no-answer",
    "agent-call-spared",
    "agent-answer-held-back",
)
_ENDS += ("agent-answer-quarantined", "agent-answer-unreadable", "agent-wake-skipped")


@dataclass(slots=True)
class Outcome:
    """What a run came to."""

    blocks: list[dict[str, str]] = field(default_factory=list)
    cost_usd: float = 0.0
    reasons: list[str] = field(default_factory=list)


def configuration(inputs: Inputs) -> str:
    """Return the text of an agent.toml made from the inputs.

    Raises:
        InputError: The adapter is none, or a text cannot stand in a file.
    """
    if inputs.adapter not in ADAPTERS:
        raise InputError(f"adapter: expected one of {', '.join(ADAPTERS)}")
    choice = Choice(
        inputs.peer, inputs.role, inputs.room, inputs.adapter, inputs.model, cost_cap=inputs.cost_cap_usd
    )
    try:
        tables: dict[str, Any] = tomllib.loads(scaffold(choice))
        tables["context"]["max_context_tokens"] = CONTEXT_TOKENS
        tables["run"] = {"max_calls": CALLS}
        tables["budget"] |= dict.fromkeys(
            ("max_cost_usd_per_hour", "max_cost_usd_per_day"), inputs.cost_cap_usd
        )
        if inputs.prompt:
            tables["prompt"] = {"system": inputs.prompt}
        if inputs.replay is not None:
            tables["model"]["replay"] = str(inputs.replay)
        if inputs.relay:
            tables["mesh"]["relay"] = inputs.relay
        return document(tables)
    except ValueError as error:
        raise InputError(f"the inputs make no agent.toml: {type(error).__name__}") from error


class Covey:
    """The program with a home of its own. It gets the keys of models, and nothing else of the step.

    Args:
        home: Where identity, memory and log go.
        env: The step's environment.
        secrets: Keys and tokens of the peer.
    """

    def __init__(self, home: Path, env: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        passed = {name: env[name] for name in _PASSED if name in env}
        given = {name: env[name] for name in KEYS if name in env} | dict(secrets)
        self._env = {**passed, **given, "COVEY_HOME": str(home), "HOME": str(home), "PYTHONSAFEPATH": "1"}
        if "COVEY_ACTION_PYTHONPATH" in env:  # the action's own tests run from the sources
            self._env["PYTHONPATH"] = env["COVEY_ACTION_PYTHONPATH"]

    def run(self, *words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self._words(words),
            env=self._env,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def start(self, *words: str) -> Running:
        """Start a command that stays, its JSON lines read as they come."""
        return Running(self._words(words), self._env)

    @staticmethod
    def _words(words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "covey", *words]


class Running:
    """`covey run --json`, read on a thread; ended with its context, whatever happens."""

    def __init__(self, words: list[str], env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            words,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # its log says more, and is kept
            text=True,
            errors="replace",
        )
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def event(self, until: float) -> dict[str, Any] | None:
        """Return the next event; None when the process or the time (monotonic) is over."""
        try:
            return self._events.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            return None

    def wait(self, seconds: float) -> None:
        """Wait for its own end."""
        self._process.wait(seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None, "it was asked for"
        for line in self._process.stdout:
            try:
                found = json.loads(line)
            except ValueError:
                continue  # a line that is no event is for nobody here; the log has it
            self._events.put(found)
        self._events.put(None)


def review(covey: Covey, config: Path, seed: Mapping[str, str], seconds: float) -> Outcome:
    """Run the peer, give it the seed, and wait until it has answered or decided not to.

    Raises:
        InputError: It does not start; its log says why.
    """
    until, outcome = time.monotonic() + seconds, Outcome()
    with covey.start("run", "--config", str(config), "--json") as running:
        ready = _until(running, "ready", until)
        if ready is None:
            raise InputError("the peer did not start: `covey dry-run` passed, so look at its log")
        flags = [f"--{name}={text}" for name, text in seed.items()]
        said = covey.run("observe", "--room", ready["room"], "--peer", SEEDER, "--json", *flags)
        if said.returncode != 0:
            raise InputError("the seed reached nobody: the peer ended early")
        _listen(running, outcome, until)
        told = covey.run("cost", ready["peer"], "--json")
        if told.returncode == 0:
            outcome.cost_usd = float(json.loads(told.stdout)["run"]["cost_usd"])
        covey.run("stop", ready["peer"], seconds=STOP_SECONDS * 2)
        try:
            running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            outcome.reasons.append("the peer was killed: it did not end in time")
    return outcome


def _listen(running: Running, outcome: Outcome, until: float) -> None:
    while (event := running.event(until)) is not None:
        word = event.get("event")
        if word == "agent-emitted":
            outcome.blocks.append(dict(event["categories"]))
        elif word in _ENDS:
            outcome.reasons.append(str(event.get("reason") or word.removeprefix("agent-")))
        elif word == "agent-resting" and (outcome.blocks or outcome.reasons):
            return
    if not outcome.blocks and not outcome.reasons:
        outcome.reasons.append("no answer in time")


def _until(running: Running, word: str, until: float) -> dict[str, Any] | None:
    while (event := running.event(until)) is not None:
        if event.get("event") == word:
            return event
    return None


def private_folder(path: Path) -> Path:
    """Return a folder that only this user may look into."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path
