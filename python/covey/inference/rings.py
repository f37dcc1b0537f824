"""The last requests and lines of a door, numbered so that a reader can go on where it stopped. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from covey import limits


class Ring:
    """The newest rows; each has a number that rises by one.

    Args:
        most: Rows kept.
    """

    def __init__(self, most: int) -> None:
        self._rows: deque[dict[str, Any]] = deque(maxlen=most)
        self.last = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row."""
        self.last += 1
        self._rows.append({"seq": self.last, **row})

    def since(self, seq: int, most: int = limits.DOOR_LOG_PAGE) -> dict[str, Any]:
        """Return rows after a number, oldest first; `missed` says how many of them are gone already.

        A number that was never given (the door has started again since) begins anew.
        """
        seq = seq if 0 <= seq <= self.last else 0
        rows = [row for row in self._rows if row["seq"] > seq][:most]
        first = rows[0]["seq"] if rows else self.last + 1
        return {"rows": rows, "next": rows[-1]["seq"] if rows else self.last, "missed": first - seq - 1}
