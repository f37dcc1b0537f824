"""Start-up matters on small machines: nothing heavy is imported before it is used."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

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


IDLE = """
import json, os, sys, threading
from covey.cli import listen, main

def fell(args):
    sys.__excepthook__(args.exc_type, args.exc_value, args.exc_traceback)
    os._exit(1)

def began(shown, facts, text):
    loaded = sorted(name for name in sys.modules )
    print("\\n" + json.dumps(loaded))
    sys.stdout.flush()
    os._exit(0)

threading.excepthook = fell  # whoever waits for that thread would wait for ever
listen.Shown.began = began
main(["listen", "--room", {room!r}])
"""

UNUSED = {
    "covey.agent": "no agent runs here",
    "covey.cognition.ask.selecting": "nobody asked a question",
    "covey.cognition.hearing": "nobody weighs what they hear",
    "covey.fleet.vote": "nothing is decided",
    "covey.fleet.auction": "nothing is decided",
    "covey.fleet.solve": "nothing is decided",
    "covey.fleet.work": "there is no task",
    "covey.inference": "no model is shared or called",
    "covey.models": "no model is configured",
    "covey.proto.ask.engine": "nobody asked a question",
    "covey.proto.attest": "--attest was not said",
    "covey.proto.authority.engine": "no anchor is pinned",
    "covey.proto.continuity": "no agent is moved",
    "covey.proto.door": "no model is shared or called",
    "covey.proto.relay.client": "there is no relay",
    "covey.proto.substrate": "nothing was learned, merged or offered",
    "covey.runtime.ask": "nobody asked a question",
    "covey.runtime.attest": "--attest was not said",
    "covey.runtime.authority": "no anchor is pinned",
    "covey.runtime.channel_desk": "nobody asked for channels",
    "covey.runtime.continuity": "no agent is moved",
    "covey.runtime.words": "nobody speaks of blocks",
    "covey.state.continuity": "no agent is moved",
    "covey.system.claims": "no stock peer is looked for",
    "covey.runtime.decide.post": "nothing is decided",
    "covey.runtime.diary": "nobody reads a diary",
    "covey.runtime.ledger": "nobody pays",
    "covey.runtime.metrics.peer": "nobody asks for figures",
    "covey.runtime.relays": "there is no relay",
    "covey.runtime.share": "no model is shared or called",
    "covey.runtime.spans": "nothing is told to OpenTelemetry",
    "covey.runtime.substrate": "nothing was learned, merged or offered",
    "covey.runtime.work.desk": "there is no task",
    "covey.settings.reader": "there is no agent.toml",
    "covey.substrate": "nothing was learned, merged or offered",
    "covey.tools": "no model uses tools",
    "bz2": "archives are no peer's business",
    "http": "nothing is fetched",
    "email": "nothing is fetched",
    "multiprocessing": "one process",
    "nacl": "the key is not sealed",
    "platform": "the kernel says it",
    "shutil": "it loads readers of archives",
    "sqlite3": "the store is native",
    "unicodedata": "the names are plain",
    "zeroconf": "multicast begins after the start",
    "zipfile": "no bundle is read",
}
"""What a peer that only listens does not load, each with the reason why it need not."""
LATE_SECONDS = 60.0
"""By then it has said so on the slowest machine. Less than a test's bound, which would leave it running."""
IDLE_MODULES = 240
"""Modules of covey itself that it may load: see benches.startup before it is moved."""


def modules_of(program: str, environment: dict[str, str], folder: Path) -> set[str]:
    """Run a program until it says what it has loaded, or ends; nothing of it is left then.

    Where it ends without a word (a native module that is not of this source, as a rule), what it printed of
    its error is what the test says.
    """
    said = folder / "stderr.txt"
    with (
        said.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=stderr, env=environment, text=True
        ) as child,
    ):
        late = threading.Timer(LATE_SECONDS, child.kill)
        late.start()
        try:
            assert child.stdout is not None
            line = next((line for line in child.stdout if line.startswith("[")), None)
        finally:
            late.cancel()
            child.kill()
    if line is None:
        pytest.fail(f"ended with {child.returncode} before it listened:\n{said.read_text()}")
    return set(json.loads(line))


@pytest.fixture(scope="module")
def idle(tmp_path_factory):
    """Return the modules that a listening peer has loaded when it says so."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment["COVEY_HOME"] = str(tmp_path_factory.mktemp("home"))
    program = IDLE.format(room=f"idle-{os.getpid()}")
    return modules_of(program, environment, tmp_path_factory.mktemp("idle"))


def test_an_idle_listener_loads_only_what_it_uses(idle):
    assert {name for name in UNUSED if name in idle} == set()
    assert {"covey.proto.node", "covey.runtime.node", "covey.cli.peer", "asyncio"} <= idle


def test_an_idle_listener_stays_small(idle):
    own = {name for name in idle if name.startswith("covey.")}
    assert len(own) <= IDLE_MODULES


@pytest.mark.parametrize("ends", ["raise OSError('stale')", "{thread}.start(); threading.Event().wait()"])
def test_a_program_that_never_listens_is_told_of_by_its_own_error(ends, tmp_path):
    thread = "threading.Thread(target=lambda: open('/stale/module'))"
    program = IDLE.split("listen.Shown")[0] + ends.format(thread=thread)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with pytest.raises(pytest.fail.Exception, match=r"ended with 1 (.|\n)*stale"):
        modules_of(program, environment, tmp_path)


def test_what_an_idle_listener_does_not_load_exists():
    """A name that nothing has would never be found."""
    from importlib.util import find_spec

    assert [name for name in UNUSED if find_spec(name) is None] == []


def test_a_heavy_import_is_found():
    assert "asyncio" in loaded_by("import asyncio") & HEAVY
