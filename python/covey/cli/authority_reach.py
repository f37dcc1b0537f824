"""Asking a peer about its authority: over its control socket, or over the store of one that does not run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from covey.cli import passphrase
from covey.errors import IdentityError, IpcError, NotRunningError
from covey.net.ipc.client import IpcClient
from covey.system import anchor as anchors
from covey.system.home import Home


def asked(
    home: Home, name: str, request: Mapping[str, object], file: Path | None, env: Mapping[str, str]
) -> dict[str, Any]:
    """Do one request of the verb `authority`.

    Args:
        home: Where the peers are.
        name: Which one.
        request: Its arguments, as `AuthorityPlugin.handle` takes them.
        file: A passphrase file, for a peer that does not run and whose key is sealed.
        env: The environment.

    Raises:
        IdentityError: No anchor is pinned there.
        IpcError: It was not done; it says why.
        StoreError: The store cannot be opened.
    """
    try:
        peer = IpcClient(home.socket_path(name))
    except NotRunningError:
        return _offline(home, name, request, file, env)
    with peer:
        try:
            return peer.request("authority", dict(request))
        except IpcError as error:
            if error.code == "unknown_cmd":
                raise _unpinned(name) from error
            raise


def _offline(
    home: Home, name: str, request: Mapping[str, object], file: Path | None, env: Mapping[str, str]
) -> dict[str, Any]:
    from covey.runtime.authority import StoppedAuthority
    from covey.store import open_store
    from covey.system import identity as ids
    from covey.system.clock import SystemClock
    from covey.system.entropy import SystemEntropy
    from covey.system.lock import PeerLock

    pinned = anchors.load(home.anchor_path(name))
    if pinned is None:
        raise _unpinned(name)
    lock = PeerLock.acquire(home.lock_path(name), name)
    try:
        node_id = ids.load(home.identity_path(name)).node_id
        store = open_store(home.store_path(name), node_id)
        try:
            authority = StoppedAuthority(
                store,
                pinned.native(),
                identity=lambda: ids.native(passphrase.signing(home, name, file, env)),
                nonce=lambda: SystemEntropy().bytes(16),
                now_ms=SystemClock().now_ms,
            )
            return authority.handle(request)
        finally:
            store.close()
    finally:
        lock.release()


def _unpinned(name: str) -> IdentityError:
    return IdentityError(
        f"{name} has pinned no anchor, so nobody has authority there",
        code="no_anchor",
        hint=f"pin one: covey authority pin {name} <public key>:<nodeId>",
    )
