"""`covey demo`: three agents answer each other, as three processes, on real sockets, from one command."""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from covey.cli.console import Console
from covey.cli.demo.scenario import AGENTS, DEFAULT_TASK, ModelChoice, Run, agent_toml
from covey.cli.parser import Parser, path, seconds, whole
from covey.errors import ConfigError, StoreError, UsageError
from covey.system.home import Home

if TYPE_CHECKING:
    from collections.abc import Mapping

    from covey.cli.demo.outcome import Outcome
    from covey.cli.demo.stage import Cast, Stage
    from covey.cli.loop import Stop
    from covey.runtime.story import Story

EXAMPLE: Final = 'covey demo --task "Write slugify: any title as a short URL part."'

_SCRIPTED_SECONDS: Final = 90.0
_MODEL_SECONDS: Final = 600.0
"""Twelve calls of a local model on a small machine, most of them one after the other."""
_TASK_CHARS: Final = 4_000


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--adapter", metavar="A", help="anthropic, openai, ollama, compatible, mistral or scripted"
    )
    parser.add_argument(
        "--model", metavar="M", help="the model's name; each adapter but compatible has a default"
    )
    parser.add_argument(
        "--base-url", metavar="U", help="where an OpenAI-style API is (alone: adapter compatible)"
    )
    parser.add_argument(
        "--task", metavar="TEXT", default=DEFAULT_TASK, help="what the agents are asked to do"
    )
    parser.add_argument(
        "--keep", type=path, metavar="DIR", help="the demo's home; default demo/<room> in covey's own"
    )
    parser.add_argument(
        "--max-calls",
        type=whole(3, 1_000),
        default=12,
        metavar="N",
        help="model calls of all agents together (12)",
    )
    parser.add_argument(
        "--timeout", type=seconds(1, 86_400), metavar="S", help="seconds until the demo gives up"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Choose a model, set the stage, play, and say how it ended and where it is stored."""
    from covey.cli import loop
    from covey.cli.demo.stage import Cast, make_identities

    task = " ".join(str(arguments.task).split())
    if not 1 <= len(task) <= _TASK_CHARS:
        raise UsageError(f"--task: expected 1 to {_TASK_CHARS} characters")
    choice = choose_model(arguments, console.env)
    limit = arguments.timeout or (_SCRIPTED_SECONDS if choice.scripted else _MODEL_SECONDS)
    draft = Run(_fresh_room(), (), choice, arguments.max_calls, limit)
    _check(draft, console.env)
    home = _home(arguments.keep, draft.room, console.env)
    ready = replace(draft, participants=tuple(make_identities(home).values()))
    cast = Cast(home, ready, task, {**console.env, "COVEY_HOME": str(home.path)})
    _introduce(console, cast)

    async def work(stop: Stop) -> int:
        stage, outcome = await _play(cast, console, stop)
        held = _held(stage.story, home)
        _conclude(console, cast, stage, outcome, held)
        return outcome.exit_code

    return loop.run(work)


def choose_model(arguments: argparse.Namespace, env: Mapping[str, str]) -> ModelChoice:
    """Return the model that was asked for, or the one this machine has.

    Raises:
        UsageError: The adapter is unknown, or it needs a model's name or an address.
    """
    from covey.models import detect
    from covey.settings import ADAPTERS

    adapter = arguments.adapter or ("compatible" if arguments.base_url else None)
    if adapter is None:
        found = detect(env)
        return ModelChoice(found.adapter, arguments.model or found.model_name, found.base_url, found.reason)
    known = [each for each in ADAPTERS if each != "mesh"]  # nobody here shares a model
    if adapter not in known:
        raise UsageError(f"--adapter: expected one of {', '.join(known)}, got {adapter}")
    name = arguments.model or ADAPTERS[adapter].model
    if name is None:
        raise UsageError(f"--adapter {adapter} needs --model", hint="the name the server knows its model by")
    return ModelChoice(adapter, name, arguments.base_url, "as asked")


def _check(draft: Run, env: Mapping[str, str]) -> None:
    """Find what is wrong with the flags or the key before anything is started."""
    from covey.models import check
    from covey.settings import parse

    try:
        check(parse(agent_toml(AGENTS[0], draft)).model, env)
    except ConfigError as error:
        problem = error.problems[0]
        flag = {"model.base_url": "--base-url", "model.model_name": "--model"}.get(problem.key, problem.key)
        raise UsageError(f"{flag}: expected {problem.expected}, got {problem.found}") from error


def _fresh_room() -> str:
    from covey.system.entropy import SystemEntropy

    return f"demo-{SystemEntropy().bytes(4).hex()}"


def _home(keep: Path | None, room: str, env: Mapping[str, str]) -> Home:
    """Return the demo's own home; agents of an earlier demo are never woken in a later one."""
    base = Home.resolve(env)
    if keep is None:
        base.prepare()
    folder = (base.path / "demo" / room) if keep is None else keep.absolute()
    home = Home(folder, base.fallback)
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make {folder.parent}: {error.strerror}", hint="choose another --keep"
        ) from error
    home.prepare()
    return home


async def _play(cast: Cast, console: Console, stop: Stop) -> tuple[Stage, Outcome]:
    from covey.cli.demo.stage import Stage

    def say(text: str) -> None:
        console.say(text)
        console.flush()  # a pipe would keep the lines back until the end

    stage = Stage(cast, say)
    if not console.live:
        return stage, await stage.play(stop)
    from rich.console import Console as RichConsole

    from covey.runtime.console import LiveView

    title = f"room {cast.run.room}, {cast.run.model.adapter}/{cast.run.model.model_name}"
    with LiveView(stage.story, title, RichConsole(file=console.out)) as view:
        stage.say_with(view.say)
        return stage, await stage.play(stop)


def _introduce(console: Console, cast: Cast) -> None:
    model = cast.run.model
    console.say(f"model: {model.adapter}/{model.model_name} ({model.reason})")
    if model.scripted and cast.task != DEFAULT_TASK:
        console.say("note: scripted answers are fixed and speak of the demo's own task")
    console.say(f"task: {cast.task}")


def _held(story: Story, home: Home) -> dict[str, list[str]]:
    """Return which of the told blocks each agent's store holds, read from the stores themselves."""
    from covey.cli.peer import stored_memory
    from covey.errors import CoveyError

    held: dict[str, list[str]] = {}
    for name in AGENTS:
        try:
            with stored_memory(home, name) as memory:
                held[name] = [key for key in story.blocks if memory.block(key) is not None]
        except CoveyError:  # an agent that never came up has no store to read
            held[name] = []
    return held


def _conclude(
    console: Console, cast: Cast, stage: Stage, outcome: Outcome, held: Mapping[str, list[str]]
) -> None:
    from covey.cli.demo.report import document, lines

    text = "\n".join(lines(stage.story, outcome, cast, held, _program()))
    console.result(document(stage.story, outcome, cast, held), text)


def _program() -> str:
    """Return how this program was called, so that the line to copy works where `covey` is not on the path."""
    called = sys.argv[0] if sys.argv else ""
    if Path(called).name != "covey":
        return "covey"
    found = shutil.which("covey")
    return "covey" if found and Path(found).samefile(called) else called


__all__: list[Any] = ["EXAMPLE", "choose_model", "configure", "run"]
