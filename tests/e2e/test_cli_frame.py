"""The command line as a user meets it: help, versions, wrong words, broken outputs, bugs."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from covey import __version__
from covey.cli.commands import COMMANDS, GROUPS
from covey.model import CAT7
from tests.e2e.program import Program

BUILT = list(COMMANDS)
HEAVY = {
    "asyncio",
    "uvloop",
    "rich",
    "zeroconf",
    "anthropic",
    "openai",
    "msgpack",
    "nacl",
    "covey._core",
    "ssl",
}


@pytest.mark.parametrize("words", [["--version"], ["-v"], ["-V"], ["version"]])
def test_the_version(covey: Program, words: list[str]) -> None:
    assert covey(*words).out == f"{__version__}\n"
    assert covey(*words, "--json").json == {"version": __version__}


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_the_help_lists_every_command(covey: Program, words: list[str]) -> None:
    ended = covey(*words)
    assert (ended.code, ended.err) == (0, "")
    for name, command in COMMANDS.items():
        assert f"  {name} " in ended.out
        assert command.summary in ended.out
    titles = [line.removesuffix(":") for line in ended.out.splitlines() if line.removesuffix(":") in GROUPS]
    assert titles == list(GROUPS), "each purpose once, above its commands"


@pytest.mark.parametrize("name", BUILT)
def test_x01_each_command_has_its_own_help_with_an_example(covey: Program, name: str) -> None:
    ended = covey(name, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"usage: covey {name}")
    assert f"example:\n  covey {name}" in ended.out
    assert "--json" in ended.out
    assert not covey.home.exists(), "asking for help leaves nothing behind"


@pytest.mark.parametrize("name", BUILT)
def test_each_command_names_an_unknown_flag_and_the_nearest_one(covey: Program, name: str) -> None:
    ended = covey(name, "--jsn")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"covey {name}: unknown flag: --jsn\n  did you mean --json?\n"


LISTED = "covey --help lists what there is"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ("liste", "unknown command: liste", "did you mean listen?"),
        ("toString", "unknown command: toString", LISTED),
        ("--versoin", "unknown flag: --versoin", "did you mean --version?"),
        ("\x1b[2J", "unknown command: \x1b[2J", LISTED),
        ("--quiet status", "unknown flag: --quiet", LISTED),
        ("--json status", "the command comes first: covey status …", None),
        ("keygen", "missing peer", None),
        ("keygen a b", "unexpected argument: b", None),
        ("dry-run", "missing --config", None),
        ("dry-run --config", "--config: expected one argument", None),
        ("stop a --wait x", "--wait: expected seconds from 0 to 3600, got 'x'", None),
        ("recall a --limit 0", "--limit: expected a whole number from 1 to 200, got '0'", None),
        ("observe", f"nothing to say: give at least one of --{', --'.join(CAT7)}", None),
        (
            "observe --focus x --dial nowhere",
            "--dial: expected an address as host:port with a port from 1 to 65535",
            None,
        ),
    ],
)
def test_what_is_wrong_is_named_in_one_line_with_the_next_step(
    covey: Program, words: str, message: str, hint: str | None
) -> None:
    ended = covey(*words.split(" "))
    first = words.split(" ")[0]
    said = f"covey {first}" if first in COMMANDS else "covey"
    hint = hint or f"{said} --help says more"
    assert (ended.code, ended.err) == (2, f"{said}: {message}\n  {hint}\n".replace("\x1b", "\\x1b"))
    error = covey(*words.split(" "), "--json")
    assert error.code == 2
    assert error.json["error"]["message"] == message
    assert error.json["error"]["hint"] == hint


@pytest.mark.parametrize("words", [[b"keygen", b"\xff"], [b"observe", b"--focus", b"\xff\xfe"]])
def test_words_that_are_not_utf8_are_refused_by_name(covey: Program, words: list[bytes]) -> None:
    ended = covey(*words)
    assert ended.code == 2
    assert "not valid UTF-8" in ended.err


def test_a_path_may_be_any_bytes(covey: Program, tmp_path: Path) -> None:
    ended = covey(b"dry-run", b"--config", os.fsencode(tmp_path) + b"/\xff.toml")
    assert ended.code == 1
    assert "\\udcff.toml" in ended.out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_no_character_makes_printing_fail(covey: Program, encoding: str) -> None:
    ended = covey("liste\N{SNOWMAN}", PYTHONIOENCODING=encoding)
    assert ended.code == 2
    assert "\\u2603" in ended.err


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["keygen", "--help"], ["--versoin"]])
def test_answers_about_the_program_itself_load_nothing_heavy(covey: Program, words: list[str]) -> None:
    report = f"""
import sys
from covey.cli import main
try:
    main({words!r})
finally:
    print("\\n" + " ".join(sorted(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", report], env=covey.env, capture_output=True, text=True, check=True, timeout=60
    )
    assert set(done.stdout.splitlines()[-1].split()) & HEAVY == set()


def test_a_reader_that_has_seen_enough_causes_no_complaint(covey: Program) -> None:
    command = f"{sys.executable} -u -m covey schema | head -1"
    done = subprocess.run(["sh", "-c", command], env=covey.env, capture_output=True, check=True, timeout=60)
    assert done.stdout.startswith(b"{")
    assert done.stderr == b""


def test_an_output_that_is_closed_or_full_is_no_traceback(covey: Program) -> None:
    closed = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m covey --version >&- 2>&-"], env=covey.env, check=False, timeout=60
    )
    assert closed.returncode == 0
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "covey", "--version"],
            env=covey.env,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr == b"covey: cannot write output: No space left on device\n"


BUG = """
import sys
import covey.cli.schema
def run(arguments, console):
    raise RuntimeError("boom with key sk-ant-abcdefgh12345678\\nsecond line")
covey.cli.schema.run = run
from covey.cli import main
sys.exit(main(["schema", "--json"]))
"""


def test_a_bug_is_one_line_and_its_traceback_is_in_the_log_without_secrets(covey: Program) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUG], env=covey.env, capture_output=True, text=True, check=False, timeout=60
    )
    log = covey.home / "logs" / "covey.log"
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("covey schema: internal error: RuntimeError: boom with key")
    assert f"report with the log at {log}" in done.stderr
    assert "Traceback" not in done.stderr
    assert "abcdefgh12345678" not in done.stderr + done.stdout
    assert json.loads(done.stdout)["error"]["code"] == "internal"
    written = json.loads(log.read_text())
    assert "Traceback" in written["data"]["traceback"][0]
    assert "abcdefgh12345678" not in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_bug_where_no_log_can_be_written_is_still_one_line(covey: Program) -> None:
    covey.home.write_text("in the way")
    done = subprocess.run(
        [sys.executable, "-c", BUG], env=covey.env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "no log could be written" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_interrupt_is_silent(covey: Program) -> None:
    script = BUG.replace(
        'raise RuntimeError("boom with key sk-ant-abcdefgh12345678\\nsecond line")',
        'print("ready", flush=True); sys.stdin.read()',
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=covey.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
