"""Start-up matters on small machines: nothing heavy is imported before it is used."""

import json
import os
import subprocess
import sys

import pytest

HEAVY = {
    "asyncio",
    "uvloop",
    "zeroconf",
    "nacl",
    "msgpack",
    "rich",
    "anthropic",
    "openai",
    "httpx",
    "pydantic",
    "ssl",
    "email",
    "http",
    "sqlite3",
    "multiprocessing",
}
"""Modules that cost milliseconds or megabytes: loaded by what needs them, never before."""

VENDORS = {"anthropic", "openai", "httpx", "httpx2", "pydantic", "zeroconf", "rich"}

REPORT = """
import json, sys
before = set(sys.modules)
{statement}
print("\\n" + json.dumps(sorted({{name.split(".")[0] for name in set(sys.modules) - before}})))
"""


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a statement loads in a fresh interpreter."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    answer = subprocess.run(
        [sys.executable, "-c", REPORT.format(statement=statement)],
        capture_output=True,
        check=True,
        env=environment,
        text=True,
        timeout=60,
    )
    return set(json.loads(answer.stdout.splitlines()[-1]))


def test_importing_covey_loads_nothing_but_itself():
    assert loaded_by("import covey") - {"covey", "__future__"} == set()


@pytest.mark.parametrize("module", ["covey.core", "covey.model", "covey.settings", "covey.errors"])
def test_values_and_core_stay_light(module):
    assert loaded_by(f"import {module}") & HEAVY == set()


@pytest.mark.parametrize(
    "words", [["--version"], ["--help"], ["schema"], ["fingerprint", "ghost"], ["status", "ghost"]]
)
def test_x29_short_commands_stay_light(words, tmp_path, monkeypatch):
    monkeypatch.setenv("COVEY_HOME", str(tmp_path))
    loaded = loaded_by(f"from covey.cli import main\nmain({words!r})")
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("words", [["--version"], ["--help"]])
def test_what_is_asked_most_loads_no_machinery_of_classes(words):
    """`dataclasses` brings inspect, ast and dis: a quarter of the time of `covey --version`."""
    assert (
        loaded_by(f"from covey.cli import main\nmain({words!r})") & {"dataclasses", "inspect", "ast"} == set()
    )


def test_a_sealed_key_is_shown_without_what_would_open_it(tmp_path, monkeypatch):
    monkeypatch.setenv("COVEY_HOME", str(tmp_path))
    monkeypatch.setenv("COVEY_PASSPHRASE", "correct horse battery")
    sealing = ["keygen", "ghost", "--passphrase", "--cost", "interactive"]
    assert "nacl" in loaded_by(f"from covey.cli import main\nassert main({sealing!r}) == 0")
    showing = ["fingerprint", "ghost"]
    assert loaded_by(f"from covey.cli import main\nassert main({showing!r}) == 0") & HEAVY == set()


def test_a_key_in_the_clear_needs_no_second_library(tmp_path, monkeypatch):
    monkeypatch.setenv("COVEY_HOME", str(tmp_path))
    assert "nacl" not in loaded_by("from covey.cli import main\nassert main(['keygen', 'ghost']) == 0")


def test_no_vendor_is_loaded_to_check_a_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("COVEY_HOME", str(tmp_path))
    config = tmp_path / "agent.toml"
    config.write_text('[identity]\nname = "a"\nrole = "writer"\n[mesh]\n[model]\nadapter = "ollama"\n')
    words = ["dry-run", "--config", str(config)]
    assert loaded_by(f"from covey.cli import main\nassert main({words!r}) == 0") & VENDORS == set()


def test_a_heavy_import_is_found():
    assert "asyncio" in loaded_by("import asyncio") & HEAVY
