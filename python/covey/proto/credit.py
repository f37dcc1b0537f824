"""Credit of one session, both ways: how many records, of how many bytes, may be under way.

Totals, counted from the session's start, so that a grant that comes late, twice or not at all harms nobody:
the highest one counts. Two control frames inside control-encrypted, where both hellos offered the token
(docs/protocol.md):

    {"type":"x-covey-credit","records":n,"bytes":n}         so much may have been sent in all
    {"type":"x-covey-credit-wanted","records":n,"bytes":n}  so much was sent in all, and more waits

A record's bytes are those of its form in a compact batch, whichever form it travels in. Nothing is ever sent
beyond what was granted. It cannot stand still for ever: with nothing held, the window is larger than what
may remain untold and than the largest record; and who waits says what it sent, which settles any miscount.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final, NamedTuple

from covey import limits
from covey.values import dataclass

TOKEN: Final = "x-covey-credit-v1"
"""The extension token both hellos offer."""
GRANT: Final = "x-covey-credit"
WANTED: Final = "x-covey-credit-wanted"
FRAMES: Final = frozenset({GRANT, WANTED})


class Amount(NamedTuple):
    """A number of records, and their bytes."""

    records: int
    bytes: int

    def plus(self, records: int, size: int) -> Amount:
        """Return so much more."""
        return Amount(self.records + records, self.bytes + size)

    def most(self, other: Amount) -> Amount:
        """Return the larger of each."""
        return Amount(max(self.records, other.records), max(self.bytes, other.bytes))

    def within(self, other: Amount) -> bool:
        """Tell whether neither is more than the other's."""
        return self.records <= other.records and self.bytes <= other.bytes


FIRST: Final = Amount(limits.CREDIT_FIRST_RECORDS, limits.CREDIT_FIRST_BYTES)
"""What the token alone grants: something can be said before the first grant is there."""


class BadCreditError(ValueError):
    """The frame is not one of these; nothing of it was used."""


@dataclass(slots=True)
class Spending:
    """What this side may still send. Sums are numbers that grow: a block alone must not cost a value each."""

    granted: Amount = FIRST
    sent_records: int = 0
    sent_bytes: int = 0
    short_at: float | None = None
    """Since when something waits for credit, without any that came."""

    @property
    def sent(self) -> Amount:
        """Return what was sent in all."""
        return Amount(self.sent_records, self.sent_bytes)

    def left(self) -> tuple[int, int]:
        """Return how many records, of how many bytes, may be sent now."""
        return self.granted.records - self.sent_records, self.granted.bytes - self.sent_bytes

    def fitting(self, sizes: Iterable[int]) -> int:
        """Return how many records of these sizes, in this order, may be sent now."""
        after, count = self.sent, 0
        for size in sizes:
            after = after.plus(1, size)
            if not after.within(self.granted):
                break
            count += 1
        return count

    def spend(self, records: int, size: int) -> None:
        """Note what was sent."""
        self.sent_records += records
        self.sent_bytes += size
        within = self.sent_records <= self.granted.records and self.sent_bytes <= self.granted.bytes
        assert within, "more was sent than was granted"

    def runs_short(self, now: float) -> None:
        """Note that something waits for credit."""
        if self.short_at is None:
            self.short_at = now

    def take(self, granted: Amount) -> bool:
        """Take a grant; tell whether it is news. One that came late, or again, is none."""
        if granted.within(self.granted):
            return False
        self.granted = self.granted.most(granted)
        self.short_at = None
        return True


@dataclass(slots=True)
class Granting:
    """What the peer may still send, and what of it is still held here."""

    window: Amount
    """How much may be under way or held here: read and not yet durable."""
    given: Amount = FIRST
    received_records: int = 0
    received_bytes: int = 0
    held_records: int = 0
    held_bytes: int = 0
    unsaid: bool = False
    """A grant could not be said: the write buffer was full."""

    def take(self, records: int, size: int) -> bool:
        """Note what came; False where the peer was never granted so much."""
        self.received_records += records
        self.received_bytes += size
        self.held_records += records
        self.held_bytes += size
        return self.received_records <= self.given.records and self.received_bytes <= self.given.bytes

    def done(self, records: int, size: int) -> None:
        """Note what is held no longer: durable, refused or lost."""
        self.held_records -= records
        self.held_bytes -= size

    def settle(self, sent: Amount) -> bool:
        """Take what the peer says it sent in all; False where it never was granted so much.

        Everything before that word has come: what was not counted did not parse, and is held by nobody.
        """
        self.received_records, self.received_bytes = Amount(self.received_records, self.received_bytes).most(
            sent
        )
        return self.received_records <= self.given.records and self.received_bytes <= self.given.bytes

    def due(self) -> bool:
        """Tell whether there is enough to grant: a quarter of the window, lest each record cost a frame."""
        window, given = self.window, self.given
        records = self.received_records + window.records - self.held_records - given.records
        size = self.received_bytes + window.bytes - self.held_bytes - given.bytes
        return records * 4 >= window.records or size * 4 >= window.bytes

    def grant(self) -> Amount:
        """Return what is granted from now on, in all; never less than before."""
        free_records = max(0, self.window.records - self.held_records)
        free_bytes = max(0, self.window.bytes - self.held_bytes)
        most = Amount(self.received_records + free_records, self.received_bytes + free_bytes)
        self.given = self.given.most(most)
        return self.given


@dataclass(slots=True)
class Credit:
    """Both directions of one session."""

    granting: Granting
    spending: Spending
    ask_seconds: float = limits.CREDIT_SLOW_SECONDS
    """How long until more is asked for again."""


def opened(window: Amount) -> Credit:
    """Return the credit of a session that has just opened."""
    return Credit(Granting(window), Spending())


def write(kind: str, amount: Amount) -> bytes:
    """Write one of the two frames."""
    value = {"type": kind, "records": amount.records, "bytes": amount.bytes}
    return json.dumps(value, separators=(",", ":")).encode()


def parse(frame: bytes) -> Amount:
    """Read one of the two frames.

    Raises:
        BadCreditError: A member is missing, more than there should be, or no whole number from 0 to 2^53 - 1.
    """
    try:
        value = json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise BadCreditError("not JSON") from error
    if not isinstance(value, dict) or value.keys() != {"type", "records", "bytes"}:
        raise BadCreditError("members")
    return Amount(_number(value["records"], "records"), _number(value["bytes"], "bytes"))


def _number(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= limits.DELIVERY_NUMBER:
        raise BadCreditError(name)
    return value
