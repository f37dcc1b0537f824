"""What doctor asks of each peer: its identity, its trust, its lock and socket, its store."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from covey.cli.doctor.finding import Finding
from covey.cli.doctor.folders import remove_socket
from covey.errors import CoveyError, IpcError, NotRunningError
from covey.limits import DOCTOR_ANSWER_SECONDS
from covey.names import peer_complaint
from covey.net.ipc.client import IpcClient
from covey.system import identity as ids
from covey.system import trust as books
from covey.system.home import Home
from covey.system.lock import PeerLock, running_pid

_SHOWN: Final = 3
"""Problems of one store that are listed; the rest is counted."""


def look(home: Home) -> Iterator[Finding]:
    """Yield what each peer of a home is like, and each socket without a peer."""
    names = home.peers()
    for name in names:
        section = f"peer {name}"
        yield _identity(home, name, section)
        yield from _trust(home, name, section)
        pid = running_pid(home.lock_path(name))
        if pid is None:
            yield from _stopped(home, name, section)
        else:
            yield _running(home, name, pid, section)
    yield from _ownerless(home, names)
    if not names:
        yield Finding("peers", "peers", "info", "none yet: covey init <peer>, or covey listen")


def _identity(home: Home, name: str, section: str) -> Finding:
    try:
        found = ids.load(home.identity_path(name))
    except CoveyError as error:
        if error.code == "identity_missing":
            return Finding(section, "identity", "info", "none yet: the first run makes it")
        return Finding(section, "identity", "FAIL", error.message, error.hint)
    if found.name != name:
        return Finding(
            section,
            "identity",
            "FAIL",
            f'belongs to peer "{found.name}"',
            "one agent has one node id and one key: move the folder to its own name",
        )
    kept = "sealed" if isinstance(found, ids.SealedIdentity) else "in the clear"
    return Finding(section, "identity", "ok", f"{found.node_id}, key {found.keyprint} ({kept})")


def _trust(home: Home, name: str, section: str) -> Iterator[Finding]:
    try:
        book = books.load(home.trust_path(name))
    except CoveyError as error:
        yield Finding(section, "trust", "FAIL", error.message, error.hint)
        return
    if book.entries:
        yield Finding(section, "trust", "ok", f"{len(book.entries)} identities, {len(book.pins)} pinned")


def _running(home: Home, name: str, pid: int, section: str) -> Finding:
    """Ask a peer whose lock is held for its status."""
    try:
        with IpcClient(home.socket_path(name), DOCTOR_ANSWER_SECONDS) as peer:
            found = peer.request("status")
    except NotRunningError:
        return Finding(
            section,
            "process",
            "warn",
            f"process {pid} holds its lock and has no control socket",
            "it starts, ends, or is a short command; if it stays so, end it: kill " + str(pid),
        )
    except IpcError as error:
        return Finding(
            section,
            "process",
            "FAIL",
            f"process {pid}: {error.message}",
            f"is it stopped (kill -CONT {pid}) or overloaded? else end it: kill {pid}",
        )
    return _healthy(found, section)


def _healthy(found: dict[str, Any], section: str) -> Finding:
    node, agent = found["node"], found["agent"]
    model = "no agent" if agent is None else agent["model"]
    detail = f"ALIVE  pid={found['pid']} room={node['room']} model={model} peers={node['peers']}"
    if found["log_lines_lost"]:
        return Finding(
            section,
            "process",
            "warn",
            f"{detail}; {found['log_lines_lost']} log lines lost",
            f"make room for {found['log']}",
        )
    return Finding(section, "process", "ok", detail)


def _stopped(home: Home, name: str, section: str) -> Iterator[Finding]:
    yield Finding(section, "process", "ok", "stopped; its lock is free")
    path = home.socket_path(name)
    if _is_socket(path):
        yield Finding(
            section,
            "socket",
            "FAIL",
            f"stale: nobody is behind {path}",
            f"rm {path}",
            partial(remove_socket, home, name, path),
        )
    if home.store_path(name).exists():
        yield _store(home, name, section)


def _store(home: Home, name: str, section: str) -> Finding:
    """Check every page of a store whose peer does not run, and keep it from starting meanwhile."""
    from covey import _core
    from covey.store import open_store, store_error

    path = home.store_path(name)
    try:
        lock = PeerLock.acquire(home.lock_path(name), name)
        try:
            store = open_store(path, ids.load(home.identity_path(name)).node_id)
            try:
                problems, figures = store.integrity(), store.stats()
            finally:
                store.close()
        finally:
            lock.release()
    except _core.CoreError as error:
        refusal = store_error(error)
        return Finding(section, "store", "FAIL", refusal.message, refusal.hint)
    except CoveyError as error:
        return Finding(section, "store", "FAIL", error.message, error.hint)
    if problems:
        more = f" (and {len(problems) - _SHOWN} more)" if len(problems) > _SHOWN else ""
        return Finding(
            section,
            "store",
            "FAIL",
            f"{path} is damaged: {'; '.join(problems[:_SHOWN])}{more}",
            "keep a copy, then move it away; covey makes a new store on the next start",
        )
    size = (figures["file_bytes"] + figures["log_bytes"]) // 1_024
    return Finding(section, "store", "ok", f"{figures['records']} blocks, {size} KiB, no page damaged")


def _ownerless(home: Home, names: list[str]) -> Iterator[Finding]:
    """Yield sockets of names that have no folder here."""
    for path in sorted((home.path / "run").glob("*.sock")):
        name = path.stem
        if name in names or not _is_socket(path):
            continue
        try:
            IpcClient(path, DOCTOR_ANSWER_SECONDS).close()
        except NotRunningError:
            known = name if peer_complaint(name) is None and home.peer_folder(name).exists() else None
            yield Finding(
                "peers",
                "socket",
                "FAIL",
                f"stale: nobody is behind {path}",
                f"rm {path}",
                partial(remove_socket, home, known, path),
            )
        except IpcError as error:
            yield Finding("peers", "socket", "FAIL", error.message, error.hint)
        else:
            yield Finding("peers", "socket", "warn", f"{path} answers, and {name} has no folder here")


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode)
    except OSError:
        return False
