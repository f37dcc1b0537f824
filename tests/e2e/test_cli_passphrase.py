"""Sealed keys through the real program: made, opened, changed, removed; asked for without an echo."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.program import ROOM, SECONDS, Ended, Program

OLD = "correct horse battery"
NEW = "another staple of them"
CHEAP = ("--cost", "interactive")
ON_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
CONFIG = f"""
[identity]
name = "writer"
role = "writer"
[mesh]
room = "{ROOM}"
[model]
adapter = "scripted"
[[scripted.rules]]
emit = {{ focus = "heard: {{focus}}", commitment = "done with it" }}
"""


def key_file(covey: Program) -> Path:
    return covey.home / "peers" / "writer" / "identity.json"


def secret_file(folder: Path, text: str, name: str = "secret") -> str:
    path = folder / name
    path.touch(0o600)
    path.write_text(text)
    return str(path)


@pytest.fixture
def sealed(covey: Program) -> Program:
    """Return the program with a sealed key for writer."""
    made = covey("keygen", "writer", "--passphrase", *CHEAP, "--json", COVEY_PASSPHRASE=OLD)
    assert (made.code, made.json["sealed"]) == (0, True)
    return covey


def at_a_terminal(covey: Program, words: list[str], answers: list[tuple[str, str]]) -> tuple[int, str]:
    """Run a command on a terminal of its own; answer each question; return exit code and what it showed."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, *covey.words(words)],
        env=covey.env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown, waiting, deadline = b"", list(answers), time.monotonic() + SECONDS
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1.0)[0]:
                continue
            try:
                read = os.read(ours, 4_096)
            except OSError:  # how Linux says that nobody has the other end open any more
                break
            if not read:
                break
            shown += read
            if waiting and waiting[0][0].encode() in shown:
                os.write(ours, waiting.pop(0)[1].encode())
        assert not waiting, shown
        return process.wait(SECONDS), shown.decode()
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def observe(covey: Program, *words: str, **env: str) -> Ended:
    """Say something new as writer; nobody is there to take it."""
    said = f"hello {os.urandom(4).hex()}"
    return covey("observe", "--peer", "writer", "--focus", said, "--wait", "0", *words, **env)


def test_a_sealed_key_shows_its_fingerprint_without_the_passphrase(sealed: Program) -> None:
    shown = sealed("fingerprint", "writer", "--json").json
    assert shown["sealed"] is True
    assert "sealed:      by a passphrase (argon2id, 2 x 64 MiB)" in sealed("fingerprint", "writer").out
    assert "seed" not in json.loads(key_file(sealed).read_text())


def test_memory_is_read_without_the_passphrase(sealed: Program) -> None:
    key = observe(sealed, "--json", COVEY_PASSPHRASE=OLD).json["block"]["key"]
    assert [block["key"] for block in sealed("recall", "writer", "--json").json["blocks"]] == [key]


def test_a_person_is_asked_twice_and_sees_nothing_of_what_is_typed(covey: Program) -> None:
    code, shown = at_a_terminal(
        covey,
        ["keygen", "writer", "--passphrase", *CHEAP],
        [("new passphrase of writer: ", OLD + "\n"), ("the same again: ", OLD + "\n")],
    )
    assert code == 0, shown
    assert "sealed:      by a passphrase" in shown
    assert OLD not in shown
    assert "nobody was there" in observe(covey, COVEY_PASSPHRASE=OLD).err, "the key opens"


def test_two_answers_that_differ_make_nothing(covey: Program) -> None:
    code, shown = at_a_terminal(
        covey,
        ["keygen", "writer", "--passphrase", *CHEAP],
        [("new passphrase of writer: ", OLD + "\n"), ("the same again: ", NEW + "\n")],
    )
    assert code == 2
    assert "the two passphrases differ" in shown
    assert not covey.home.exists()


