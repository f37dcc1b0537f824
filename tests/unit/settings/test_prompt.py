"""[prompt] and [model.roles]: variables are put in or named as unknown; a role has its own way of asking."""

from __future__ import annotations

from pathlib import Path

import pytest

from covey import settings
from covey.errors import ConfigError, Problem

PEER = '[identity]\nname = "ann"\nrole = "reviewer"\n[mesh]\nroom = "parser"\n[model]\nadapter = "openai"\n'


def refused(text: str, base: Path | None = None) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        settings.parse(PEER + text, base=base)
    return caught.value.problems


def test_variables_stand_for_the_peer_and_for_what_the_file_adds() -> None:
    text = """
[prompt]
system = "{{name}} is {{ role }} in {{room}} with {{model}}, for {{ project }}; {not} {one} }} {{"
variables = { project = "covey {{name}}" }
"""
    read = settings.parse(PEER + text)
    assert read.prompt.system == (
        "ann is reviewer in parser with gpt-6-luna, for covey {{name}}; {not} {one} }} {{"
    )


def test_an_unknown_variable_is_named_with_its_line_and_the_nearest_known_one() -> None:
    text = '[prompt]\nsystem = """\nYou are {{ nmae }}.\n\nWork on {{ project }}.\n"""\n'
    first, second = refused(text)
    assert (first.key, first.line) == ("prompt.system", 9)
    assert first.found == "{{ nmae }} on line 1 of the text"
    assert first.hint == "did you mean {{ name }}?"
    assert first.expected == "variables out of name, role, room, model"
    assert (second.found, second.hint) == (
        "{{ project }} on line 3 of the text",
        "add it under [prompt.variables]",
    )


def test_a_file_has_variables_too(tmp_path: Path) -> None:
    (tmp_path / "role.md").write_text("# {{ role }}\n")
    assert settings.parse(PEER + '[prompt]\nfile = "role.md"', base=tmp_path).prompt.system == "# reviewer"
    (tmp_path / "role.md").write_text("\n# {{ env.KEY }}\n")
    (problem,) = refused('[prompt]\nfile = "role.md"', tmp_path)
    assert (problem.key, problem.found) == ("prompt.file", "{{ env.KEY }} on line 1 of the text")


def test_what_every_peer_has_cannot_be_another_thing() -> None:
    (problem,) = refused('[prompt]\nsystem = "x"\nvariables = { name = "eve" }')
    assert problem.key == "prompt.variables.name"


def test_a_role_has_its_own_way_of_asking() -> None:
    text = """
max_tokens_per_call = 500
temperature = 1.0
[model.roles.reviewer]
temperature = 0.2
timeout_seconds = 20
first_token_seconds = 5
[model.roles.writer]
max_tokens_per_call = 4_000
"""
    read = settings.parse(PEER + text).model
    assert (read.temperature, read.timeout, read.first_token_seconds) == (0.2, 20.0, 5.0)
    assert read.max_tokens_per_call == 500
    writer = settings.parse(PEER.replace("reviewer", "writer") + text).model
    assert (writer.temperature, writer.timeout, writer.max_tokens_per_call) == (1.0, 60.0, 4_000)


def test_tapes_are_found_beside_the_file_and_only_one_way(tmp_path: Path) -> None:
    read = settings.parse(PEER + 'record = "calls"', base=tmp_path)
    assert read.model.record == tmp_path / "calls"
    (problem,) = refused('record = "a"\nreplay = "b"')
    assert (problem.key, problem.expected) == ("model.replay", "either record or replay")
