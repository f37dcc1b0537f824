"""Writing what is carried, each thing whole and under its peer's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from covey import _core
from covey.agent.guards import STATE_NAMES
from covey.cli.migrate.source import OldKey, OldTotals
from covey.cli.schema import keep
from covey.errors import IdentityError
from covey.safety import Ledger
from covey.settings.scaffold import SCHEMA_FILE
from covey.store import StoreWakes, open_store
from covey.system import identity as ids
from covey.system import trust as books
from covey.system.clock import SystemClock
from covey.system.entropy import SystemEntropy
from covey.system.home import Home
from covey.system.identity import PeerIdentity
from covey.system.lock import PeerLock
from covey.system.private_file import create_whole
from covey.system.trust import Trusted

Found = TypeVar("Found")
(_LEDGER,) = (name for name in STATE_NAMES if name.endswith(".ledger"))
_NANO = 1_000_000_000


@contextmanager
def _locked(home: Home, name: str) -> Iterator[None]:
    home.prepare_peer(name)
    lock = PeerLock.acquire(home.lock_path(name), name)
    try:
        yield
    finally:
        lock.release()


def identity(home: Home, name: str, taken: OldKey) -> None:
    """Write a key as the peer's identity; it keeps its node id, or gets one.

    Raises:
        IdentityError: There is one by now, or it cannot be written.
    """
    clock = SystemClock()
    node_id = taken.node_id or ids.uuid7(clock.now_ms(), SystemEntropy().bytes(10))
    created_ms = clock.now_ms() if taken.created_ms is None else taken.created_ms
    made = PeerIdentity(node_id, name, created_ms, taken.public_key, taken.seed)
    with _locked(home, name):
        path = home.identity_path(name)
        ids.native(made)
        ids.save(path, made)
        try:
            ids.load(path)
        except IdentityError:
            path.unlink()  # a node id of another form than ours: better none than one that nothing can read
            raise


def config(home: Home, name: str, content: bytes) -> None:
    """Write a peer's agent.toml, and the schema beside it.

    Raises:
        FileExistsError: There is one by now.
    """
    with _locked(home, name):
        folder = home.peer_folder(name)
        keep(folder / SCHEMA_FILE)
        create_whole(folder / "agent.toml", content)


def trust(home: Home, name: str, entry: Trusted) -> None:
    """Add an identity that the peer trusts.

    Raises:
        StoreError: The book is full, or cannot be read or written.
    """
    with _locked(home, name):
        path = home.trust_path(name)
        books.save(path, books.load(path).with_entry(entry))


def ledger_bytes(totals: OldTotals) -> bytes:
    """Return the books of a peer that did what `totals` says, as its store keeps them."""
    made = Ledger()
    life = made.lifetime
    life.runs, life.calls = totals.runs, totals.calls
    life.emitted, life.suppressed = totals.emitted, totals.suppressed
    life.cost_nano_usd = round(totals.cost_usd * _NANO)
    return made.export()


def held_ledger(home: Home, name: str) -> bytes | None:
    """Return the books that a peer's store keeps; None where there is no store or none in it.

    Raises:
        CoveyError: The store cannot be read.
    """
    if not home.store_path(name).exists():
        return None
    return _with_wakes(home, name, lambda wakes: wakes.state_get(_LEDGER))


def ledger(home: Home, name: str, totals: OldTotals) -> None:
    """Give a peer's store the books of its earlier life, unless it has some.

    Raises:
        CoveyError: There is no identity, or the store cannot be used.
    """

    def put(wakes: StoreWakes) -> None:
        if wakes.state_get(_LEDGER) is None:
            wakes.state_put({_LEDGER: ledger_bytes(totals)})

    clock, entropy = SystemClock(), SystemEntropy()
    home.prepare_peer(name)
    ids.load_or_create(home.identity_path(name), name, clock, entropy)
    _with_wakes(home, name, put)


def _with_wakes(home: Home, name: str, work: Callable[[StoreWakes], Found]) -> Found:
    with _locked(home, name):
        store: _core.Store = open_store(home.store_path(name), ids.load(home.identity_path(name)).node_id)
        try:
            return work(StoreWakes(store))
        finally:
            store.close()
