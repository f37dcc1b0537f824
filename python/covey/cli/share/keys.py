"""Keys of a door: made and shown once, listed without their secrets, revoked one by one."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.cli.console import Console, printable
from covey.cli.peers import table
from covey.cli.share.books import KEYS
from covey.errors import EXIT_OK, CoveyError, StoreError, UsageError
from covey.inference import keys
from covey.inference.keys import Entry, KeyBook
from covey.settings import grammar
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from covey.system.lock import PeerLock
from covey.system.log import timestamp
from covey.system.private_file import create_whole

if TYPE_CHECKING:
    from covey.system.home import Home

_HEADS: Final = ("account", "key", "kind", "a minute", "tokens a day", "priority", "node", "made")


def add(arguments: argparse.Namespace, home: Home, name: str, console: Console) -> int:
    """Make a key and show it once; or let a node of the mesh in."""
    entropy, node = SystemEntropy(), _node(arguments)
    token = "" if node else keys.spelled(entropy.bytes(4).hex(), entropy.bytes(limits.DOOR_SECRET_BYTES))
    try:
        entry = Entry(
            token[4:12] or entropy.bytes(4).hex(),
            arguments.who,
            keys.digest_of_token(token) if token else "",
            SystemClock().now_ms(),
            admin=arguments.admin,
            per_minute=arguments.per_minute,
            priority=arguments.priority or "normal",
            tokens_per_day=arguments.tokens_per_day,
            node_id=node[0] if node else None,
            fingerprint=node[1] if node else None,
        )
        keys.checked(entry)
    except ValueError as error:
        raise UsageError(f"expected {error}") from error
    out: Path | None = arguments.out
    if out is not None and token:
        _hand_out(token, out)
    home.prepare_peer(name)
    lock = PeerLock.acquire(home.door_keys_path(name).with_suffix(".lock"), name)
    try:
        book = KEYS.load(home.door_keys_path(name), KeyBook())
        if node and book.of_node(*node):
            raise UsageError(
                f"{node[0]} has an entry already", hint=f"revoke it first: covey share keys --name {name}"
            )
        _save(home, name, _with(book, entry))
    finally:
        lock.release()
    facts = {"account": entry.account, "key_id": entry.key_id, "admin": entry.admin, "out": _path(out)}
    if node:
        text = f"{entry.account} may come through the mesh as {node[0]}"
    elif out is not None:
        text = f"key {entry.key_id} of {entry.account} is in {out}"
    else:
        facts["key"] = token
        text = f"{token}\nthis is the only time it is shown; it belongs to {printable(entry.account)}"
    console.result(facts, text)
    return EXIT_OK


def listed(home: Home, name: str, console: Console) -> int:
    """Show every key but its secret."""
    book = KEYS.load(home.door_keys_path(name), KeyBook())
    rows = [
        (
            printable(each.account),
            each.key_id,
            "admin" if each.admin else "use",
            str(each.per_minute or "the door's"),
            str(each.tokens_per_day or "any"),
            each.priority,
            each.node_id or "",
            timestamp(each.made_ms)[:10],
        )
        for each in book.entries
    ]
    none = f"{name} has no keys; make one: covey share add <account> --name {name}"
    console.result(
        {"peer": name, "keys": keys.shown(book.entries)}, table(console, _HEADS, rows) if rows else none
    )
    return EXIT_OK


def revoke(home: Home, name: str, word: str, console: Console) -> int:
    """Take one key away; a running door refuses it from its next request on."""
    path = home.door_keys_path(name)
    home.prepare_peer(name)
    lock = PeerLock.acquire(path.with_suffix(".lock"), name)
    try:
        book = KEYS.load(path, KeyBook())
        entry = book.find(word)
        if entry is None:
            several = sum(each.account == word for each in book.entries)
            said = f"{several} keys of {word}: name one by its id" if several else f"no such key: {word}"
            raise CoveyError(said, code="unknown_key", hint=f"see them: covey share keys --name {name}")
        _save(home, name, book.without(entry.key_id))
    finally:
        lock.release()
    facts = {"account": entry.account, "key_id": entry.key_id}
    console.result(facts, f"revoked: key {entry.key_id} of {printable(entry.account)}")
    return EXIT_OK


def _with(book: KeyBook, entry: Entry) -> KeyBook:
    try:
        return book.with_entry(entry)
    except ValueError as error:
        raise UsageError(f"expected {error}") from error


def _node(arguments: argparse.Namespace) -> tuple[str, str] | None:
    """Return the node and the key that an entry is for, where it is for one."""
    if arguments.node is None and arguments.fingerprint is None:
        return None
    if arguments.node is None or arguments.fingerprint is None:
        raise UsageError(
            "--node and --fingerprint belong together", hint="both as `covey fingerprint` prints them"
        )
    if arguments.admin:
        raise UsageError("an admin has a key, not a node: leave out --node")
    try:
        return grammar.node_id(arguments.node), grammar.fingerprint(arguments.fingerprint)
    except ValueError as error:
        raise UsageError(f"expected {error}") from error


def _hand_out(token: str, out: Path) -> None:
    try:
        create_whole(out, f"{token}\n".encode())
    except FileExistsError as error:
        raise StoreError(f"there is a file already: {out}", hint="name another one") from error
    except OSError as error:
        raise StoreError(f"cannot write {out}: {error.strerror or error}") from error


def _save(home: Home, name: str, book: KeyBook) -> None:
    KEYS.save(home.door_keys_path(name), {"keys": keys.as_json(book)})


def _path(out: Path | None) -> str | None:
    return None if out is None else str(out)
