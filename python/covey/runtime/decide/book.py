"""Where decisions are kept: by kind and id, as JSON. The port, and a book that forgets with its process."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVar

from covey import limits, typed
from covey.errors import DecisionError, StoreError, UsageError

Kind = Literal["votes", "ballots", "auctions", "past", "solves"]
R = TypeVar("R")
_ID = re.compile(r"[0-9a-f]{12,64}\Z")


class Book(Protocol):
    """Keeps records of decisions. Its methods block; ids are 12 to 64 hexadecimal digits."""

    def keep(self, kind: Kind, record_id: str, content: bytes) -> None:
        """Keep a record, in place of one of the same id; past the bound the oldest goes.

        Raises:
            StoreError: It cannot be kept.
        """

    def load(self, kind: Kind, record_id: str) -> bytes | None:
        """Return a record, or None."""
        ...

    def ids(self, kind: Kind) -> list[str]:
        """Return the ids of one kind, the newest first."""
        ...


class MemoryBook:
    """A book in memory: for agents of one process, and tests."""

    def __init__(self) -> None:
        self._all: dict[Kind, OrderedDict[str, bytes]] = {}

    def keep(self, kind: Kind, record_id: str, content: bytes) -> None:
        """Keep a record."""
        shelf = self._all.setdefault(kind, OrderedDict())
        shelf.pop(record_id, None)
        shelf[record_id] = content
        if len(shelf) > limits.DECIDE_KEPT:
            shelf.popitem(last=False)

    def load(self, kind: Kind, record_id: str) -> bytes | None:
        """Return a record, or None."""
        shelf = self._all.get(kind)
        return None if shelf is None else shelf.get(record_id)

    def ids(self, kind: Kind) -> list[str]:
        """Return the ids of one kind, the newest first."""
        shelf = self._all.get(kind)
        return [] if shelf is None else list(reversed(shelf))


def is_id(text: object) -> bool:
    """Tell whether a text can be a record's id, and so a file's name."""
    return isinstance(text, str) and _ID.match(text) is not None


def given(value: object, read: Callable[[object], R]) -> R:
    """Return the record that somebody hands over to be checked.

    Raises:
        UsageError: It is none.
    """
    try:
        return read(value)
    except ValueError as error:
        raise UsageError(str(error)) from error


def meant(book: Book, kind: Kind, word: str, read: Callable[[object], R]) -> R:
    """Return the one record whose id begins with a word.

    Raises:
        UsageError: Several do.
        DecisionError: None does.
        StoreError: What is kept is damaged, or no such record.
    """
    found = [each for each in book.ids(kind) if each.startswith(word)] if word else []
    what = f"{kind[:-1]} {word[:64]}"
    if len(found) > 1:
        raise UsageError(f"{what}: {len(found)} begin so", hint="give more of its letters")
    content = book.load(kind, found[0]) if found else None
    if content is None:
        raise DecisionError(f"{what}: it is not kept here", hint=f"covey {kind[:-1]} list <peer> shows them")
    return kept_as(kind, found[0], content, read)


def kept_as(kind: Kind, record_id: str, content: bytes, read: Callable[[Any], R]) -> R:
    """Return what was kept under an id, as its reader understands a JSON object.

    Raises:
        StoreError: It is no such thing: nothing is decided in its place until somebody looks.
    """
    found = _kept(kind, record_id, content)
    if not isinstance(found, dict):
        raise _damaged(kind, record_id, "expected an object")
    try:
        return read(found)
    except ValueError as error:
        raise _damaged(kind, record_id, str(error)) from error


def kept_pairs(kind: Kind, record_id: str, content: bytes) -> list[tuple[str, bool]]:
    """Return the names and words (true or false) that were kept under an id.

    Raises:
        StoreError: It is something else.
    """
    try:
        rows = typed.listed(_kept(kind, record_id, content), kind, limits.AUCTION_BIDS)
        pairs = [typed.exactly(row, kind, 2) for row in rows]
        return [(typed.text(who, kind, 200), typed.flag(held, kind)) for who, held in pairs]
    except typed.WrongTypeError as error:
        raise _damaged(kind, record_id, str(error)) from error


def _kept(kind: Kind, record_id: str, content: bytes) -> object:
    try:
        found: object = typed.loaded(content)
    except typed.WrongTypeError as error:
        raise _damaged(kind, record_id, str(error)) from error
    return found


def _damaged(kind: Kind, record_id: str, why: str) -> StoreError:
    return StoreError(
        f"{kind[:-1]} {record_id}: what is kept is damaged: {why}", hint="move its file away, or restore it"
    )
