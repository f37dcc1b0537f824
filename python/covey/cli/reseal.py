"""What `covey keygen --reseal` does: another passphrase, a first one, or none; the identity stays."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Final

from covey.cli import passphrase
from covey.cli.console import Console
from covey.cli.keygen import cost_of, public_facts
from covey.system import identity as ids
from covey.system.home import Home
from covey.system.identity import PeerIdentity, SealedIdentity, StoredIdentity
from covey.system.lock import PeerLock

_SAID: Final = {
    (False, True): "passphrase set",
    (True, True): "passphrase changed",
    (True, False): "passphrase removed: the key is in the clear",
    (False, False): "no passphrase before and after: the key is in the clear",
}


def reseal(arguments: argparse.Namespace, console: Console) -> int:
    """Write the same identity under another passphrase; on any failure the old file stays.

    Raises:
        CollisionError: The peer runs.
        UsageError: A passphrase is missing or cannot be one.
        IdentityError: There is no identity, the passphrase is wrong, or the file cannot be written.
    """
    home, name = Home.resolve(console.env), arguments.peer
    path = home.identity_path(name)
    ids.load(path)  # without one there is nothing to lock
    lock = PeerLock.acquire(home.lock_path(name), name)
    try:
        old = ids.load(path)
        new = _resealed(old, arguments, console.env)
        ids.save(path, new, replace=True)
    finally:
        lock.release()
    said = _SAID[isinstance(old, SealedIdentity), isinstance(new, SealedIdentity)]
    lines = [
        f"keygen: {name}: {said}",
        f"  node id:     {new.node_id}  (as before)",
        f"  fingerprint: {new.fingerprint}  (as before)",
        f"  kept in:     {path}",
    ]
    console.result({**public_facts(new), "path": str(path)}, "\n".join(lines))
    return 0


def _resealed(old: StoredIdentity, arguments: argparse.Namespace, env: Mapping[str, str]) -> StoredIdentity:
    clear = _opened(old, arguments, env)
    if arguments.no_passphrase:
        return clear
    from covey.system.entropy import SystemEntropy

    found = passphrase.given(arguments.new_passphrase_file, env, passphrase.NEW)
    if found is None and clear is old:  # a first passphrase may come from where a later start reads it
        found = passphrase.given(arguments.passphrase_file, env, passphrase.CURRENT)
    return ids.seal(clear, passphrase.fresh(clear.name, found), cost_of(arguments), SystemEntropy())


def _opened(old: StoredIdentity, arguments: argparse.Namespace, env: Mapping[str, str]) -> PeerIdentity:
    if isinstance(old, PeerIdentity):
        return old
    return ids.unseal(old, passphrase.current(old.name, arguments.passphrase_file, env))
