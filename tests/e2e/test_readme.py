"""The README's own commands and programs, run as they stand there."""

import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from covey import settings
from covey.cli.commands import COMMANDS
from covey.cli.parser import Parser
from tests.tidy import tree

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = ".venv/bin/covey"


def blocks(language: str, *, page: str = "README.md") -> list[str]:
    """Return the code blocks of one language, in order."""
    return [body for name, body in BLOCK.findall(tree.text(page)) if name == language]


def commands(body: str) -> list[list[str]]:
    """Return the covey commands of a shell block, as words after the program's name."""
    lines = (shlex.split(line, comments=True) for line in body.splitlines())
    return [words[1:] for words in lines if words[:1] == [PROGRAM]]


def said_in_readme() -> list[list[str]]:
    """Return every covey command of the README."""
    return [words for body in blocks("sh") for words in commands(body)]


@pytest.fixture
def covey(tmp_path):
    """Return what starts a covey command in a home of its own."""
    environment = {
        **os.environ,
        "COVEY_HOME": str(tmp_path / "home"),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONUNBUFFERED": "1",
    }

    def start(words: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "covey", *words],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@contextmanager
def running(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """End a process with the block that needs it."""
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def done(process: subprocess.Popen[str]) -> str:
    """Wait for a command to end well, and return what it printed."""
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return said


def line_with(process: subprocess.Popen[str], word: str) -> str:
    """Return the next line of a running command that has `word` in it."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if word in line:
            return line
    raise AssertionError(f"ended without {word!r}: {''.join(seen)}")


def test_every_command_of_the_readme_can_be_read():
    assert len(said_in_readme()) >= 8
    for words in said_in_readme():
        module = importlib.import_module(COMMANDS[words[0]].module)
        parser = Parser(words[0], "", module.EXAMPLE)
        module.configure(parser)
        assert parser.read(words[1:]) is not None, words


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_that_is_named_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", tree.text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)\b(?! it)", "".join(blocks("sh", page=page))))
    assert named
    assert named <= targets


@pytest.mark.parametrize("page", ["README.md", "docs/cookbook.md"])
def test_the_python_of_a_page_runs(page, tmp_path):
    assert blocks("python", page=page)
    for body in blocks("python", page=page):
        home = {"COVEY_HOME": str(tmp_path / "home")}
        environment = {**os.environ, **home, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        answer = subprocess.run(
            [sys.executable, "-c", body],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert answer.returncode == 0, answer.stderr


def test_the_configuration_of_the_readme_is_valid():
    (body,) = blocks("toml")
    read = settings.parse(body)
    assert read.identity.name == "reviewer"
    assert read.model.adapter == "anthropic"


def test_sixty_seconds_without_a_model(covey):
    listen, observe = [words for words in said_in_readme() if words[0] in ("listen", "observe")][:2]
    with running(covey(listen)) as listener:
        line_with(listener, "listening")
        assert "delivered" in done(covey(observe))
        assert "hello" in line_with(listener, "hello")


def test_an_agent_from_first_check_to_stop(covey, tmp_path):
    (body,) = blocks("toml")
    scripted = re.sub(r'adapter = "anthropic".*\nmodel_name.*\n', 'adapter = "scripted"\n', body)
    rule = '\n[[scripted.rules]]\nemit = { focus = "heard {focus}" }\n'
    (tmp_path / "reviewer.toml").write_text(scripted + rule)
    said = said_in_readme()
    start = next(index for index, words in enumerate(said) if words[0] == "dry-run")
    end = next(index for index, words in enumerate(said) if words[0] == "stop") + 1
    dry_run, run, *others = said[start:end]
    done(covey(dry_run))
    with running(covey(run)) as peer:
        line_with(peer, "is in room")
        for words in others:
            said = done(covey(words))
            if words[0] == "recall":
                assert "drops the last frame" in said
        assert peer.wait(timeout=30) == 0


def test_an_ide_is_shown_its_entry(covey):
    (words,) = [words for words in said_in_readme() if words[0] == "mcp"]
    assert '"--room",\n        "planning"' in done(covey(words))
