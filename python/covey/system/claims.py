"""Which key each stock peer said first, as a peer remembers it: `claims.json`.

Rules: a claim is nobody's proof. It is kept apart from what sessions proved (the store) and from whom the
operator trusts (`trust.json`), and serves one end: another key for the same nodeId is noticed, even after a
restart. A file that cannot be read is an error, never an empty list; it is private, and replaced whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from covey import typed
from covey.errors import StoreError
from covey.limits import CLAIMS, PEER_NAME_BYTES
from covey.settings import grammar
from covey.system.json_book import JsonBook
from covey.values import dataclass

_FILE_BYTES: Final = 2_097_152  # 4,096 entries of a nodeId, a fingerprint, a name of 64 bytes and a time
_MEMBERS: Final = {"nodeId", "fingerprint", "name", "sinceMs"}


@dataclass(frozen=True, slots=True)
class Claim:
    """What a stock peer said of itself when it was first met."""

    node_id: str
    fingerprint: str
    name: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class ClaimBook:
    """Every claim of one peer's memory, in the order they came."""

    entries: tuple[Claim, ...] = ()

    def find(self, node_id: str) -> Claim | None:
        """Return what was said first for a nodeId."""
        return next((entry for entry in self.entries if entry.node_id == node_id), None)

    def with_claim(self, claim: Claim) -> ClaimBook:
        """Return the book with a claim more; the first for a nodeId stays.

        Raises:
            StoreError: The book is full.
        """
        if self.find(claim.node_id) is not None:
            return self
        if len(self.entries) >= CLAIMS:
            raise StoreError(
                f"claims of stock peers: {len(self.entries)}, at most {CLAIMS}",
                hint="forget some: covey trust unclaim <peer> <nodeId>",
            )
        return replace(self, entries=(*self.entries, claim))

    def without(self, node_id: str) -> ClaimBook:
        """Return the book without what was said for a nodeId."""
        return replace(self, entries=tuple(held for held in self.entries if held.node_id != node_id))


def load(path: Path) -> ClaimBook:
    """Read a book; one that was never written is empty.

    Raises:
        StoreError: It cannot be read, or is not whole.
    """
    return _FILE.load(path, ClaimBook())


def save(path: Path, book: ClaimBook) -> None:
    """Write a book whole; the folder exists and is private.

    Raises:
        StoreError: It cannot be written; what was there is still there.
    """
    claimed = [
        {"nodeId": e.node_id, "fingerprint": e.fingerprint, "name": e.name, "sinceMs": e.since_ms}
        for e in book.entries
    ]
    _FILE.save(path, {"claimed": claimed})


class ClaimKeeper:
    """The book of a running peer: read once, written on a thread of its own as claims come.

    Args:
        path: The file.
        trouble: Called on that thread when it cannot be written; the claim still holds for this run.

    Raises:
        StoreError: The file cannot be read, or is not whole.
    """

    def __init__(self, path: Path, trouble: Callable[[str], None]) -> None:
        self._path = path
        self._trouble = trouble
        self._book = load(path)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="covey-claims")

    def known(self) -> tuple[tuple[str, str], ...]:
        """Return nodeIds and fingerprints."""
        return tuple((entry.node_id, entry.fingerprint) for entry in self._book.entries)

    def keep(self, node_id: str, fingerprint: str, name: str, now_ms: int) -> None:
        """Remember what was said first; never blocks."""
        try:
            self._book = self._book.with_claim(Claim(node_id, fingerprint, name, now_ms))
        except StoreError as error:
            self._trouble(error.message)
            return
        self._writer.submit(self._write, self._book)

    def close(self) -> None:
        """Finish writing."""
        self._writer.shutdown(wait=True)

    def _write(self, book: ClaimBook) -> None:
        try:
            save(self._path, book)
        except StoreError as error:
            self._trouble(error.message)


def _decode(members: Mapping[str, Any]) -> ClaimBook:
    claims = [_claim(each) for each in members["claimed"]]
    if len(claims) > CLAIMS or len({claim.node_id for claim in claims}) != len(claims):
        raise ValueError(f"expected at most {CLAIMS} claims, one for each nodeId")
    return ClaimBook(tuple(claims))


def _claim(each: Any) -> Claim:
    if not isinstance(each, dict) or each.keys() != _MEMBERS:
        raise ValueError("expected claims of nodeId, fingerprint, name and sinceMs")
    name = typed.text(each["name"], "name", PEER_NAME_BYTES)
    since = typed.whole(each["sinceMs"], "sinceMs")
    if len(name.encode()) > PEER_NAME_BYTES:
        raise ValueError("expected a name of at most 64 bytes")
    return Claim(grammar.node_id(each["nodeId"]), grammar.fingerprint(each["fingerprint"]), name, since)


_FILE: Final = JsonBook(
    frozenset({"claimed"}),
    _FILE_BYTES,
    _decode,
    "restore it, or move it away: changed keys of stock peers are then not noticed once",
)
