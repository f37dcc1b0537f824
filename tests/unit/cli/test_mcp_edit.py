"""One entry of a client's configuration: all else stays as it was; what is not understood is refused."""

import io
import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.cli import mcp
from covey.cli.console import Console
from covey.cli.mcp import edit, name_of
from covey.cli.parser import Parser
from covey.errors import CoveyError, UsageError

ENTRY = {"command": "covey", "args": ["mcp", "--room", "a"], "env": {"COVEY_HOME": "somewhere"}}
TOML = """# mine
model = "x"

[mcp_servers.other]
command = "o"

[mcp_servers.covey]
command = "old"
[mcp_servers.covey.env]
A = "1"

[profiles.fast]  # kept
model = "y"
"""


def test_json_keeps_order_indent_and_everything_else():
    before = '{\n\t"z": 1,\n\t"mcpServers": {\n\t\t"o": {"command": "x"}\n\t},\n\t"ä": "ö"\n}\n'
    after = edit.changed(before, "json", "mcpServers", "covey", ENTRY)
    assert list(json.loads(after)) == ["z", "mcpServers", "ä"]
    assert '\t"ä": "ö"\n}\n' in after
    assert json.loads(after)["mcpServers"] == {"o": {"command": "x"}, "covey": ENTRY}
    back = edit.changed(after, "json", "mcpServers", "covey", None)
    assert json.loads(back) == json.loads(before)


def test_toml_is_changed_in_its_place_with_comments_kept():
    after = edit.changed(TOML, "toml", "mcp_servers", "covey", ENTRY)
    assert tomllib.loads(after)["mcp_servers"] == {"other": {"command": "o"}, "covey": ENTRY}
    assert "# mine" in after and "[profiles.fast]  # kept" in after and "old" not in after
    assert edit.changed(after, "toml", "mcp_servers", "covey", ENTRY) == after
    gone = edit.changed(after, "toml", "mcp_servers", "covey", None)
    assert tomllib.loads(gone)["mcp_servers"] == {"other": {"command": "o"}}


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ('{"a": 1, // mine\n"b": 2}', "json"),
        ("[1]", "json"),
        ('{"mcpServers": [1]}', "json"),
        ('{"mcpServers": {"covey": "x"}}', "json"),
        ('{"a": 1, "a": 2}', "json"),
        ("a = = 1", "toml"),
        ('mcpServers = { covey = { command = "inline" } }', "toml"),
        ('text = """\n[mcpServers.covey]\n"""\n', "toml"),
    ],
)
def test_what_cannot_be_changed_safely_is_refused(text, form):
    with pytest.raises(UsageError):
        edit.changed(text, form, "mcpServers", "covey", ENTRY)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(max_size=8), VALUES, max_size=4),
    st.dictionaries(st.text(max_size=6), st.just({}), max_size=3),
)
def test_adding_and_removing_leaves_what_was_there(config, servers):
    config["mcpServers"] = servers
    servers.pop("covey", None)
    added = edit.changed(json.dumps(config), "json", "mcpServers", "covey", ENTRY)
    assert json.loads(edit.changed(added, "json", "mcpServers", "covey", None)) == config


def test_without_the_library_the_next_step_is_named(monkeypatch):
    monkeypatch.setattr(mcp, "find_spec", lambda name: None)
    parser = Parser("mcp", "", mcp.EXAMPLE)
    mcp.configure(parser)
    with pytest.raises(CoveyError) as caught:
        mcp.run(parser.read([]), Console(io.StringIO(), io.StringIO(), {}))
    assert caught.value.hint == "pip install 'covey[mcp]'"


def test_windows_in_two_rooms_do_not_meet():
    assert name_of(None, None) == name_of(None, "default") == "ide"
    assert name_of(None, "planning") == "ide-planning"
    assert name_of("mine", "planning") == "mine"
    assert len(name_of(None, "r" * 64)) == 64
