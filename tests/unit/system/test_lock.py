"""One process per peer: the system's lock says who, and a dead process holds nothing."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from covey.errors import CollisionError, StoreError
from covey.system.lock import PeerLock, running_pid

HOLD = """
import sys
from pathlib import Path
from covey.system.lock import PeerLock
lock = PeerLock.acquire(Path(sys.argv[1]), "writer")
print("held", flush=True)
sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_which_one_runs_and_exits_with_2(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as process:
        with pytest.raises(
            CollisionError, match=f'peer "writer" is already running .process {process.pid}.'
        ) as caught:
            PeerLock.acquire(path, "writer")
        assert caught.value.exit_code == 2
        assert running_pid(path) == process.pid
        process.communicate("")
    assert running_pid(path) is None


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as process:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert path.exists()
    PeerLock.acquire(path, "writer").release()


def test_asking_who_runs_does_not_take_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    PeerLock.acquire(path, "writer").release()
    for _ in range(3):
        assert running_pid(path) is None
    lock = PeerLock.acquire(path, "writer")
    assert running_pid(path) == os.getpid()
    lock.release()
    lock.release()
    assert running_pid(tmp_path / "none") is None


def test_the_file_is_private_and_never_a_link(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    PeerLock.acquire(path, "writer").release()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(StoreError, match="cannot open lock"):
        PeerLock.acquire(tmp_path / "link", "writer")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot open lock .*No such file"):
        PeerLock.acquire(tmp_path / "none" / "lock", "writer")
