"""keygen, fingerprint, schema: the commands that need no running peer."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.program import Program


def test_keygen_makes_an_identity_that_fingerprint_shows(covey: Program) -> None:
    made = covey("keygen", "writer", "--json").json
    path = covey.home / "peers" / "writer" / "identity.json"
    assert made["path"] == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(covey.home.stat().st_mode) == 0o700
    shown = covey("fingerprint", "writer", "--json").json
    assert shown == {name: made[name] for name in shown}
    raw = base64.urlsafe_b64decode(shown["public_key"] + "=")
    assert shown["fingerprint"] == hashlib.sha256(raw).hexdigest()
    assert shown["keyprint"] == shown["fingerprint"][:16]


def test_what_keygen_and_fingerprint_print(covey: Program) -> None:
    said = covey("keygen", "writer").out.splitlines()
    assert said[0] == "keygen: writer"
    assert [line.split(":")[0].strip() for line in said[1:]] == [
        "algorithm",
        "node id",
        "keyprint",
        "fingerprint",
        "created",
        "public key",
        "kept in",
    ]
    shown = covey("fingerprint", "writer").out.splitlines()
    assert [line.split(":")[0] for line in shown] == [
        "peer",
        "node id",
        "keyprint",
        "fingerprint",
        "public key",
    ]
    secret = json.loads((covey.home / "peers" / "writer" / "identity.json").read_text())["seed"]
    assert secret not in "".join(said + shown)


def test_an_identity_is_replaced_only_when_asked(covey: Program) -> None:
    first = covey("keygen", "writer", "--json").json
    again = covey("keygen", "writer")
    assert again.code == 1
    assert "identity exists" in again.err
    assert "--force" in again.err
    assert covey("fingerprint", "writer", "--json").json["node_id"] == first["node_id"]
    forced = covey("keygen", "writer", "--force", "--json").json
    assert forced["node_id"] != first["node_id"]
    assert covey("fingerprint", "writer", "--json").json["node_id"] == forced["node_id"]


def test_a_new_identity_does_not_inherit_the_memory_of_the_old_one(covey: Program) -> None:
    first = covey("keygen", "writer", "--json").json
    folder = covey.home / "peers" / "writer"
    (folder / "store.db").write_text("memory")
    (folder / "store.db-wal").write_text("its tail")
    forced = covey("keygen", "writer", "--force", "--json").json
    kept = folder / f"store-{first['keyprint']}.db"
    assert forced["old_store"] == str(kept)
    assert kept.read_text() == "memory"
    assert kept.with_name(kept.name + "-wal").read_text() == "its tail"
    assert not (folder / "store.db").exists()


def test_the_key_of_a_running_peer_stays(covey: Program) -> None:
    covey("keygen", "writer")
    hold = "import sys; from pathlib import Path; from covey.system.lock import PeerLock\n"
    hold += (
        "lock = PeerLock.acquire(Path(sys.argv[1]), 'writer'); print('held', flush=True); sys.stdin.read()"
    )
    lock = covey.home / "peers" / "writer" / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(lock)],
        env=covey.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        ended = covey("keygen", "writer", "--force")
        process.communicate("")
    assert ended.code == 2
    assert f'peer "writer" is already running (process {process.pid})' in ended.err


@pytest.mark.parametrize("name", ["../../escape", "/etc/x", ".hidden", "a\nb", "x" * 65, ""])
@pytest.mark.parametrize("command", ["keygen", "fingerprint", "status", "stop", "recall"])
def test_a_bad_name_is_refused_and_leaves_nothing(covey: Program, command: str, name: str) -> None:
    ended = covey(command, name)
    assert ended.code == 2
    assert "peer name" in ended.err
    assert not covey.home.exists()


def test_a_missing_key_says_where_one_looked(covey: Program) -> None:
    ended = covey("fingerprint", "bob")
    path = covey.home / "peers" / "bob" / "identity.json"
    assert (ended.code, ended.out) == (1, "")
    assert (
        ended.err
        == f'covey fingerprint: no key for peer "bob": looked at {path}\n  make one: covey keygen bob\n'
    )
    assert not covey.home.exists()


def test_a_key_that_others_can_read_is_refused(covey: Program) -> None:
    covey("keygen", "writer")
    path = covey.home / "peers" / "writer" / "identity.json"
    path.chmod(0o640)
    ended = covey("fingerprint", "writer")
    assert ended.code == 1
    assert f"identity {path} can be read by others: mode 0640" in ended.err
    assert f"chmod 600 {path}" in ended.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_cannot_be_written_is_named(covey: Program, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        ended = covey("keygen", "writer")
    finally:
        tmp_path.chmod(0o700)
    assert ended.code == 1
    assert f"cannot use {covey.home}: Permission denied" in ended.err


def test_a_home_that_is_a_file_is_named_and_left(covey: Program) -> None:
    covey.home.write_text("mine")
    ended = covey("keygen", "writer")
    assert ended.code == 1
    assert f"cannot use {covey.home}" in ended.err
    assert covey.home.read_text() == "mine"


def test_a_shared_folder_is_no_home(covey: Program, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "letters").write_text("")
    ended = covey("keygen", "writer", COVEY_HOME=str(shared))
    assert ended.code == 1
    assert "open to others and holds other files" in ended.err
    assert sorted(each.name for each in shared.iterdir()) == ["letters"]


def test_the_schema_is_json_on_many_lines_or_one(covey: Program) -> None:
    many, one = covey("schema"), covey("schema", "--json")
    assert json.loads(many.out) == one.json
    assert len(many.out.splitlines()) > 100
    assert len(one.out.splitlines()) == 1
    assert one.json["properties"]["mesh"]["additionalProperties"] is False
