"""The recipes of examples/deploy: what they say agrees with what covey does."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from covey import limits
from covey.cli.parser import Parser
from covey.cli.run import configure
from covey.errors import EXIT_USAGE
from tests.tidy import tree

FOLDER = tree.ROOT / "examples/deploy"
UNIT = (FOLDER / "covey@.service").read_text()
IMAGE = (FOLDER / "Containerfile").read_text()
COMPOSE = (FOLDER / "compose.yaml").read_text()
LAST_LINE = IMAGE.splitlines()[-1]
DRAIN_AND_END = limits.AGENT_DRAIN_SECONDS + limits.STOP_SECONDS


def values(unit: str, name: str) -> list[str]:
    """Return what a unit gives a setting, in order."""
    return re.findall(rf"(?m)^{name}=(.*)$", unit)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever that is."""
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_nobody_is_killed_while_it_drains() -> None:
    assert float(values(UNIT, "TimeoutStopSec")[0]) > DRAIN_AND_END
    (grace,) = re.findall(r"stop_grace_period: (\d+)s", COMPOSE)
    assert float(grace) > DRAIN_AND_END
    assert values(UNIT, "KillSignal") == ["SIGTERM"]
    assert "STOPSIGNAL SIGTERM" in IMAGE


def test_what_no_restart_mends_is_not_restarted() -> None:
    assert values(UNIT, "RestartPreventExitStatus") == [str(EXIT_USAGE)]


@pytest.mark.parametrize(
    "command", [*values(UNIT, "ExecStart"), " ".join(re.findall(r'"([^"]+)"', LAST_LINE))]
)
def test_the_command_line_is_one_that_covey_takes(command: str) -> None:
    verb = command.removeprefix("/opt/covey/bin/covey ").split()[0]
    words = command.partition(verb)[2].split()
    assert verb == "run"
    parser = Parser("run", "", "")
    configure(parser)
    parsed = parser.read(words)
    assert parsed is not None
    assert parsed.config.parent == Path("/etc/covey")


def test_home_is_the_only_place_that_can_be_written() -> None:
    assert "COVEY_HOME=/var/lib/covey" in values(UNIT, "Environment")[0].split()
    assert values(UNIT, "StateDirectory") == ["covey"]
    assert values(UNIT, "ProtectSystem") == ["strict"]
    assert values(UNIT, "ReadWritePaths") == []
    assert "COVEY_HOME=/var/lib/covey" in IMAGE
    assert "VOLUME /var/lib/covey" in IMAGE
    assert "read_only: true" in COMPOSE


def test_nobody_is_root_and_no_key_is_in_the_image() -> None:
    assert values(UNIT, "User") == ["covey"]
    assert re.findall(r"(?m)^USER (\d+)$", IMAGE) == ["10001"]
    assert not re.search(r"(?i)(api_key|token|passphrase)", IMAGE)
    assert {"**/*.env", "**/*.key", ".git"} <= set((tree.ROOT / ".dockerignore").read_text().splitlines())


def test_the_process_of_the_container_gets_its_signals_itself() -> None:
    assert re.search(r'(?m)^ENTRYPOINT \["covey"\]$', IMAGE)


def test_systemd_takes_the_unit_and_finds_little_exposed(tmp_path: Path) -> None:
    """Only paths of the target machine are replaced: covey and its user are not installed here."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze on this machine")
    unit = tmp_path / "covey@.service"
    unit.write_text(UNIT.replace("/opt/covey/bin/covey", "/bin/true"))
    instance = tmp_path / "covey@writer.service"
    instance.symlink_to(unit)
    checked = subprocess.run(
        [analyze, "verify", "--man=no", str(instance)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    about_us = [line for line in checked.stderr.splitlines() if "covey@" in line]
    assert (about_us, checked.returncode) == ([], 0), checked.stderr
    rated = run(analyze, "security", "--offline=yes", "--threshold=25", str(instance))
    assert rated.returncode == 0, rated.stdout[-400:] + rated.stderr


def test_systemd_would_complain_of_a_unit_that_is_wrong(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze on this machine")
    unit = tmp_path / "covey@writer.service"
    unit.write_text(
        UNIT.replace("/opt/covey/bin/covey", "/bin/true").replace("ProtectHome=", "ProtectHouse=")
    )
    checked = run(analyze, "verify", "--man=no", str(unit))
    assert "ProtectHouse" in checked.stderr
