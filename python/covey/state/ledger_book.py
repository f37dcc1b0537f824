"""What one agent keeps of its own accounts, beside the room's state: caps, and what went out lately.

Rules: pure values. A movement is written down here, durably, before it is made: what a crash cuts off counts
as spent against the caps, and is never spent twice. Whether it was made the budget's own row says later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, field, replace
from typing import Final

from covey import limits, typed
from covey.errors import UsageError
from covey.state.ledger import Head, LedgerError, Totals, Unit
from covey.values import dataclass

_HOUR_MS: Final = 3_600_000
_DAY_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that one movement may take, and all movements of a day; None where there is no cap."""

    each: int | None = None
    day: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("each", self.each), ("day", self.day)):
            if value is not None and (type(value) is not int or not 0 <= value <= limits.LEDGER_AMOUNT):
                raise UsageError(f"{name}: expected a whole number from 0 to {limits.LEDGER_AMOUNT}")


@dataclass(frozen=True, slots=True)
class Account:
    """One unit in an agent's book.

    `head` is the last entry that stands; `next` the one that was written down before it was made. `out` says
    by the hour what went out.
    """

    caps: Caps = Caps()
    head: Head = field(default_factory=Head)
    next: Head | None = None
    out: Mapping[int, int] = field(default_factory=dict)

    def settled(self, row: Totals) -> Account:
        """Return the account once it is known what stands: the budget's row says whether `next` was made.

        Where something moved this unit beside the journal, or both were lost, the journal goes on from what
        the row says; `audit` shows that its next entry does not continue the one before.
        """
        if self.next is not None and self.next.totals == row:
            return replace(self, head=self.next, next=None)
        return replace(self, head=replace(self.head, totals=row), next=None)

    def went_out(self, now_ms: int) -> int:
        """Return what went out in the last day; hours that lie ahead of a clock that was set back count."""
        first = now_ms // _HOUR_MS - _DAY_HOURS
        return sum(amount for hour, amount in self.out.items() if hour > first)

    def checked(self, amount: int, now_ms: int) -> None:
        """Hold an outgoing amount against the caps.

        Raises:
            LedgerError: It goes over one, and over which.
        """
        if self.caps.each is not None and amount > self.caps.each:
            raise LedgerError(
                f"over the cap of one movement: {amount} of {self.caps.each}", code="ledger_cap"
            )
        gone = self.went_out(now_ms)
        if self.caps.day is not None and gone + amount > self.caps.day:
            raise LedgerError(
                f"over the cap of a day: {gone} went out, {amount} more are not within {self.caps.day}",
                code="ledger_cap",
            )

    def planned(self, head: Head, out: int, now_ms: int) -> Account:
        """Return the account with a movement that is about to be made."""
        hour = now_ms // _HOUR_MS
        kept = {at: amount for at, amount in self.out.items() if at > hour - _DAY_HOURS}
        if out:
            kept[hour] = kept.get(hour, 0) + out
        while len(kept) > limits.LEDGER_BUCKETS:  # clocks that jumped: the oldest is counted with the next
            first = kept.pop(min(kept))
            kept[min(kept)] += first
        return replace(self, next=head, out=kept)


@dataclass(frozen=True, slots=True)
class Book:
    """All accounts of one agent, by unit."""

    accounts: Mapping[Unit, Account] = field(default_factory=dict)

    def of(self, unit: Unit) -> Account:
        """Return one account; an empty one where there was none."""
        return self.accounts.get(unit, Account())

    def having(self, unit: Unit, account: Account) -> Book:
        """Return the book with this account in place of an earlier one.

        Raises:
            LedgerError: There are too many.
        """
        if unit not in self.accounts and len(self.accounts) >= limits.LEDGER_ACCOUNTS:
            raise LedgerError(f"{limits.LEDGER_ACCOUNTS} units fit one agent's book", code="too_large")
        return Book({**self.accounts, unit: account})

    def to_json(self) -> bytes:
        """Return the bytes that are kept."""
        rows = [
            {
                "unit": unit.name,
                "issuer": unit.issuer,
                "caps": asdict(account.caps),
                "head": asdict(account.head),
                "next": None if account.next is None else asdict(account.next),
                "out": sorted(account.out.items()),
            }
            for unit, account in self.accounts.items()
        ]
        return json.dumps({"version": 1, "accounts": rows}).encode()

    @staticmethod
    def read(data: bytes | None) -> Book:
        """Read what was kept; an empty book where nothing was.

        Raises:
            LedgerError: It is not what `to_json` wrote: nothing is moved until somebody looks.
        """
        if data is None:
            return Book()
        try:
            return Book(_accounts(data))
        except (typed.WrongTypeError, UsageError) as error:
            raise LedgerError(f"the kept book is not readable: {error}", code="ledger_unreadable") from error


def _accounts(data: bytes) -> dict[Unit, Account]:
    found = typed.members(typed.loaded(data), "book", {"version", "accounts"})
    typed.whole(found["version"], "version", 1, 1)
    rows = [_row(each) for each in typed.listed(found["accounts"], "accounts", limits.LEDGER_ACCOUNTS)]
    if len(dict(rows)) != len(rows):
        raise typed.WrongTypeError("accounts: two of one unit")
    return dict(rows)


def _row(value: object) -> tuple[Unit, Account]:
    row = typed.members(value, "account", {"unit", "issuer", "caps", "head", "next", "out"})
    unit = Unit(typed.text(row["unit"], "unit", 64), typed.text(row["issuer"], "issuer", 64))
    caps = Caps(**typed.members(row["caps"], "caps", {"each", "day"}))  # checks its numbers by itself
    coming = None if row["next"] is None else _head(row["next"])
    return unit, Account(caps, _head(row["head"]), coming, _out(row["out"]))


def _out(value: object) -> dict[int, int]:
    most = limits.LEDGER_BUCKETS
    found: dict[int, int] = {}
    for each in typed.listed(value, "out", most):
        at, amount = typed.exactly(each, "out", 2)
        found[typed.whole(at, "hour")] = typed.whole(amount, "out", most * limits.LEDGER_AMOUNT)
    return found


def _head(value: object) -> Head:
    row = typed.members(value, "head", {"number", "digest", "totals"})
    sums = typed.members(row["totals"], "totals", {"granted", "spent", "paid"})
    amounts = {name: typed.whole(each, name, limits.LEDGER_AMOUNT) for name, each in sums.items()}
    return Head(
        typed.whole(row["number"], "number"), typed.text(row["digest"], "digest", 64), Totals(**amounts)
    )
