"""`covey invite` and `covey join`: two homes that know nothing of each other, and one line between them."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from covey import _core
from tests.e2e.program import ROOM, Program, Running
from tests.e2e.test_relay import relay

NOW = int(time.time() * 1000)
HOUR = 3_600_000


@pytest.fixture
def guest(tmp_path: Path) -> Program:
    """The program on what could be another machine: another home, no registry in common."""
    return Program(tmp_path / "elsewhere")


@contextlib.contextmanager
def inviting(covey: Program, *words: str, **env: str) -> Iterator[tuple[Running, str]]:
    with covey.start("invite", "ann", "--listen", "--json", "--room", ROOM, *words, **env) as ann:
        line = ann.event("invite")["invite"]
        ann.event("listening")
        yield ann, line


def kept(folder: Path, line: str) -> Path:
    """Write an invite to a private file."""
    path = folder / "invite.txt"
    path.touch(mode=0o600)
    path.write_text(line + "\n")
    return path


def made(**changed: object) -> str:
    who = _core.Identity("01900000-0000-7000-8000-000000000001", "Ada", bytes([1] * 32))
    terms: dict[str, object] = {
        "room": ROOM,
        "relays": [],
        "token": None,
        "addresses": ["127.0.0.1:9"],
        "owner_key": None,
        "grant": None,
        "created_ms": NOW - HOUR,
        "expires_ms": NOW + HOUR,
        "invite_id": bytes(16),
        "once": False,
    }
    return _core.Invite.sign(who, **{**terms, **changed}).line  # type: ignore[arg-type]  # names are theirs


def test_a18_two_machines_meet_by_an_invite_with_an_address_and_trust_each_other(
    covey: Program, guest: Program, tmp_path: Path
) -> None:
    config, file = tmp_path / "guest.toml", tmp_path
    with inviting(covey, "--once") as (ann, line):
        words = (
            "join",
            "--file",
            str(kept(file, line)),
            "--config",
            str(config),
            "--yes",
            "--listen",
            "--json",
        )
        with guest.start(*words) as bob:
            assert bob.event("joined")["room"] == ROOM
            bob.event("listening")
            while not any(each["trusted"] for each in covey("peers", "ann", "--json").json["peers"]):
                pass
            (seen,) = guest("peers", "guest", "--json").json["peers"]
            assert (seen["name"], seen["identity"], seen["trusted"]) == ("ann", "pinned", True)
            said = guest("observe", "--room", ROOM, "--peer", "guest", "--focus", "hello ann", "--json").json
            heard = ann.event("delivered")["delivery"]
            assert (heard["block"]["key"], heard["wakes"]) == (said["block"]["key"], True)
            # a second machine with the same line comes in as a stranger, and is told why
            third = Program(tmp_path / "third")
            again = ("join", "--file", str(tmp_path / "invite.txt"), "--config", str(tmp_path / "t.toml"))
            with third.start(*again, "--yes", "--listen", "--json") as late:
                told = late.event("invite-answered")
                assert (told["name"], told["answer"], told["ours"]) == ("ann", "used", False)
            while (shown := ann.event("invite-answered"))["answer"] == "welcome":
                pass
            assert (shown["name"], shown["answer"], shown["ours"]) == ("guest", "used", True)
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
    trusted = covey("trust", "list", "ann", "--json").json["trusted"]
    assert [each["note"] for each in trusted] == ["came by invite as guest"]
    (given,) = json.loads((covey.home / "peers/ann/invites.json").read_text())["given"]
    assert len(given["guests"]) == 1
    assert _core.Invite.parse(line).invite_id.hex() not in json.dumps(given), "the file invites nobody"


def test_a17_two_machines_meet_through_the_relay_that_an_invite_names_and_no_command_line_shows_its_secrets(
    covey: Program, guest: Program, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text("lab s3cret-t0ken\n")
    with (
        relay(covey, "--tokens", str(tokens)) as (_, url),
        inviting(covey, "--relay", url, COVEY_RELAY_TOKEN="s3cret-t0ken") as (ann, line),
    ):
        words = ("join", "--file", str(kept(tmp_path, line)), "--config", str(tmp_path / "g.toml"))
        with guest.start(*words, "--yes", "--listen", "--json") as bob:
            bob.event("listening")
            while "relay" not in [p["path"] for each in _peers(guest) for p in each["paths"]]:
                pass
            for process in (ann.process, bob.process):
                shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
                assert b"s3cret" not in shown and b"covey:invite" not in shown
    for log in [*covey.home.rglob("*.log"), *guest.home.rglob("*.log")]:
        assert "s3cret-t0ken" not in log.read_text()
    assert "s3cret-t0ken" in (tmp_path / "g.toml").read_text()


def _peers(program: Program) -> list[dict[str, list[dict[str, str]]]]:
    found: list[dict[str, list[dict[str, str]]]] = program("peers", "guest", "--json").json["peers"]
    return found


def test_an_invite_for_a_gated_room_brings_the_grant_of_its_guest(
    covey: Program, guest: Program, tmp_path: Path
) -> None:
    key = covey("keygen", "owner", "--json").json
    who = guest("keygen", "guest", "--json").json
    config = tmp_path / "owner.toml"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    mesh = f'room = "lab-{ROOM}"\nroom_owner = "{key["public_key"]}"\nlisten = {port}'
    config.write_text(
        f'[identity]\nname = "owner"\nrole = "generic"\n[mesh]\n{mesh}\n[model]\nadapter = "scripted"\n'
        '[[scripted.rules]]\nemit = { focus = "heard" }\n'
    )
    nobody = covey("invite", "--config", str(config))
    assert (nobody.code, "--for <nodeId> --key" in nobody.err) == (2, True)
    named = ("--for", who["node_id"], "--key", who["public_key"])
    line = covey("invite", "--config", str(config), *named, "--json").json["invite"]
    stranger = Program(tmp_path / "stranger")
    stranger("keygen", "guest")
    refused = stranger("join", "-", "--yes", "--config", str(tmp_path / "s.toml"), stdin=line)
    assert (refused.code, "for another node" in refused.err) == (2, True)
    done = guest("join", "-", "--yes", "--config", str(tmp_path / "guest.toml"), "--json", stdin=line)
    assert done.code == 0
    with (
        covey.start("run", "--config", str(config), "--json") as owner,
        guest.start("run", "--config", str(tmp_path / "guest.toml"), "--json"),
    ):
        assert owner.event("peer-joined")["peer"]["node_id"] == who["node_id"]
    assert [each["identity"] for each in covey("trust", "list", "owner", "--json").json["trusted"]] == [
        who["node_id"]
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hello", "expected covey:invite."),
        (made(expires_ms=NOW - HOUR // 2), "expired"),
        (made(created_ms=NOW + HOUR, expires_ms=NOW + 2 * HOUR), "ahead"),
        (made()[:-5], "cut off"),
        (made().replace(".1.", ".9."), "version 9; this build reads 1"),
        (made()[:60] + ("A" if made()[60] != "A" else "B") + made()[61:], "changed on its way"),
        (made(relays=["ws://relay.example"]), "relay without TLS"),
        (made(relays=["https://x"]), "a wss:// address"),
        (made(addresses=["nowhere"]), "host:port"),
    ],
)
def test_an_invite_that_cannot_be_used_says_why_and_writes_nothing(
    guest: Program, line: str, said: str
) -> None:
    ended = guest("join", "-", "--yes", "--config", str(guest.home.parent / "g.toml"), stdin=line)
    assert (ended.code, said in ended.err) == (2, True), ended.err
    assert "hint" in ended.err or "  " in ended.err, "the next step is named"
    assert not guest.home.exists() and not (guest.home.parent / "g.toml").exists()


def test_an_invite_on_the_command_line_or_open_to_others_is_refused_and_nobody_is_asked_without_a_terminal(
    guest: Program, tmp_path: Path
) -> None:
    config = ("--config", str(tmp_path / "g.toml"))
    shown = guest("join", made(), *config)
    assert (shown.code, "other users can see command lines" in shown.err) == (2, True)
    file = kept(tmp_path, made())
    file.chmod(0o644)
    opened = guest("join", "--file", str(file), *config)
    assert (opened.code, "can be read by others" in opened.err) == (2, True)
    file.chmod(0o600)
    asked = guest("join", "--file", str(file), *config)
    assert (asked.code, "--yes goes on" in asked.err) == (2, True)
    assert not guest.home.exists()


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_a_person_pastes_the_invite_sees_what_follows_and_decides(
    guest: Program, answer: str, code: int
) -> None:
    config = guest.home.parent / "g.toml"
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "covey", "join", "--config", str(config)]
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=guest.env) as process:
        os.close(theirs)
        os.write(ours, made().encode() + b"\n" + answer.encode() + b"\n")
        shown = b""
        with contextlib.suppress(OSError):  # a closed terminal ends the reading so
            while more := os.read(ours, 65_536):
                shown += more
        assert process.wait() == code
    os.close(ours)
    for fact in (b"Ada invites you to room", b"fingerprint:", b"127.0.0.1:9", b"go on?"):
        assert fact in shown
    assert config.exists() == (code == 0)
    assert guest.home.exists() == (code == 0)


def test_a_second_key_in_the_name_of_who_invited_is_refused(guest: Program, tmp_path: Path) -> None:
    first = guest("join", "-", "--yes", "--config", str(tmp_path / "a.toml"), stdin=made())
    assert first.code == 0
    other = _core.Identity("01900000-0000-7000-8000-000000000001", "Ada", bytes([2] * 32))
    forged = _core.Invite.sign(
        other,
        room=ROOM,
        relays=[],
        token=None,
        addresses=["127.0.0.1:9"],
        owner_key=None,
        grant=None,
        created_ms=NOW,
        expires_ms=NOW + HOUR,
        invite_id=bytes(16),
        once=False,
    )
    ended = guest("join", "-", "--yes", "--config", str(tmp_path / "b.toml"), stdin=forged.line)
    assert (ended.code, "by another key" in ended.err) == (1, True)
    assert not (tmp_path / "b.toml").exists()