@pytest.mark.parametrize(("typed", "code"), [("\x03", 130), ("\x04", 2)])
def test_whoever_changes_their_mind_at_the_question_is_let_go(sealed: Program, typed: str, code: int) -> None:
    question = [("passphrase of writer: ", typed)]
    ended, shown = at_a_terminal(sealed, ["observe", "--peer", "writer", "--focus", "hello"], question)
    assert ended == code
    assert "Traceback" not in shown


def test_without_a_passphrase_nothing_starts_and_the_next_step_is_named(
    sealed: Program, tmp_path: Path
) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG)
    for words in (
        ["observe", "--peer", "writer", "--focus", "hello"],
        ["listen", "writer"],
        ["run", "--config", str(config)],
        ["keygen", "writer", "--reseal"],
    ):
        ended = sealed(*words, stdin="")
        assert ended.code == 2, words
        assert 'the key of "writer" needs a passphrase' in ended.err
        assert "set COVEY_PASSPHRASE, give --passphrase-file" in ended.err
    assert not (key_file(sealed).parent / "store.db").exists()


def test_an_owner_signs_grants_with_a_sealed_key(sealed: Program) -> None:
    writer = sealed("fingerprint", "writer", "--json").json
    words = ["grant", "writer", "--room", "lab", "--to", writer["node_id"], "--key", writer["public_key"]]
    assert 'the key of "writer" needs a passphrase' in sealed(*words, stdin="").err
    assert 'wrong passphrase for peer "writer"' in sealed(*words, COVEY_PASSPHRASE=NEW).err
    made = sealed(*words, "--json", COVEY_PASSPHRASE=OLD)
    assert made.json["grant"]["grantee"] == writer["node_id"]


def test_a_wrong_passphrase_is_one_line_and_changes_nothing(sealed: Program) -> None:
    before = key_file(sealed).read_bytes()
    for ended in (
        observe(sealed, COVEY_PASSPHRASE=NEW),
        sealed("keygen", "writer", "--reseal", COVEY_PASSPHRASE=NEW, COVEY_NEW_PASSPHRASE=NEW),
    ):
        assert ended.code == 1
        assert 'wrong passphrase for peer "writer"' in ended.err.splitlines()[0]
    assert key_file(sealed).read_bytes() == before
    assert not (key_file(sealed).parent / "store.db").exists()


def test_a_peer_opens_its_key_from_a_file_and_keeps_the_secret_to_itself(
    sealed: Program, tmp_path: Path
) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG)
    words = ("run", "--config", str(config), "--passphrase-file", secret_file(tmp_path, OLD + "\n"), "--json")
    with sealed.start(*words) as running:
        ready = running.event("ready")
        assert ready["node_id"] == sealed("fingerprint", "writer", "--json").json["node_id"]
        assert sealed("status", "writer", "--json").json["key"] == "sealed"
        assert "key:" in sealed("status", "writer").out
        line = Path(f"/proc/{running.process.pid}/cmdline")
        assert not line.exists() or OLD.encode() not in line.read_bytes()
        again = sealed("keygen", "writer", "--reseal", COVEY_PASSPHRASE=OLD, COVEY_NEW_PASSPHRASE=NEW)
        assert (again.code, "is already running" in again.err) == (2, True)
        running.signal(signal.SIGTERM)
        ended = running.end()
    assert ended.code == 0
    assert OLD not in ended.out + ended.err
    for path in sealed.home.rglob("*"):
        if path.is_file():
            assert OLD.encode() not in path.read_bytes(), path


def test_a_passphrase_is_changed_and_removed_while_the_identity_stays(
    sealed: Program, tmp_path: Path
) -> None:
    first = sealed("fingerprint", "writer", "--json").json
    new = secret_file(tmp_path, NEW)
    changed = sealed(
        *("keygen", "writer", "--reseal", "--new-passphrase-file", new, *CHEAP), COVEY_PASSPHRASE=OLD
    )
    assert (changed.code, changed.out.splitlines()[0]) == (0, "keygen: writer: passphrase changed")
    assert "wrong passphrase" in observe(sealed, COVEY_PASSPHRASE=OLD).err
    assert "nobody was there" in observe(sealed, COVEY_PASSPHRASE=NEW).err
    removed = sealed("keygen", "writer", "--reseal", "--no-passphrase", "--passphrase-file", new)
    assert removed.out.splitlines()[0] == "keygen: writer: passphrase removed: the key is in the clear"
    last = sealed("fingerprint", "writer", "--json").json
    assert last == {**first, "sealed": False}
    assert "nobody was there" in observe(sealed).err
    again = sealed("keygen", "writer", "--reseal", "--passphrase-file", new, *CHEAP)
    assert again.out.splitlines()[0] == "keygen: writer: passphrase set"
    assert sealed("fingerprint", "writer", "--json").json == first


