"""Where a peer keeps what it merged and what it offers: bundles by digest, and two small books beside them.

Rules: a bundle is on disk before a book names it, and goes only after no book names it any more; so a crash
leaves a file too much, never a name without its file. Nothing here knows what stands in a bundle.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from covey import limits, typed
from covey.errors import StoreError
from covey.system.home import private_folder
from covey.system.json_book import JsonBook
from covey.system.private_file import replace_whole

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_ROW: Final[Mapping[str, type]] = {
    "kind": str,
    "contributor": str,
    "signer": str,
    "digest": str,
    "sequence": int,
    "atMs": int,
}
_OFFER: Final[Mapping[str, type]] = {"digest": str, "contributor": str, "to": list, "atMs": int}
_JOURNAL_BYTES: Final = 1_048_576  # 1,024 acts of 400 characters, indented
_OFFERS_BYTES: Final = 131_072  # 16 offers to 64 peers


class SubstrateShelf:
    """One peer's folder for substrate.

    Args:
        folder: It need not exist; it is made, private, with the first thing that is put there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def journal(self) -> Sequence[Mapping[str, Any]]:
        """Return the acts of merging and undoing, oldest first.

        Raises:
            StoreError: The book cannot be read, or is damaged.
        """
        return _JOURNAL.load(self._folder / "journal.json", ())

    def save_journal(self, acts: Sequence[Mapping[str, Any]]) -> None:
        """Write the journal whole.

        Raises:
            StoreError: It cannot be written; what was there is still there.
        """
        self._prepare()
        _JOURNAL.save(self._folder / "journal.json", {"acts": list(acts)})

    def offers(self) -> Sequence[Mapping[str, Any]]:
        """Return what is offered, and to whom.

        Raises:
            StoreError: The book cannot be read, or is damaged.
        """
        return _OFFERS.load(self._folder / "offers.json", ())

    def save_offers(self, offers: Sequence[Mapping[str, Any]]) -> None:
        """Write the book of offers whole.

        Raises:
            StoreError: It cannot be written; what was there is still there.
        """
        self._prepare()
        _OFFERS.save(self._folder / "offers.json", {"offers": list(offers)})

    def put(self, digest: str, raw: bytes) -> None:
        """Keep a bundle under its digest.

        Raises:
            StoreError: It cannot be written.
        """
        self._prepare()
        path = self._path(digest)
        try:
            replace_whole(path, raw)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror or error}") from error

    def get(self, digest: str) -> bytes:
        """Return a bundle.

        Raises:
            StoreError: It is not there, or not what was put there.
        """
        path = self._path(digest)
        try:
            with path.open("rb") as file:
                raw = file.read(limits.BUNDLE_BYTES + 1)
        except OSError as error:
            raise StoreError(
                f"cannot read {path}: {error.strerror or error}",
                hint="undo what it belongs to, and merge it again",
            ) from error
        if hashlib.sha256(raw).hexdigest() != digest:
            raise StoreError(f"{path} is damaged", hint="undo what it belongs to, and merge it again")
        return raw

    def drop(self, digest: str) -> None:
        """Forget a bundle that no book names any more; it may be gone already."""
        with contextlib.suppress(OSError):
            self._path(digest).unlink()

    def _prepare(self) -> None:
        private_folder(self._folder)

    def _path(self, digest: str) -> Path:
        if _DIGEST.fullmatch(digest) is None:
            raise StoreError("substrate: a book names a bundle by no digest")
        return self._folder / f"{digest}.zip"


def _acts(members: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return _rows(members["acts"], _ROW, limits.JOURNAL_ENTRIES)


def _offered(members: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    rows = _rows(members["offers"], _OFFER, limits.OFFERS)
    for row in rows:
        if len(row["to"]) > limits.OFFERED_TO or not all(isinstance(each, str) for each in row["to"]):
            raise ValueError("expected a list of fingerprints, or of nodeIds as it was once")
    return rows


def _rows(listed: Any, members: Mapping[str, type], most: int) -> Sequence[Mapping[str, Any]]:
    if not isinstance(listed, list) or len(listed) > most:
        raise ValueError(f"expected a list of at most {most}")
    for row in listed:
        if not isinstance(row, dict) or row.keys() != members.keys():
            raise ValueError(f"expected entries of {', '.join(members)}")
        for name, kind in members.items():
            if type(row[name]) is not kind:
                raise ValueError(f"{name}: expected another kind of value")
            if kind is int:
                typed.whole(row[name], name)
        if _DIGEST.fullmatch(row["digest"]) is None:
            raise ValueError("digest: expected 64 hexadecimal digits")
    return tuple(listed)


_HINT: Final = "restore it, or move the folder away and merge again"
_JOURNAL: Final[JsonBook[Sequence[Mapping[str, Any]]]] = JsonBook(
    frozenset({"acts"}), _JOURNAL_BYTES, _acts, _HINT
)
_OFFERS: Final[JsonBook[Sequence[Mapping[str, Any]]]] = JsonBook(
    frozenset({"offers"}), _OFFERS_BYTES, _offered, _HINT
)
