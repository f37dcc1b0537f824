"""[tools]: what each source needs, what permissions there are, and what contradicts itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from covey import settings
from covey.errors import ConfigError, Problem

PEER = '[identity]\nname = "ann"\nrole = "reviewer"\n[model]\nadapter = "ollama"\n'


def refused(text: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        settings.parse(PEER + text)
    return caught.value.problems


def test_without_the_section_there_is_nothing_to_use() -> None:
    assert not settings.parse(PEER).tools
    assert not settings.parse(PEER + "[tools]\nmax_calls_per_wake = 3").tools


def test_sources_are_read_with_their_permissions_and_paths_are_absolute(tmp_path: Path) -> None:
    text = """
[tools.mcp.files]
command = ["server", "--root", "/srv"]
folder = "work"
pass_env = ["LANG"]
permissions = { read_file = "allow", write_file = "ask", delete_file = "deny" }
[tools.mcp.search]
url = "https://search.example/mcp/"
token_env = "SEARCH_TOKEN"
[tools.python.mine]
file = "mine.py"
timeout_seconds = 2
"""
    read = settings.parse(PEER + text, base=tmp_path).tools
    assert read and set(read.mcp) == {"files", "search"}
    assert read.mcp["files"].folder == tmp_path / "work"
    assert dict(read.mcp["files"].permissions) == {
        "read_file": "allow",
        "write_file": "ask",
        "delete_file": "deny",
    }
    assert read.mcp["search"].url == "https://search.example/mcp"
    assert dict(read.mcp["search"].permissions) == {}
    assert read.python["mine"].file == tmp_path / "mine.py"


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        (
            '[tools.mcp.a]\npermissions = { x = "yes" }',
            "tools.mcp.a.permissions.x",
            "one of allow, ask, deny",
        ),
        ("[tools.mcp.a]", "tools.mcp.a", "either command or url"),
        ('[tools.mcp.a]\ncommand = ["x"]\nurl = "https://x"', "tools.mcp.a", "either command or url"),
        ('[tools.mcp.a]\ncommand = ["x"]\ntoken_env = "T"', "tools.mcp.a.token_env", "a url to show"),
        ('[tools.mcp.a]\nurl = "https://x"\npass_env = ["T"]', "tools.mcp.a", "beside a command"),
        (
            '[tools.mcp.a]\nurl = "http://x.example"\ntoken_env = "T"',
            "tools.mcp.a.url",
            "an https:// address",
        ),
        ('[tools.mcp.A_b]\ncommand = ["x"]', "tools.mcp.A_b", "a name of up to 24"),
        ("[tools.python.a]", "tools.python.a", "either file or module"),
        ('[tools.python.a]\nfile = "a"\nmodule = "b"', "tools.python.a", "either file or module"),
        (
            '[tools.mcp.a]\ncommand = ["x"]\n[tools.python.a]\nfile = "a"',
            "tools.python.a",
            "a name that no MCP server has",
        ),
        ("[tools]\nmax_calls_per_wake = 0", "tools.max_calls_per_wake", "from 1 to 64"),
        ("[tools]\nmax_calls = 3", "tools.max_calls", "one of max_calls_per_wake"),
    ],
)
def test_a_contradiction_is_named_at_its_key(text: str, key: str, expected: str) -> None:
    (problem,) = refused(text)
    assert problem.key == key and expected in problem.expected


def test_a_token_may_go_in_the_clear_on_this_machine() -> None:
    text = '[tools.mcp.a]\nurl = "http://127.0.0.1:9/mcp"\ntoken_env = "T"'
    assert settings.parse(PEER + text).tools.mcp["a"].token_env == "T"


def test_a_model_without_tools_cannot_be_given_any_and_rules_are_not_recorded() -> None:
    (problem,) = refused('answer_as = "json"\n[tools.python.a]\nfile = "a.py"')
    assert problem.key == "model.answer_as"
    rules = PEER.replace("ollama", "scripted") + 'record = "x"\n[[scripted.rules]]\nemit = { focus = "x" }'
    with pytest.raises(ConfigError) as caught:
        settings.parse(rules)
    assert [problem.key for problem in caught.value.problems] == ["model.record"]
