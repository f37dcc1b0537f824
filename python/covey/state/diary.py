"""An agent's diary: written and read by whoever holds its key, sealed everywhere else.

Rules: pure. What an entry says is a `DiaryText`, which has no spelling as text, bytes or JSON: it cannot
reach a frame, a log, a message or a file by accident, and whoever wants to read it says `reveal`. Searching
opens entries one after the other in memory; nothing that was opened is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn, final

from covey import limits
from covey.errors import UsageError
from covey.state.syndication import DiaryFacts
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.ports import DiaryStore, Sealer

LATEST_MS = 2**62
"""Later than any clock shows."""


@final
class DiaryText:
    """What an entry says. It prints as nothing, cannot be pickled, and is no JSON."""

    __slots__ = ("__words",)

    def __init__(self, words: str) -> None:
        """Hold the words.

        Raises:
            UsageError: There are none, or more than an entry holds.
        """
        size = len(words.encode("utf-8", "surrogatepass"))
        if not 1 <= size <= limits.DIARY_ENTRY_BYTES:
            raise UsageError(f"diary: an entry has 1 to {limits.DIARY_ENTRY_BYTES} bytes, got {size}")
        self.__words = words

    def reveal(self) -> str:
        """Return the words, to show them to the one whose diary it is."""
        return self.__words

    def __repr__(self) -> str:
        return "DiaryText(sealed)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a diary's text is not serialised")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, opened."""

    number: int
    at_ms: int
    text: DiaryText


@dataclass(frozen=True, slots=True)
class Damaged:
    """One entry that does not open: another key, or it was changed."""

    number: int
    at_ms: int


class Diary:
    """A diary in the hands of who holds its key.

    Args:
        store: Where sealed entries lie.
        sealer: The key.
    """

    def __init__(self, store: DiaryStore, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer

    def write(self, text: DiaryText, at_ms: int) -> int:
        """Seal an entry and store it; return its number."""
        sealed = self._sealer.seal(text.reveal().encode("utf-8", "surrogatepass"), at_ms)
        return self._store.diary_add(at_ms, sealed)

    def read(self, from_ms: int = 0, to_ms: int = LATEST_MS) -> Iterator[Entry | Damaged]:
        """Open the entries of a span of time, both ends counted, oldest first."""
        after = 0
        while True:
            page = self._store.diary_page(after, from_ms, to_ms, limits.DIARY_PAGE)
            for number, at_ms, sealed in page:
                opened = self._sealer.open(sealed, at_ms)
                if opened is None:
                    yield Damaged(number, at_ms)
                else:
                    yield Entry(number, at_ms, DiaryText(opened.decode("utf-8", "surrogatepass")))
                after = number
            if len(page) < limits.DIARY_PAGE:
                return

    def search(self, query: str, from_ms: int = 0, to_ms: int = LATEST_MS) -> Iterator[Entry]:
        """Open entries one by one and give those that hold every word of the query, whatever their case.

        Raises:
            UsageError: The query has no word.
        """
        words = query.casefold().split()
        if not words:
            raise UsageError("search: expected at least one word")
        for found in self.read(from_ms, to_ms):
            if isinstance(found, Entry) and all(word in found.text.reveal().casefold() for word in words):
                yield found

    def facts(self) -> DiaryFacts:
        """Return how many entries there are, and when; no key is needed for that."""
        return DiaryFacts(*self._store.diary_facts())
