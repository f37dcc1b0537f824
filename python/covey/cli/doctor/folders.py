"""What doctor asks of the home: whose it is, who else may read it, and what dead processes left in it."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from covey.cli.doctor.finding import Finding
from covey.cli.doctor.process import alive
from covey.limits import DOCTOR_FILES, REGISTRY_ENTRIES, REGISTRY_ENTRY_BYTES
from covey.system.home import ROOMS_OF_HOME, Home
from covey.system.lock import PeerLock, running_pid

_SECTION: Final = "home"
_LEFT: Final = re.compile(r"\.(?P<of>.+)\.(?P<pid>[0-9]{1,10})\Z")
"""How every file is called that is written before it is renamed: its own name, and its writer's process."""


def look(home: Home) -> Iterator[Finding]:
    """Yield what the folders of a home are like."""
    old = home.path.parent / ".xmesh"
    if old.is_dir() and home.path.name == ".covey":
        yield Finding(_SECTION, "migrate", "info", f"{old} is there: covey migrate carries its peers over")
    if not home.path.exists():
        yield Finding(_SECTION, "home", "info", f"{home.path} does not exist: no peer has run yet")
        return
    yield _folder(home)
    yield from _permissions(home)
    yield from _leftovers(home)
    yield from _registry(home)


def _folder(home: Home) -> Finding:
    facts = home.path.stat()
    if not stat.S_ISDIR(facts.st_mode):
        return Finding(
            _SECTION, "home", "FAIL", f"{home.path} is no folder", "set COVEY_HOME, or move it away"
        )
    if facts.st_uid != os.geteuid():
        return Finding(
            _SECTION,
            "home",
            "FAIL",
            f"{home.path} belongs to user {facts.st_uid}",
            "set COVEY_HOME to a folder of your own",
        )
    mode = stat.S_IMODE(facts.st_mode)
    if mode & 0o077:

        def close() -> str:
            home.prepare()
            return "closed to others (0700)"

        return Finding(
            _SECTION,
            "home",
            "FAIL",
            f"{home.path} is open to others: mode {mode:04o}",
            f"chmod 700 {home.path}",
            close,
        )
    return Finding(_SECTION, "home", "ok", f"{home.path}, mode {mode:04o}")


def _permissions(home: Home) -> Iterator[Finding]:
    """Yield every file and folder of ours that others may read or write."""
    open_ones = 0
    for path in _walk(home):
        try:
            facts = path.lstat()
        except FileNotFoundError:
            continue
        mode = stat.S_IMODE(facts.st_mode)
        if stat.S_ISLNK(facts.st_mode) or not (mode & 0o077 or facts.st_uid != os.geteuid()):
            continue
        open_ones += 1
        yield _too_open(path, facts.st_uid, mode, stat.S_ISDIR(facts.st_mode))
    if not open_ones:
        yield Finding(_SECTION, "permissions", "ok", "files and folders are yours alone")


def _too_open(path: Path, owner: int, mode: int, is_folder: bool) -> Finding:
    if owner != os.geteuid():
        return Finding(
            _SECTION,
            "permissions",
            "FAIL",
            f"{path} belongs to user {owner}",
            "look who put it there; move it away",
        )
    wanted = 0o700 if is_folder else mode & 0o700

    def close() -> str:
        path.chmod(wanted)
        told = "; others could read this key: if they did, `covey keygen --force` makes another"
        return f"now {wanted:04o}" + (told if path.name == "identity.json" else "")

    return Finding(
        _SECTION,
        "permissions",
        "FAIL",
        f"{path} is open to others: mode {mode:04o}",
        f"chmod {wanted:o} {path}",
        close,
    )


def _walk(home: Home) -> Iterator[Path]:
    looked = 0
    for room in ROOMS_OF_HOME:
        for place, folders, files in os.walk(home.path / room):
            yield Path(place)
            folders.sort()
            for name in sorted(files):
                looked += 1
                if looked > DOCTOR_FILES:
                    return
                yield Path(place) / name


def _leftovers(home: Home) -> Iterator[Finding]:
    """Yield files that a process had begun when it died; one of an identity may hold a key."""
    for path in _walk(home):
        match = _LEFT.match(path.name)
        if match is None or alive(int(match["pid"])) or path.is_dir():
            continue

        def remove(path: Path = path) -> str:
            path.unlink(missing_ok=True)
            return "removed"

        detail = f"{path} was left by process {match['pid']}, which is gone"
        yield Finding(_SECTION, "leftovers", "FAIL", detail, f"rm {path}", remove)


def _registry(home: Home) -> Iterator[Finding]:
    """Yield rows of the same-host registry whose peer is gone."""
    rows = stale = 0
    for path in sorted(home.registry_folder.glob("[0-9a-f]*.json"))[:REGISTRY_ENTRIES]:
        row = _row(path)
        if row is None:
            continue
        rows += 1
        why = _gone(home, row)
        if why is None:
            continue
        stale += 1

        def remove(path: Path = path, row: dict[str, Any] = row) -> str:
            if _row(path) == row:  # a peer that started meanwhile has written its own
                path.unlink(missing_ok=True)
            return "removed"

        yield Finding(_SECTION, "registry", "FAIL", f"{path.name}: {why}", f"rm {path}", remove)
    if not stale:
        yield Finding(_SECTION, "registry", "ok", f"{rows} peer(s) announced, all of them running")


def _row(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(REGISTRY_ENTRY_BYTES))
    except (OSError, ValueError, RecursionError):
        return None  # gone meanwhile, or nothing that anybody would read as a row
    pid = found.get("pid") if isinstance(found, dict) else None
    return found if type(pid) is int and 0 < pid < 2**31 else None  # past that, asking for it is an error


def _gone(home: Home, row: dict[str, Any]) -> str | None:
    """Say why a row's peer is gone: its process is, or its process is another one's by now."""
    pid, name = row["pid"], row.get("name")
    if not alive(pid):
        return f"process {pid} is gone"
    if isinstance(name, str) and name in home.peers() and running_pid(home.lock_path(name)) is None:
        return f"{name} does not run; process {pid} is something else"
    return None


def remove_socket(home: Home, name: str | None, path: Path) -> str:
    """Remove a dead socket; its peer cannot start meanwhile.

    Raises:
        CollisionError: The peer runs after all.
        OSError: It cannot be removed.
    """
    if name is None:
        path.unlink(missing_ok=True)
        return "removed"
    lock = PeerLock.acquire(home.lock_path(name), name)
    try:
        path.unlink(missing_ok=True)
    finally:
        lock.release()
    return "removed"
