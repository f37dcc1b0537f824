"""`covey trust`: say whom a peer trusts, and by which key."""

from __future__ import annotations

import argparse
import base64
import hashlib
from collections.abc import Callable
from typing import Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser, nearest
from covey.cli.peers import table
from covey.errors import IdentityError, UsageError
from covey.settings import grammar
from covey.system import claims
from covey.system import identity as ids
from covey.system import trust as books
from covey.system.clock import SystemClock
from covey.system.home import Home
from covey.system.lock import PeerLock, running_pid
from covey.system.trust import TrustBook, Trusted

EXAMPLE: Final = "covey trust pin writer 01997c00-0000-7000-8000-000000000001 <64-hex fingerprint>"
_VERBS: Final = ("add", "pin", "remove", "list", "unclaim")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "verb",
        choices=_VERBS,
        help="add, pin (one nodeId to one key), remove, list, or unclaim (let a stock peer say a new key)",
    )
    parser.add_argument("peer", help="name of the peer that trusts")
    parser.add_argument(
        "identity", nargs="?", help="nodeId, key fingerprint or public key of the one that is trusted"
    )
    parser.add_argument("fingerprint", nargs="?", help="of pin: the key, as `covey fingerprint` prints it")
    parser.add_argument("--note", default="", help="why, for people (at most 200 characters)")
    parser.add_argument(
        "--replace", action="store_true", help="of pin: give up the key that is known now, and say which"
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Change or show a peer's trust."""
    home, name, verb = Home.resolve(console.env), arguments.peer, arguments.verb
    if verb == "list":
        _known(home, name)
        return _list(home, name, console)
    identity = _read(arguments.identity, _identity, "identity")
    if verb != "pin" and (arguments.fingerprint is not None or arguments.replace):
        raise UsageError(f"a fingerprint and --replace belong to pin, not to {verb}")
    if verb == "unclaim":
        return _unclaim(home, name, identity, console)
    if len(arguments.note) > 200:
        raise UsageError(f"note: expected at most 200 characters, got {len(arguments.note)}")
    if verb == "remove":
        _known(home, name)
    home.prepare_peer(name)
    path = home.trust_path(name)
    if verb == "pin":
        said = _pin(home, name, arguments)
    elif verb == "add":
        book = books.load(path)
        known = book.find(identity)
        pin = known.fingerprint if known else None
        books.save(path, book.with_entry(Trusted(identity, SystemClock().now_ms(), pin, arguments.note)))
        said = f"{name} trusts {identity}"
    else:
        book = books.load(path)
        if book.find(identity) is None:
            raise IdentityError(f"not trusted: {identity}", hint=f"see who is: covey trust list {name}")
        books.save(path, book.without(identity))
        said = f"{name} no longer trusts {identity}"
    return _done(home, name, verb, identity, said, console)


def _known(home: Home, name: str) -> None:
    """Tell a peer that trusts nobody from one that is not there; only `add` and `pin` may come before it."""
    if not home.peer_folder(name).is_dir():
        known = home.peers()
        near = nearest(name, known)
        guess = "" if near is None else f"did you mean {near}?\n"
        raise IdentityError(
            f'no peer named "{name}": looked at {home.peer_folder(name)}',
            code="unknown_peer",
            hint=f"{guess}peers of this machine: {', '.join(known) or 'none'}",
        )


def _pin(home: Home, name: str, arguments: argparse.Namespace) -> str:
    """Pin a key. What was known before is given up only when asked, and never in silence."""
    node_id = _read(arguments.identity, grammar.node_id, "identity")
    mark = _read(arguments.fingerprint, grammar.fingerprint, "fingerprint")
    lock = PeerLock.acquire(home.lock_path(name), name)
    try:
        path = home.trust_path(name)
        book = books.load(path)
        held = book.find(node_id)
        before = {held.fingerprint} if held is not None and held.fingerprint else set()
        before |= bound(home, name, node_id)
        others = sorted(before - {mark})
        if others and not arguments.replace:
            raise IdentityError(
                f"{node_id} is known by another key: fingerprint {others[0]}",
                code="identity_conflict",
                hint="a new key is a new node; if you are sure, pin again with --replace",
            )
        if others:
            _unbind(home, name, node_id)
        books.save(path, book.with_entry(Trusted(node_id, SystemClock().now_ms(), mark, arguments.note)))
    finally:
        lock.release()
    said = f"{name} trusts {node_id} under the key {mark}, and no other"
    return said + "".join(f"\n  given up: {other}" for other in others)


def bound(home: Home, name: str, node_id: str) -> set[str]:
    """Return the fingerprint of the key a peer's store has bound to a node, if there are both."""
    from covey.store import open_store

    if not home.store_path(name).exists():
        return set()
    store = open_store(home.store_path(name), ids.load(home.identity_path(name)).node_id)
    try:
        return {hashlib.sha256(key).hexdigest() for bound, key, _, _ in store.bindings() if bound == node_id}
    finally:
        store.close()


def _unbind(home: Home, name: str, node_id: str) -> None:
    from covey.store import open_store

    if not home.store_path(name).exists():
        return
    store = open_store(home.store_path(name), ids.load(home.identity_path(name)).node_id)
    try:
        store.unbind(node_id)
    finally:
        store.close()


def _unclaim(home: Home, name: str, node_id: str, console: Console) -> int:
    """Forget what a stock peer said first; the peer must not run, for it keeps the book."""
    path = home.claims_path(name)
    held = claims.load(path).find(node_id)
    if held is None:
        raise IdentityError(f"no stock peer claimed {node_id}", hint=f"see who did: covey trust list {name}")
    lock = PeerLock.acquire(home.lock_path(name), name)
    try:
        claims.save(path, claims.load(path).without(node_id))
    finally:
        lock.release()
    said = (
        f"{name} forgets that {node_id} claimed the key {held.fingerprint}: the next one it says is the first"
    )
    return _done(home, name, "unclaim", node_id, said, console)


def _list(home: Home, name: str, console: Console) -> int:
    book = books.load(home.trust_path(name))
    said = claims.load(home.claims_path(name)).entries
    heads = ("identity", "pinned to", "note")
    rows = [(e.identity, (e.fingerprint or "")[:16], printable(e.note)) for e in book.entries]
    text = table(console, heads, rows) if rows else f"{name} trusts nobody by name; agent.toml may say more"
    if said:
        rows = [(e.node_id, e.fingerprint[:16], printable(e.name)) for e in said]
        told = table(console, ("claimed by", "key it says", "name it says"), rows)
        text = f"{text}\n\nstock peers, who prove nothing:\n{told}"
    claimed = [
        {"node_id": e.node_id, "fingerprint": e.fingerprint, "name": e.name, "since_ms": e.since_ms}
        for e in said
    ]
    console.result({"peer": name, "trusted": _facts(book), "claimed": claimed}, text)
    return 0


def _done(home: Home, name: str, verb: str, identity: str, said: str, console: Console) -> int:
    running = running_pid(home.lock_path(name)) is not None
    later = "\nit runs: this holds from its next start" if running else ""
    console.result({"peer": name, "verb": verb, "identity": identity, "running": running}, said + later)
    return 0


def _facts(book: TrustBook) -> list[dict[str, object]]:
    return [
        {"identity": e.identity, "fingerprint": e.fingerprint, "since_ms": e.since_ms, "note": e.note}
        for e in book.entries
    ]


def _identity(text: str) -> str:
    """Return an identity; a public key is the fingerprint that it has."""
    try:
        raw = base64.urlsafe_b64decode(grammar.public_key(text) + "=")
    except ValueError:
        return grammar.identity_name(text)
    return hashlib.sha256(raw).hexdigest()


def _read(text: str | None, reader: Callable[[str], str], what: str) -> str:
    if text is None:
        raise UsageError(f"missing {what}")
    try:
        return reader(text)
    except ValueError as error:
        raise UsageError(f"{what}: expected {error}, got {text!r}") from error
