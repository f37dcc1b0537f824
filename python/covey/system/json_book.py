"""A peer's small books, each one JSON file: read whole or not at all, written whole.

Rules: a file that cannot be read is an error, never an empty book; it is private, and replaced whole. What
stands in it is checked member by member, because a person may have edited it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from covey import typed
from covey.errors import StoreError
from covey.system.private_file import replace_whole
from covey.values import dataclass

_VERSION: Final = 1
Book = TypeVar("Book")


@dataclass(frozen=True, slots=True)
class JsonBook(Generic[Book]):
    """How one kind of book is kept.

    Args:
        members: Its members beside `version`: all of them, and no others.
        most_bytes: Of the file.
        decode: Makes the book of the members; raises ValueError, TypeError or KeyError where they are wrong.
        hint: What to do about a damaged one.
    """

    members: frozenset[str]
    most_bytes: int
    decode: Callable[[Mapping[str, Any]], Book]
    hint: str

    def load(self, path: Path, absent: Book) -> Book:
        """Read a book; `absent` where none was ever written.

        Raises:
            StoreError: It cannot be read, or is not whole.
        """
        try:
            with path.open("rb") as file:
                raw = file.read(self.most_bytes + 1)
        except FileNotFoundError:
            return absent
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
        try:
            return self.decode(self._checked(raw))
        # the rules of the grammar are for texts, and a member may be anything: a number past every float too
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise StoreError(f"{path} is damaged: {error}", hint=self.hint) from error

    def save(self, path: Path, members: Mapping[str, Any]) -> None:
        """Write a book whole; the folder exists and is private.

        Raises:
            StoreError: It cannot be written; what was there is still there.
        """
        content = json.dumps({"version": _VERSION, **members}, indent=2, ensure_ascii=False)
        try:
            # half a character, out of a file that said one, is written as JSON says it
            replace_whole(path, content.encode(errors="backslashreplace") + b"\n")
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror or error}") from error

    def _checked(self, raw: bytes) -> Mapping[str, Any]:
        if len(raw) > self.most_bytes:
            raise ValueError(f"more than {self.most_bytes} bytes")
        found = typed.members(typed.loaded(raw), "book", {"version", *self.members})
        typed.whole(found["version"], "version", _VERSION, _VERSION)
        return found
