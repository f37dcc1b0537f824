"""A book that another process may change: read again as soon as its file is another one.

Rules: a look costs one question to the file system. A file that cannot be read is an error on every look,
never the book of before: what was revoked must not live on because a disk is full.
"""

from __future__ import annotations

from pathlib import Path
from typing import Generic, TypeVar

from covey.errors import StoreError
from covey.system.json_book import JsonBook

Book = TypeVar("Book")


class Watched(Generic[Book]):
    """One book, as it stands on disk now.

    Args:
        path: Its file.
        form: How it is kept.
        absent: What it is where there is no file.
    """

    def __init__(self, path: Path, form: JsonBook[Book], absent: Book) -> None:
        self._path = path
        self._form = form
        self._absent = absent
        self._mark: tuple[int, int, int] | None = None
        self._book: Book | None = None

    def current(self) -> Book:
        """Return the book.

        Raises:
            StoreError: It cannot be read, or is not whole.
        """
        try:
            facts = self._path.stat()
        except FileNotFoundError:
            self._mark = self._book = None
            return self._absent
        except OSError as error:
            raise StoreError(f"cannot read {self._path}: {error.strerror or error}") from error
        # Each save is a new file, so its number tells two saves apart that the clock does not.
        mark = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
        if self._book is None or mark != self._mark:
            self._book, self._mark = None, None
            self._book = self._form.load(self._path, self._absent)
            self._mark = mark
        return self._book
