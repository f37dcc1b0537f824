"""What a peer keeps of decisions: a private file for each record, replaced whole; the oldest goes first."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from covey.errors import StoreError
from covey.limits import DECIDE_KEPT, DECIDE_RECORD_BYTES
from covey.system.home import private_folder
from covey.system.private_file import replace_whole

_ID: Final = re.compile(r"[0-9a-f]{12,64}\Z")
_KINDS: Final = ("votes", "ballots", "auctions", "past", "solves")


class DecisionFiles:
    """The records of one peer.

    Args:
        folder: Where they are kept; made with the first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, kind: str, record_id: str, content: bytes) -> None:
        """Keep a record, in place of one of the same id; past the bound the oldest goes. Blocks.

        Raises:
            StoreError: It cannot be kept.
        """
        path = self._path(kind, record_id)
        if len(content) > DECIDE_RECORD_BYTES:
            raise StoreError(f"{kind} {record_id}: {len(content)} bytes, at most {DECIDE_RECORD_BYTES}")
        try:
            private_folder(self._folder)
            private_folder(path.parent)
            replace_whole(path, content)
            for old in self.ids(kind)[DECIDE_KEPT:]:
                self._path(kind, old).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"cannot keep {path}: {error.strerror or error}") from error

    def load(self, kind: str, record_id: str) -> bytes | None:
        """Return a record, or None. Blocks.

        Raises:
            StoreError: It is there and cannot be read.
        """
        path = self._path(kind, record_id)
        try:
            with path.open("rb") as file:
                content = file.read(DECIDE_RECORD_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
        return content if len(content) <= DECIDE_RECORD_BYTES else None

    def ids(self, kind: str) -> list[str]:
        """Return the ids of one kind, the newest first. Blocks."""
        try:
            found = [(each.stat().st_mtime_ns, each.stem) for each in (self._folder / kind).glob("*.json")]
        except OSError:
            return []
        return [name for _, name in sorted(found, reverse=True) if _ID.match(name)]

    def _path(self, kind: str, record_id: str) -> Path:
        if kind not in _KINDS or not _ID.match(record_id):
            raise StoreError(f"decisions: no record can be called {kind[:16]}/{record_id[:64]}")
        return self._folder / kind / f"{record_id}.json"
