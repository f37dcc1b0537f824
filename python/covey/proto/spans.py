"""Spans: which numbers of a stream are settled, as ranges; a hole of any size costs one entry."""

from __future__ import annotations

from collections.abc import Iterable


class Spans:
    """A cursor (everything up to it is settled) and settled ranges beyond it, ascending, never touching."""

    __slots__ = ("_beyond", "cursor")

    def __init__(self, cursor: int = 0, beyond: Iterable[int] = ()) -> None:
        self.cursor = cursor
        self._beyond: list[tuple[int, int]] = []
        for number in beyond:
            self.add(number, number)

    def __len__(self) -> int:
        """Return how many ranges stand beyond the cursor: the holes before them."""
        return len(self._beyond)

    def __contains__(self, number: int) -> bool:
        """Tell whether a number is settled."""
        return number <= self.cursor or any(first <= number <= last for first, last in self._beyond)

    @property
    def last(self) -> int:
        """Return the highest settled number."""
        return self._beyond[-1][1] if self._beyond else self.cursor

    def holes(self, upto: int) -> list[tuple[int, int]]:
        """Return the ranges up to a number that are not settled, ascending."""
        found, at = [], self.cursor + 1
        for first, last in self._beyond:
            if first > upto:
                break
            if at < first:
                found.append((at, first - 1))
            at = last + 1
        if at <= upto:
            found.append((at, upto))
        return found

    def add(self, first: int, last: int) -> list[tuple[int, int]]:
        """Settle a range; return the parts of it that were not settled before, ascending."""
        fresh = [(max(a, first), b) for a, b in self.holes(last) if b >= first]
        if not fresh:
            return []
        merged: list[tuple[int, int]] = []
        low, high = first, last
        for a, b in self._beyond:
            if b < low - 1 or a > high + 1:
                merged.append((a, b))
            else:
                low, high = min(a, low), max(b, high)
        merged.append((low, high))
        merged.sort()
        if merged[0][0] <= self.cursor + 1:
            self.cursor = merged.pop(0)[1]
        self._beyond = merged
        return fresh

    def lowest_hole(self) -> tuple[int, int] | None:
        """Return the first hole that has something settled behind it, or None."""
        return (self.cursor + 1, self._beyond[0][0] - 1) if self._beyond else None
