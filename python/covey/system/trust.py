"""Whom one peer trusts, and by which key, as its operator said on the command line: `trust.json`.

Rules: a file that cannot be read is an error, never an empty list; it is private, and replaced whole. A pin
names the one key a nodeId may prove. What agent.toml says comes on top.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from covey import typed
from covey.errors import StoreError
from covey.limits import TRUST_ENTRIES
from covey.settings import grammar
from covey.system.json_book import JsonBook
from covey.values import dataclass

_FILE_BYTES: Final = 4_194_304  # 4,096 entries of 80 characters with notes of 200
_NOTE_CHARS: Final = 200


@dataclass(frozen=True, slots=True)
class Trusted:
    """One identity: a nodeId or key fingerprint, the key it is pinned to, and when and why."""

    identity: str
    since_ms: int
    fingerprint: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class TrustBook:
    """Every identity a peer was told to trust, in the order it was told."""

    entries: tuple[Trusted, ...] = ()

    @property
    def trusted(self) -> frozenset[str]:
        """Return the nodeIds and fingerprints."""
        return frozenset(entry.identity for entry in self.entries)

    @property
    def pins(self) -> Mapping[str, str]:
        """Return the pinned fingerprints by nodeId."""
        return {entry.identity: entry.fingerprint for entry in self.entries if entry.fingerprint}

    def find(self, identity: str) -> Trusted | None:
        """Return what is said of an identity."""
        return next((entry for entry in self.entries if entry.identity == identity), None)

    def with_entry(self, entry: Trusted) -> TrustBook:
        """Return the book with this entry, in place of an earlier one for the same identity.

        Raises:
            StoreError: The book is full.
        """
        others = tuple(held for held in self.entries if held.identity != entry.identity)
        if len(others) >= TRUST_ENTRIES:
            raise StoreError(
                f"trusted identities: {len(others)}, at most {TRUST_ENTRIES}",
                hint="remove some: covey trust remove <peer> <identity>",
            )
        return replace(self, entries=(*others, entry))

    def without(self, identity: str) -> TrustBook:
        """Return the book without an identity."""
        return replace(self, entries=tuple(held for held in self.entries if held.identity != identity))


def load(path: Path) -> TrustBook:
    """Read a book; one that was never written is empty.

    Raises:
        StoreError: It cannot be read, or is not whole.
    """
    return _FILE.load(path, TrustBook())


def save(path: Path, book: TrustBook) -> None:
    """Write a book whole; the folder exists and is private.

    Raises:
        StoreError: It cannot be written; what was there is still there.
    """
    listed = [
        {
            "identity": entry.identity,
            "sinceMs": entry.since_ms,
            "fingerprint": entry.fingerprint,
            "note": entry.note,
        }
        for entry in book.entries
    ]
    _FILE.save(path, {"trusted": listed})


def _decode(members: Mapping[str, Any]) -> TrustBook:
    book = TrustBook()
    for each in members["trusted"]:
        book = book.with_entry(_entry(each))
    return book


def _entry(each: Any) -> Trusted:
    if not isinstance(each, dict) or each.keys() != {"identity", "sinceMs", "fingerprint", "note"}:
        raise ValueError("expected entries of identity, sinceMs, fingerprint and note")
    # a note may have come in with half a character; it is shown, and written as it was
    note = typed.text(each["note"], "note", _NOTE_CHARS, halves=True)
    since = typed.whole(each["sinceMs"], "sinceMs")
    identity = grammar.identity_name(each["identity"])
    if each["fingerprint"] is None:
        return Trusted(identity, since, None, note)
    return Trusted(grammar.node_id(identity), since, grammar.fingerprint(each["fingerprint"]), note)


_FILE: Final = JsonBook(
    frozenset({"trusted"}), _FILE_BYTES, _decode, "restore it, or move it away and trust again"
)
