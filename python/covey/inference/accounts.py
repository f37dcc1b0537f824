"""What each peer used: requests by their end, tokens, time; and what it has left of a day's tokens.

Rules: pure. A day is a UTC day of the wall clock. Totals go on over restarts; whoever keeps them writes what
`as_json` gives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from covey import limits
from covey.values import dataclass

_DAY_MS: Final = 86_400_000
ENDS: Final = ("answered", "failed", "cancelled", "refused")
"""How a request can end: answered by a backend, failed there, given up by its peer, turned away here."""


@dataclass(slots=True)
class Account:
    """What one peer used. Tokens that no backend counted are estimated, and counted apart as well."""

    ends: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated_tokens: int = 0
    milliseconds: int = 0
    day: int = 0
    day_tokens: int = 0

    def used_today(self, now_ms: int) -> int:
        """Return the tokens of this day."""
        return self.day_tokens if self.day == now_ms // _DAY_MS else 0


class Accounts:
    """All accounts of a door."""

    def __init__(self, kept: Mapping[str, Account] | None = None) -> None:
        self._accounts = dict(kept or {})
        self.changes = 0
        """Rises with every change: whoever writes them to disk sees whether there is something new."""

    def of(self, name: str) -> Account:
        """Return the account of that name, opened where it is new."""
        found = self._accounts.get(name)
        if found is None:
            while len(self._accounts) >= limits.DOOR_KEYS:
                # As many as there can be keys: the least used one that goes is of a peer without a key.
                idle = min(self._accounts, key=lambda each: self._accounts[each].ends.total())
                del self._accounts[idle]
            found = self._accounts[name] = Account()
        return found

    def refused(self, name: str, why: str) -> None:
        """Count a request that was turned away."""
        account = self.of(name)
        account.ends["refused"] += 1
        account.refused[why] += 1
        self.changes += 1

    def ended(self, name: str, how: str, used: Used, milliseconds: int, now_ms: int) -> None:
        """Count a request that a backend had."""
        account = self.of(name)
        account.ends[how] += 1
        account.prompt_tokens += used.prompt
        account.completion_tokens += used.completion
        if used.estimated:
            account.estimated_tokens += used.total
        account.milliseconds += milliseconds
        account.day_tokens = account.used_today(now_ms) + used.total
        account.day = now_ms // _DAY_MS
        self.changes += 1

    def view(self) -> dict[str, dict[str, Any]]:
        """Return every account as JSON values, by name."""
        return {
            name: {
                "ends": dict(each.ends),
                "refused": dict(each.refused),
                "prompt_tokens": each.prompt_tokens,
                "completion_tokens": each.completion_tokens,
                "estimated_tokens": each.estimated_tokens,
                "milliseconds": each.milliseconds,
                "day": each.day,
                "day_tokens": each.day_tokens,
            }
            for name, each in sorted(self._accounts.items())
        }


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens of one request."""

    prompt: int = 0
    completion: int = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        """Return both together."""
        return self.prompt + self.completion


def from_json(found: object) -> Accounts:
    """Read accounts back.

    Raises:
        ValueError: They are not as `Accounts.view` gives them.
    """
    if not isinstance(found, Mapping) or len(found) > limits.DOOR_KEYS:
        raise ValueError("accounts: an object")
    return Accounts({name: _account(name, row) for name, row in found.items()})


def _account(name: object, row: object) -> Account:
    numbers = (
        "prompt_tokens",
        "completion_tokens",
        "estimated_tokens",
        "milliseconds",
        "day",
        "day_tokens",
    )
    if not isinstance(name, str) or not isinstance(row, Mapping) or set(row) != {"ends", "refused", *numbers}:
        raise ValueError("an account with all its members")
    counts = [*row["ends"].values(), *row["refused"].values(), *(row[each] for each in numbers)]
    if not all(type(value) is int and 0 <= value <= limits.JSON_INTEGER for value in counts):
        raise ValueError("counts")
    return Account(Counter(row["ends"]), Counter(row["refused"]), **{each: row[each] for each in numbers})