def test_an_absurd_cost_is_refused_at_once(sealed: Program) -> None:
    members = json.loads(key_file(sealed).read_text())
    members["sealed"]["memoryBytes"] = 2**40
    key_file(sealed).write_text(json.dumps(members))
    ended = observe(sealed, COVEY_PASSPHRASE=OLD)
    assert ended.code == 1
    assert "is damaged: sealed: memoryBytes: expected a whole number" in ended.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--reseal", "--force"], "--force replaces it"),
        (["--no-passphrase"], "--no-passphrase is for --reseal"),
        (["--new-passphrase-file", "x"], "is for --reseal"),
        (["--passphrase", "--no-passphrase", "--reseal"], "--passphrase and --no-passphrase"),
        (["--passphrase-file", "missing"], "cannot read passphrase file missing: No such file"),
        (["--cost", "absurd"], "unknown --cost: absurd"),
        (["--passphrase"], "needs a passphrase, and nobody can be asked here"),
    ],
)
def test_flags_that_make_no_sense_make_nothing(covey: Program, words: list[str], complaint: str) -> None:
    ended = covey("keygen", "writer", *words, stdin="")
    assert ended.code == 2
    assert complaint in ended.err
    assert not covey.home.exists()


def test_a_new_passphrase_has_a_least_length_and_an_old_one_has_not(covey: Program) -> None:
    ended = covey("keygen", "writer", "--passphrase", COVEY_PASSPHRASE="1234567")
    assert ended.code == 2
    assert "expected at least 8 characters" in ended.err
    assert not covey.home.exists()


def test_a_passphrase_file_that_others_can_read_is_refused(sealed: Program, tmp_path: Path) -> None:
    path = secret_file(tmp_path, OLD)
    Path(path).chmod(0o640)
    ended = observe(sealed, "--passphrase-file", path)
    assert ended.code == 2
    assert "can be read by others: mode 0640" in ended.err


def test_a_passphrase_may_come_through_a_pipe(sealed: Program) -> None:
    ended = sealed(
        *("observe", "--peer", "writer", "--focus", "hello", "--wait", "0"),
        *("--passphrase-file", "/dev/stdin"),
        stdin=OLD + "\n",
    )
    assert "nobody was there" in ended.err


def test_a_passphrase_file_for_a_key_in_the_clear_is_a_mistake_said_at_once(
    covey: Program, tmp_path: Path
) -> None:
    path = secret_file(tmp_path, OLD)
    assert "covey keygen writer --passphrase" in observe(covey, "--passphrase-file", path).err
    covey("keygen", "writer")
    ended = observe(covey, "--passphrase-file", path)
    assert ended.code == 2
    assert 'the key of "writer" is not sealed' in ended.err
    assert "covey keygen writer --reseal" in ended.err


def test_a_dry_run_opens_a_sealed_key_and_asks_nobody(sealed: Program, tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG)
    words = ("dry-run", "--config", str(config))
    assert "  warn  key  — (warn) sealed: `covey run` will need its passphrase" in sealed(*words).out
    opened = sealed(*words, COVEY_PASSPHRASE=OLD)
    assert (opened.code, "  ok    key  — sealed, and its passphrase opens it" in opened.out) == (0, True)
    wrong = sealed(*words, COVEY_PASSPHRASE=NEW)
    assert (wrong.code, "  FAIL  key  — wrong passphrase" in wrong.out) == (1, True)
