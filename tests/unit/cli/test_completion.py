"""What may stand at the cursor: commands, flags, values, peers; and nothing that would be refused."""

from __future__ import annotations

import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.cli.commands import COMMANDS
from covey.cli.completion.candidates import PATHS, candidates
from covey.settings import ADAPTERS

PEERS = ["writer", "reviewer 1", "reviewer-2"]


def words(*line: str) -> list[str]:
    return [each.word for each in candidates(line, lambda: PEERS)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (("",), [*COMMANDS, "--help", "--version"]),
        ((), [*COMMANDS, "--help", "--version"]),
        (("compl",), ["completion"]),
        (("--v",), ["--version"]),
        (("nothing", ""), []),
        (("stop", ""), PEERS),
        (("stop", "r"), ["reviewer 1", "reviewer-2"]),
        (("stop", "writer", "--timeout", ""), []),
        (("stop", "--timeout", "5", "w"), ["writer"]),
        (("stop", "--timeout=5", "w"), ["writer"]),
        (("stop", "writer", "--t"), ["--timeout"]),
        (("stop", "writer", "--timeout", "5", "--t"), []),
        (("observe", "--peer", "w"), ["writer"]),
        (("observe", "--focus", "--peer"), []),
        (("watch", "writer", "r"), ["reviewer 1", "reviewer-2"]),
        (("trust", "p"), ["pin"]),
        (("trust", "pin", "w"), ["writer"]),
        (("run", "--config", "x"), [PATHS]),
        (("run", "--config=x"), [PATHS]),
        (("doctor", "--config", "a.toml", "--c"), ["--config"]),
        (("init", "x", "--adapter", "o"), ["openai", "ollama"]),
        (("init", "x", "--adapter=o"), ["--adapter=openai", "--adapter=ollama"]),
        (("init", "x", "--adapter", "=", "o"), ["openai", "ollama"]),
        (("init", "x", "--adapter", "="), list(ADAPTERS)),
        (("stop", "--", "--t"), []),
        (("status", "--j"), ["--json"]),
        (("logs", "writer", "--level", "w"), ["warn"]),
    ],
)
def test_what_may_stand_at_the_cursor(line: tuple[str, ...], found: list[str]) -> None:
    assert words(*line) == found


def test_where_no_word_is_known_flags_are_offered() -> None:
    assert "--config" in words("run", "")
    assert "-h" not in words("run", ""), "the long name says more"


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_completes_its_flags_with_what_they_are_for(name: str) -> None:
    found = candidates([name, "--"], lambda: PEERS)
    assert {"--help", "--json"} <= {each.word for each in found}
    assert all(each.about and "\n" not in each.about for each in found)
    assert importlib.import_module(COMMANDS[name].module).EXAMPLE.startswith(f"covey {name}")


@given(
    st.lists(
        st.sampled_from([*COMMANDS, "--json", "--config", "=", "--", "", "-", "x", "--peer="]), max_size=6
    )
)
def test_no_half_typed_line_fails(line: list[str]) -> None:
    current = line[-1] if line else ""
    for word in words(*line):
        assert word == PATHS or word.startswith(current) or current == "="
