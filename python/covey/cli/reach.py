"""Reaching a running peer from a command, and saying where one looked when there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from covey.cli.parser import nearest
from covey.errors import NotRunningError, UsageError
from covey.net.ipc.client import IpcClient
from covey.system.home import Home
from covey.system.lock import running_pid

if TYPE_CHECKING:
    from covey.ports import Memory


def running(home: Home) -> list[str]:
    """Return the names of the peers that run on this machine under this home, sorted."""
    return [name for name in home.peers() if running_pid(home.lock_path(name)) is not None]


def client(home: Home, name: str) -> IpcClient:
    """Connect to the running peer called `name`.

    Raises:
        InvalidNameError: The name may not be a peer's.
        NotRunningError: It does not run; the error says where one looked and who runs instead.
        IpcError: Its socket is there and may not be used.
    """
    path = home.socket_path(name)
    try:
        return IpcClient(path)
    except NotRunningError as error:
        raise not_running(home, name) from error


def not_running(home: Home, name: str) -> NotRunningError:
    """Build the error for a peer that does not run."""
    others = running(home)
    if name in others:
        return NotRunningError(
            f'peer "{name}" runs and takes no commands: looked at {home.socket_path(name)}',
            hint="it is still starting, or serves one short command: try again in a moment",
        )
    if others:
        near = nearest(name, others)
        guess = "" if near is None else f"did you mean {near}?\n"
        hint = f"{guess}running on this machine: {', '.join(others)}"
    else:
        hint = "no peer runs on this machine\nstart one: covey run --config <agent.toml>, or covey listen"
    return NotRunningError(f'no running peer named "{name}": looked at {home.socket_path(name)}', hint=hint)


def the_one(home: Home, name: str | None) -> str:
    """Return `name`, or without one the only peer that runs.

    Raises:
        NotRunningError: No name was given and nobody runs.
        UsageError: No name was given and several run.
    """
    if name is not None:
        return name
    found = running(home)
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"which peer? {len(found)} run on this machine: {', '.join(found)}", hint="name one of them"
        )
    raise NotRunningError(
        f"no peer runs on this machine: looked in {home.path / 'peers'}",
        hint="start one: covey run --config <agent.toml>, or covey listen",
    )


def ask_or_read(
    home: Home,
    name: str,
    cmd: str,
    arguments: Mapping[str, object],
    read: Callable[[Memory], dict[str, Any]],
) -> dict[str, Any]:
    """Ask a running peer, or read the store of one that does not run.

    Args:
        home: Where the peers are.
        name: Whose memory.
        cmd: The verb for a running peer.
        arguments: Its arguments.
        read: Gives the same answer from the memory itself.

    Raises:
        NotRunningError: There is neither a running peer nor a store of that name.
        IpcError: The peer refused.
        StoreError: The store cannot be opened.
    """
    path = home.socket_path(name)
    try:
        peer = IpcClient(path)
    except NotRunningError:
        return _read_offline(home, name, read)
    with peer:
        return peer.request(cmd, arguments)


def saved_state(home: Home, name: str, *states: str) -> dict[str, bytes | None]:
    """Return what a peer that does not run kept under these names.

    Raises:
        NotRunningError: There is no peer of that name.
        StoreError: The store cannot be opened.
    """
    known(home, name)
    from covey.cli.peer import stored
    from covey.store import StoreWakes

    with stored(home, name) as (store, _):
        wakes = StoreWakes(store)
        return {each: wakes.state_get(each) for each in states}


def _read_offline(home: Home, name: str, read: Callable[[Memory], dict[str, Any]]) -> dict[str, Any]:
    known(home, name)
    from covey.cli.peer import stored_memory

    with stored_memory(home, name) as memory:
        return read(memory)


def known(home: Home, name: str) -> None:
    """Refuse a name of which there is neither a running peer nor a store."""
    if not home.store_path(name).exists():
        known = home.peers()
        near = nearest(name, known)
        guess = "" if near is None else f"did you mean {near}?\n"
        raise NotRunningError(
            f'no peer named "{name}": looked at {home.socket_path(name)} and {home.store_path(name)}',
            code="unknown_peer",
            hint=f"{guess}peers of this machine: {', '.join(known) or 'none'}",
        )
