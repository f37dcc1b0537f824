"""init and schema: the first files of a peer, whole or not at all, and never over what is there."""

from __future__ import annotations

import json
import stat
import subprocess
from pathlib import Path

import pytest

from covey import settings
from covey.settings.schema import schema as schema_of
from tests.e2e.program import Program


@pytest.fixture
def here(covey: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of one's own, as a person would."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_x05_init_writes_a_configuration_that_passes_its_dry_run(covey: Program, here: Path) -> None:
    typed = covey("init", "other", "--role", "reviwer", "--out", str(covey.home.parent / "other.toml"))
    assert "no preset; generic α weights; did you mean reviewer?" in typed.out
    ended = covey("init", "reviewer-01", "--role", "reviewer", "--adapter", "scripted", "--room", "lab")
    assert (ended.code, ended.err) == (0, "")
    keyprint = covey("fingerprint", "reviewer-01", "--json").json["keyprint"]
    assert ended.out.splitlines() == [
        "wrote reviewer-01.toml",
        "  peer:     reviewer-01",
        "  role:     reviewer (known role; α weights tuned)",
        "  room:     lab",
        "  adapter:  scripted / rules",
        "  budget:   $5 per run",
        f"  identity: {keyprint} (made)",
        "",
        "next steps:",
        "  1. covey dry-run --config reviewer-01.toml",
        "  2. covey run --config reviewer-01.toml",
    ]
    assert stat.S_IMODE((here / "reviewer-01.toml").stat().st_mode) == 0o600
    assert covey("dry-run", "--config", "reviewer-01.toml").code == 0
    assert sorted(path.name for path in here.iterdir()) == ["agent.schema.json", "reviewer-01.toml"]


def test_the_schema_line_leads_an_editor_to_todays_schema(covey: Program, here: Path) -> None:
    covey("init", "a", "--adapter", "ollama")
    first = (here / "a.toml").read_text().splitlines()[0]
    named = here / first.removeprefix("#:schema ")
    assert json.loads(named.read_text()) == schema_of() == json.loads(covey("schema").out)
    named.write_text('{"$id": "urn:covey:schema:agent.toml", "title": "an older one"}')
    assert covey("schema", "--out", "agent.schema.json", "--json").json["state"] == "written"
    assert covey("schema", "--out", "agent.schema.json", "--json").json["state"] == "current"
    named.write_text('{"mine": true}')
    ended = covey("schema", "--out", "agent.schema.json")
    assert (ended.code, ended.err) == (
        1,
        "covey schema: not replaced: agent.schema.json is no schema of covey's\n  --force replaces it\n",
    )
    assert covey("init", "b", "--adapter", "ollama", "--json").json["schema"] == "foreign"
    assert named.read_text() == '{"mine": true}'
    assert covey("schema", "--out", "agent.schema.json", "--force").code == 0


def test_init_overwrites_nothing_unless_it_is_told_to(covey: Program, here: Path) -> None:
    made = covey("init", "a", "--adapter", "ollama", "--json").json
    (here / "a.toml").write_text("mine")
    again = covey("init", "a", "--adapter", "ollama")
    assert (again.code, again.err) == (1, "covey init: a.toml already exists\n  --force overwrites it\n")
    assert (here / "a.toml").read_text() == "mine"
    forced = covey("init", "a", "--adapter", "ollama", "--force", "--json").json
    assert settings.load(here / "a.toml").identity.name == "a"
    assert (made["identity"], forced["identity"]) == ("made", "kept")
    assert forced["node_id"] == made["node_id"]


def test_defect_init_takes_the_value_of_a_flag_for_the_peer(covey: Program, here: Path) -> None:
    """`init --role writer z` made a peer called writer."""
    made = covey("init", "--role", "writer", "z", "--adapter", "ollama", "--json").json
    assert (made["peer"], made["role"], made["path"]) == ("z", "writer", "z.toml")


def test_defect_init_lists_fewer_adapters_than_it_takes(covey: Program, here: Path) -> None:
    """mistral worked there and was not listed; here each adapter is in the help, and each works."""
    said = covey("init", "--help").out
    for name in settings.ADAPTERS:
        assert name in said
    ended = covey("init", "a", "--adapter", "antropic")
    assert (ended.code, ended.err) == (
        2,
        "covey init: unknown --adapter: antropic\n  did you mean anthropic?\n",
    )
    assert covey("init", "a", "--adapter", "mistral").out.splitlines()[-3].strip() == (
        "1. export MISTRAL_API_KEY=..."
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "--cost-cap", "0"], "--cost-cap: expected a number from 0.000001 to 500000, got '0'"),
        (["a", "--cost-cap", "nan"], "--cost-cap: expected a number from 0.000001 to 500000, got 'nan'"),
        (["a", "--room", "Lab"], "room 'Lab': expected only lower-case letters, digits, '.', '_' and '-'"),
        (["a", "--adapter", "compatible"], "adapter compatible: expected --base-url and --model"),
        (["a", "--base-url", "ftp://x"], "model.base_url: expected an http:// or https:// address"),
        (["a", "--role", ""], "identity.role: expected 1 to 200 characters, got 0"),
        (["a", "--out", "no/such/a.toml"], "no folder: no/such"),
        (["../a"], "peer name '../a': expected none of"),
        ([], "missing peer"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(
    covey: Program, here: Path, words: list[str], message: str
) -> None:
    ended = covey("init", *words)
    assert ended.code == 2
    assert ended.err.startswith(f"covey init: {message}")
    assert list(here.iterdir()) == []
    assert not covey.home.exists()


def test_an_init_that_cannot_write_leaves_no_half_of_a_file(covey: Program, here: Path) -> None:
    (here / "a.toml").symlink_to("elsewhere.toml")
    assert covey("init", "a", "--adapter", "ollama").code == 1
    (here / "sub").mkdir()
    ended = covey("init", "a", "--adapter", "ollama", "--out", "sub", "--force")
    assert ended.code == 1
    assert sorted(path.name for path in here.iterdir()) == ["a.toml", "agent.schema.json", "sub"]
    assert list((here / "sub").iterdir()) == []


def test_of_two_inits_at_once_one_wins_and_the_file_is_whole(covey: Program, here: Path) -> None:
    words = covey.words(["init", "a", "--adapter", "scripted", "--json"])
    both = [
        subprocess.Popen(words, env=covey.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in "ab"
    ]
    codes = sorted(process.wait(timeout=60) for process in both if process.communicate(timeout=60))
    assert codes == [0, 1]
    assert settings.load(here / "a.toml").identity.name == "a"
