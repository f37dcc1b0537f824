"""`covey keygen`: make a peer's identity before its first run, or put it under another passphrase."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from covey.cli import passphrase
from covey.cli.console import Console
from covey.cli.parser import Parser, path
from covey.errors import IdentityError, StoreError, UsageError
from covey.system import identity as ids
from covey.system.home import Home
from covey.system.identity import SealedIdentity
from covey.system.lock import PeerLock
from covey.system.sealing import INTERACTIVE, MODERATE, Cost

if TYPE_CHECKING:
    from covey.system.identity import PublicIdentity, StoredIdentity
    from covey.system.sealing import Passphrase

EXAMPLE: Final = "covey keygen writer --passphrase"
_COSTS: Final = {"moderate": MODERATE, "interactive": INTERACTIVE}


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="name of the peer")
    parser.add_argument(
        "--force", action="store_true", help="replace the identity; the old node id and key are then gone"
    )
    parser.add_argument(
        "--passphrase",
        action="store_true",
        help=f"seal the key: asks twice, or reads --passphrase-file or {passphrase.CURRENT}",
    )
    parser.add_argument(
        "--reseal",
        action="store_true",
        help="set or change the passphrase of the identity that is there, which stays the same",
    )
    parser.add_argument(
        "--no-passphrase", action="store_true", help="with --reseal: keep the key in the clear"
    )
    passphrase.add(parser)
    parser.add_argument(
        "--new-passphrase-file",
        type=path,
        metavar="PATH",
        help=f"with --reseal: where the new one is (else {passphrase.NEW}, else you are asked)",
    )
    parser.add_argument(
        "--cost",
        choices=tuple(_COSTS),
        default="moderate",
        help="what each guess costs: 256 MiB (moderate, the default) or 64 MiB (interactive)",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Make, write and show an identity.

    Raises:
        UsageError: Flags that exclude each other, or no passphrase where one was asked for.
    """
    _check(arguments)
    if arguments.reseal:
        from covey.cli.reseal import reseal

        return reseal(arguments, console)
    return _make(arguments, console)


def cost_of(arguments: argparse.Namespace) -> Cost:
    """Return what deriving the key shall cost."""
    return _COSTS[arguments.cost]


def _check(arguments: argparse.Namespace) -> None:
    refused = {
        "--reseal keeps the identity, --force replaces it": arguments.reseal and arguments.force,
        "--passphrase and --no-passphrase": arguments.passphrase and arguments.no_passphrase,
        "--no-passphrase is for --reseal": arguments.no_passphrase and not arguments.reseal,
        "--new-passphrase-file is for --reseal": arguments.new_passphrase_file and not arguments.reseal,
        "--new-passphrase-file and --no-passphrase": arguments.new_passphrase_file
        and arguments.no_passphrase,
    }
    for complaint, holds in refused.items():
        if holds:
            raise UsageError(complaint, hint="covey keygen --help")


def _make(arguments: argparse.Namespace, console: Console) -> int:
    from covey.system.clock import SystemClock
    from covey.system.entropy import SystemEntropy
    from covey.system.log import timestamp

    home, name = Home.resolve(console.env), arguments.peer
    secret = _wanted(arguments, home, console)
    home.prepare_peer(name)
    lock = PeerLock.acquire(home.lock_path(name), name)
    try:
        clear = ids.generate(name, SystemClock(), SystemEntropy())
        made: StoredIdentity = clear
        if secret is not None:
            made = ids.seal(clear, secret, cost_of(arguments), SystemEntropy())
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
        *([sealed_line("  sealed:      ", made)] if isinstance(made, SealedIdentity) else []),
        f"  kept in:     {facts['path']}",
        *([] if kept is None else [f"  old memory:  {kept}"]),
    ]
    console.result({**facts, "old_store": None if kept is None else str(kept)}, "\n".join(lines))
    return 0


def _wanted(arguments: argparse.Namespace, home: Home, console: Console) -> Passphrase | None:
    """Return the passphrase of the new key, if it shall have one; asked for before anything is made."""
    if not arguments.passphrase and arguments.passphrase_file is None:
        return None
    name, place = arguments.peer, home.identity_path(arguments.peer)
    if place.exists() and not arguments.force:
        raise ids.taken(place)
    found = passphrase.given(arguments.passphrase_file, console.env, passphrase.CURRENT)
    return passphrase.fresh(name, found)


def sealed_line(label: str, identity: SealedIdentity) -> str:
    """Return a line that says how a key is sealed."""
    cost = identity.box.cost
    return f"{label}by a passphrase (argon2id, {cost.operations} x {cost.memory_bytes // 1_048_576} MiB)"


def public_facts(identity: PublicIdentity) -> Mapping[str, object]:
    """Return what everybody may know of an identity, for --json."""
    return {
        "peer": identity.name,
        "algorithm": "ed25519",
        "node_id": identity.node_id,
        "keyprint": identity.keyprint,
        "fingerprint": identity.fingerprint,
        "public_key": identity.public_key_text,
        "sealed": isinstance(identity, SealedIdentity),
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
