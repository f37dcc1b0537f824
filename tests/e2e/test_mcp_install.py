"""`covey mcp install`: a client's configuration gets one entry, with a backup; the skill's commands run."""

from __future__ import annotations

import json
import re
import shlex
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from covey.cli.mcp import CLIENTS
from tests.e2e.program import ROOM, Program
from tests.tidy import tree

FILES = {
    "claude": (".claude.json", "mcpServers"),
    "cursor": (".cursor/mcp.json", "mcpServers"),
    "zed": (".config/zed/settings.json", "context_servers"),
    "codex": (".codex/config.toml", "mcp_servers"),
    "windsurf": (".codeium/windsurf/mcp_config.json", "mcpServers"),
    "gemini": (".gemini/settings.json", "mcpServers"),
}


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = (
        tomllib.loads(file.read_text()) if file.suffix == ".toml" else json.loads(file.read_text())
    )
    return found


@pytest.mark.parametrize("client", ["claude", "codex"])
def test_an_entry_is_added_kept_repaired_and_taken_out(covey: Program, client: str) -> None:
    name, table = FILES[client]
    file = covey.home.parent / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('model = "x" # mine\n' if client == "codex" else '{"theme": "dark", "secret": "s"}')
    file.chmod(0o600)
    before = file.read_bytes()
    install = ("mcp", "install", "--client", client)
    assert "would add" in covey(*install, "--room", ROOM, "--dry-run").out
    if client == "claude":
        full = covey("mcp", "install", "--client", "claude-code", "--room", ROOM, "--dry-run")
        assert "would add" in full.out, "the product's own name means it, too"
    assert file.read_bytes() == before
    done = covey(*install, "--room", ROOM, "--json").json
    assert (
        Path(done["backup"]).read_bytes() == before
        and stat.S_IMODE(Path(done["backup"]).stat().st_mode) == 0o600
    )
    entry = read(file)[table]["covey"]
    assert entry["args"][-3:] == ["mcp", "--room", ROOM] and entry["env"] == {"COVEY_HOME": str(covey.home)}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert covey(*install, "--room", ROOM, "--json").json["changed"] is False
    assert "installed already" in covey(*install).out, "without flags an entry keeps its own"
    text = file.read_text()
    file.write_text(text.replace(json.dumps(entry["command"]), '"gone"'))
    assert covey(*install).code == 0
    assert read(file)[table]["covey"] == entry, "a stale command is repaired, the room is kept"
    assert covey("mcp", "uninstall", "--client", client).code == 0
    assert "covey" not in read(file).get(table, {})
    assert "not installed" in covey("mcp", "uninstall", "--client", client).out


def test_every_client_has_a_place_and_a_form(covey: Program, tmp_path: Path) -> None:
    for client in CLIENTS:
        shown = covey("mcp", "install", "--client", client, "--print", "--json").json
        assert shown["entry"]["command"] and "mcp" in shown["entry"]["args"]
        if client in FILES:
            assert shown["file"] == str(covey.home.parent / FILES[client][0])
    assert not [each for each in tmp_path.rglob("*") if each.is_file()], "printing writes nothing"


def test_what_cannot_be_edited_safely_is_left_alone(covey: Program) -> None:
    file = covey.home.parent / ".config/zed/settings.json"
    file.parent.mkdir(parents=True)
    file.write_text('// my settings\n{"theme": "dark"}\n')
    refused = covey("mcp", "install", "--client", "zed")
    assert refused.code == 2 and "comments" in refused.err and "--print" in refused.err
    assert str(file) in refused.err, "which file it is, since the user did not name one"
    assert file.read_text() == '// my settings\n{"theme": "dark"}\n' and len(list(file.parent.iterdir())) == 1
    real = covey.home.parent / "dotfiles.json"
    real.write_text("{}")
    link = covey.home.parent / ".claude.json"
    link.symlink_to(real)
    assert covey("mcp", "install", "--client", "claude").code == 0
    assert link.is_symlink() and "covey" in read(real)["mcpServers"]
    assert "--client claude|" in covey("mcp", "install").err
    assert covey("mcp", "--client", "claude").code == 2


def test_the_skills_commands_run(covey: Program) -> None:
    text = (tree.ROOT / "examples/skill/SKILL.md").read_text()
    head = re.match(r"---\nname: ([a-z-]+)\ndescription: (.+)\n---\n", text)
    assert head and len(head[1]) <= 64 and len(head[2]) <= 1_024
    named = set(re.findall(r"`(sym_[a-z_]+)`", text))
    from covey.runtime.mcp.specs import SPECS

    assert named and named <= {spec.name for spec in SPECS}
    (body,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [shlex.split(line)[1:] for line in body.splitlines()]
    assert [words[0] for words in lines] == ["observe", "recall", "peers", "status"]
    with covey.start("listen", "me", "--room", ROOM, "--json") as running:
        running.event("listening")
        for words in lines:
            said = [ROOM if word == "planning" else word for word in words]
            ended = covey(*said)
            assert ended.code == 0 or "nobody was there" in ended.err, (words, ended)
    assert "the parser is done" in covey("recall", "me", "parser").out


def test_installing_the_package_touches_no_configuration() -> None:
    """No build hook, no entry point but the command: there is nothing that could run at installation."""
    project = tomllib.loads((tree.ROOT / "pyproject.toml").read_text())["project"]
    assert set(project["scripts"]) == {"covey"}
    assert (
        "install"
        not in subprocess.run(
            ["git", "ls-files", "setup.py", "setup.cfg"],
            cwd=tree.ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
