"""The section [work]: what it takes, and what is refused with its key."""

import pytest

from covey.errors import ConfigError, CoveyError
from covey.settings import load
from covey.tools.work import handlers

HEAD = """
[identity]
name = "wren"
role = "generic"
[role_weights]
focus = 1.0
issue = 1.0
intent = 1.0
motivation = 1.0
commitment = 1.0
perspective = 1.0
mood = 1.0
[model]
adapter = "scripted"
[[scripted.rules]]
emit = { focus = "heard" }
"""


def settings(tmp_path, section):
    path = tmp_path / "agent.toml"
    path.write_text(HEAD + section)
    return load(path)


def test_offers_are_functions_of_a_file_beside_the_settings_or_of_a_module(tmp_path):
    (tmp_path / "voice.py").write_text(
        "def shout_loud(job):\n    return 'A'\ndef low(job):\n    return 'b'\n"
    )
    section = """
[work]
agent = "w"
capacity = 3
hand_on = true
[work.offers."shout.loud"]
file = "voice.py"
[work.offers.whisper]
file = "voice.py"
function = "low"
[work.offers.dumps]
module = "json"
"""
    work = settings(tmp_path, section).work
    assert (work.agent, work.capacity, work.hand_on) == ("w", 3, True)
    assert work.offers["shout.loud"].file == tmp_path / "voice.py"
    found = handlers(work)
    assert [found["shout.loud"](None), found["whisper"](None), found["dumps"]([1])] == ["A", "b", "[1]"]
    assert settings(tmp_path, "").work.offers == {}


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ("[work]\ncapacity = 0\n", "work.capacity"),
        ("[work.offers.a]\n", "work.offers.a"),
        ('[work.offers.a]\nfile = "x.py"\nmodule = "x"\n', "either file or module"),
        ('[work.offers."A b"]\nfile = "x.py"\n', "a capability"),
        ("[work]\nother = 1\n", "other"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(tmp_path, section, named):
    with pytest.raises(ConfigError, match=named):
        settings(tmp_path, section)


def test_what_does_not_load_says_which_and_why(tmp_path):
    (tmp_path / "bad.py").write_text("raise RuntimeError('not today')\n")
    work = settings(tmp_path, '[work.offers.a]\nfile = "bad.py"\n').work
    with pytest.raises(CoveyError, match=r"work\.offers\.a: .*bad\.py: RuntimeError: not today"):
        handlers(work)
