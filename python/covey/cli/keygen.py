"""`covey keygen`: make a peer's identity before its first run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from covey.cli.console import Console
from covey.cli.parser import Parser
from covey.errors import IdentityError, StoreError
from covey.system import identity as ids
from covey.system.home import Home
from covey.system.lock import PeerLock

if TYPE_CHECKING:
    from covey.system.identity import PeerIdentity

EXAMPLE: Final = "covey keygen writer"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="name of the peer")
    parser.add_argument(
        "--force", action="store_true", help="replace the identity; the old node id and key are then gone"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Make, write and show an identity."""
    from covey.system.clock import SystemClock
    from covey.system.entropy import SystemEntropy
    from covey.system.log import timestamp

    home, name = Home.resolve(console.env), arguments.peer
    home.prepare_peer(name)
    lock = PeerLock.acquire(home.lock_path(name), name)
    try:
        made = ids.generate(name, SystemClock(), SystemEntropy())
        kept = _keep_old_store(home, name) if arguments.force else None
        ids.save(home.identity_path(name), made, replace=arguments.force)
    finally:
        lock.release()
    facts = {
        **public_facts(made),
        "created": timestamp(made.created_ms),
        "path": str(home.identity_path(name)),
    }
    lines = [
        f"keygen: {name}",
        "  algorithm:   ed25519",
        f"  node id:     {made.node_id}",
        f"  keyprint:    {made.keyprint}  (16-hex short form)",
        f"  fingerprint: {made.fingerprint}  (64-hex full form: what others trust)",
        f"  created:     {facts['created']}",
        f"  public key:  {made.public_key_text}",
        f"  kept in:     {facts['path']}",
        *([] if kept is None else [f"  old memory:  {kept}"]),
    ]
    console.result({**facts, "old_store": None if kept is None else str(kept)}, "\n".join(lines))
    return 0


def public_facts(identity: PeerIdentity) -> Mapping[str, object]:
    """Return what everybody may know of an identity, for --json."""
    return {
        "peer": identity.name,
        "algorithm": "ed25519",
        "node_id": identity.node_id,
        "keyprint": identity.keyprint,
        "fingerprint": identity.fingerprint,
        "public_key": identity.public_key_text,
    }


def _keep_old_store(home: Home, name: str) -> Path | None:
    """Put the memory of the old node aside: a store belongs to one node id, and a new key is a new node."""
    store = home.store_path(name)
    if not store.exists():
        return None
    try:
        old = ids.load(home.identity_path(name)).keyprint
    except IdentityError as error:
        if error.code == "identity_missing":
            return None
        old = "damaged"
    kept = store.with_name(f"store-{old}.db")
    try:
        for end in ("", "-wal", "-shm"):
            part = store.with_name(store.name + end)
            if part.exists():
                part.replace(kept.with_name(kept.name + end))
    except OSError as error:
        raise StoreError(f"cannot put {store} aside: {error.strerror or error}") from error
    return kept
