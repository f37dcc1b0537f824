"""A door's books on disk: its keys, and its state with what each peer used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from covey import limits, typed
from covey.inference import accounts, keys
from covey.inference.accounts import Accounts
from covey.inference.keys import KeyBook
from covey.inference.lanes import Step
from covey.system.json_book import JsonBook
from covey.values import dataclass

KEYS: Final[JsonBook[KeyBook]] = JsonBook(
    frozenset({"keys"}),
    limits.DOOR_BOOK_BYTES,
    lambda members: keys.from_json(members["keys"]),
    "move it away to begin with no keys, then: covey share add <account>",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a door remembers over a restart."""

    accounts: Accounts = field(default_factory=Accounts)
    draining: bool = False
    switched: Mapping[str, Step] = field(default_factory=dict)


def _kept(members: Mapping[str, Any]) -> Kept:
    draining = typed.flag(members["draining"], "draining")
    switched = {
        lane: Step.parse(typed.text(step, "switched", limits.DOOR_HEADER_CHARS))
        for lane, step in members["switched"].items()
    }
    return Kept(accounts.from_json(members["accounts"]), draining, switched)


STATE: Final[JsonBook[Kept]] = JsonBook(
    frozenset({"accounts", "draining", "switched"}),
    limits.DOOR_STATE_BYTES,
    _kept,
    "move it away to count from nothing",
)


class StateFile:
    """Where a door's state is kept.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Kept:
        """Return what was kept.

        Raises:
            StoreError: It cannot be read.
        """
        return STATE.load(self._path, Kept())

    def save(self, members: Mapping[str, Any]) -> None:
        """Write it whole.

        Raises:
            StoreError: It cannot be written.
        """
        STATE.save(self._path, members)
