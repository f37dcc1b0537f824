"""completion in the real shells, where they are installed."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from covey.cli.commands import COMMANDS
from tests.e2e.program import Program

ASK = {
    "bash": """
source <(covey completion bash)
COMP_WORDS=({words}); COMP_CWORD={at}; _covey
[ ${{#COMPREPLY[@]}} -eq 0 ] || printf '%s\\n' "${{COMPREPLY[@]}}"
""",
    # zsh's own helpers only work inside a live editor; here they print what they are given.
    "zsh": """
compdef() {{ :; }}
_describe() {{ print -rl -- "${{(@P)2}}"; }}
_files() {{ print FILES; }}
source <(covey completion zsh)
words=({words}); CURRENT={next}; _covey
""",
    "fish": """
covey completion fish | source
complete -C {line}
""",
}


class Shell:
    """One shell, in which `covey` is on the path."""

    def __init__(self, name: str, covey: Program, folder: Path) -> None:
        self.name = name
        self.env = {**covey.env, "PATH": f"{folder}:{covey.env['PATH']}"}
        program = folder / "covey"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m covey "$@"\n')
        program.chmod(0o755)

    def __call__(self, *words: str) -> list[str]:
        """Complete a line whose last word is half typed; return the words that are offered."""
        line = ["covey", *words]
        quoted = " ".join(map(shlex.quote, line))
        script = ASK[self.name].format(
            words=quoted, at=len(line) - 1, next=len(line), line=shlex.quote(" ".join(line))
        )
        start = ["bash", "--norc"] if self.name == "bash" else [self.name, *NO_FILES[self.name]]
        done = subprocess.run(
            [*start, "-c", script], env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stderr == ""
        return [self.word(line) for line in done.stdout.splitlines() if line]

    def word(self, line: str) -> str:
        """Return the word of an offer; zsh and fish show what it is for behind it."""
        if self.name == "zsh":
            return line.replace("\\:", "\0").split(":")[0].replace("\0", ":")
        return line.split("\t")[0]


NO_FILES: dict[str, Sequence[str]] = {"zsh": ["-f"], "fish": ["--no-config"]}


@pytest.fixture(params=list(ASK))
def shell(request: pytest.FixtureRequest, covey: Program, tmp_path: Path) -> Shell:
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    folder = tmp_path / "bin"
    folder.mkdir()
    return Shell(name, covey, folder)


def test_a_shell_completes_commands_flags_values_and_peers(covey: Program, shell: Shell) -> None:
    for name in ("writer", "wr iter"):
        covey("keygen", name)
    assert {"status", "stop"} <= set(shell("st"))
    assert set(COMMANDS) <= set(shell(""))
    assert shell("stop", "--time") == ["--timeout"]
    assert shell("init", "x", "--adapter", "antr"[:3]) == ["anthropic"]
    spaced = "wr\\ iter" if shell.name == "bash" else "wr iter"
    assert sorted(shell("stop", "w")) == sorted(["writer", spaced])
    assert shell("stop", "writer", "nothing") == []


def test_a_shell_completes_paths_where_a_path_belongs(covey: Program, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "agent.toml").touch()
    found = shell("run", "--config", f"{tmp_path}/age")
    assert found == {"bash": [], "zsh": ["FILES"], "fish": [f"{tmp_path}/agent.toml"]}[shell.name]


def test_a_script_is_for_one_of_the_known_shells(covey: Program) -> None:
    ended = covey("completion", "bsh")
    assert (ended.code, ended.err) == (2, "covey completion: unknown shell: bsh\n  did you mean bash?\n")
    assert "complete -F _covey covey" in covey("completion", "bash", "--json").json["script"]
    assert covey("completion", "words", "--json", "--", "sto").json == {
        "candidates": [{"word": "stop", "about": COMMANDS["stop"].summary}]
    }


def test_a_mistyped_peer_is_named_with_the_nearest(covey: Program) -> None:
    with covey.start("listen", "writer", "--json") as running:
        running.event("listening")
        ended = covey("status", "writr")
        assert ended.code == 1
        assert ended.err.splitlines()[1:] == ["  did you mean writer?", "  running on this machine: writer"]
    assert "  did you mean writer?" in covey("recall", "wirter").err
