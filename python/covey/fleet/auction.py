"""An auction of one task: announced to who listens already, closed by its deadline, awarded until someone
confirms.

Rules: sans-IO, `handle` by methods that return effects. No bids is an outcome, not an accident; a winner
that declines, is silent or dies gives way to the next best bid; equal scores are settled by a hash, the
same for everybody.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Literal

from covey import limits
from covey.values import dataclass

Refused = Literal["late", "second-bid", "not-invited", "cannot", "malformed", "full", "closed"]
Stage = Literal["open", "awarding", "confirmed", "no-bids", "exhausted", "cancelled"]


@dataclass(frozen=True, slots=True)
class Lot:
    """What is on offer. `needs` are capabilities a bidder must have; `invited` nodeIds, or None for
    everybody.
    """

    id: str
    task: str
    needs: frozenset[str]
    deadline: float
    confirm_seconds: float = 5.0
    invited: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Bid:
    """What a bidder offers: how loaded it is (0 to 1), what it asks, how long it expects to take."""

    bidder: str
    capabilities: frozenset[str]
    load: float = 0.0
    price: float = 0.0
    eta_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a bidder's earlier work."""

    done: int = 0
    failed: int = 0

    @property
    def rate(self) -> float:
        """Return the share of its work that was done, as if one of two had been before it had any."""
        return (self.done + 1) / (self.done + self.failed + 2)


Score = Callable[[Bid, Past], float]
"""The higher, the better. It must be a number; what is none loses, and so does a bid it raises for."""


def default_score(bid: Bid, past: Past) -> float:
    """Weigh past performance first, then how free a bidder is, then price and time."""
    return 2.0 * past.rate + (1.0 - bid.load) - 0.1 * bid.price - 0.01 * min(bid.eta_seconds, 100.0)


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell those who listen that the lot is open."""

    lot: Lot


@dataclass(frozen=True, slots=True)
class Award:
    """Tell a bidder that it has won; it must confirm before `until`. `fence` rises with every award."""

    lot: Lot
    bidder: str
    fence: int
    until: float


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Tell a bidder that its award is void, and why."""

    lot: Lot
    bidder: str
    fence: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The auction is over: confirmed by `winner`, or no-bids, exhausted or cancelled."""

    lot: Lot
    stage: Stage
    winner: str | None
    fence: int
    bids: tuple[Bid, ...]
    passed_over: tuple[tuple[str, str], ...]


Effect = Announce | Award | Withdraw | Ended


@dataclass(slots=True)
class Auction:
    """One auction. Call `begin`, then tell it what comes; it says what to do and when to look again.

    Args:
        lot: What is on offer.
        score: Ranks the bids when the deadline has passed.
        past: Earlier work by bidder.
    """

    lot: Lot
    score: Score = default_score
    past: Mapping[str, Past] = field(default_factory=dict)
    stage: Stage = "open"
    winner: str | None = None
    fence: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    unscored: dict[str, str] = field(default_factory=dict)
    _bids: dict[str, Bid] = field(default_factory=dict)
    _ranking: list[str] = field(default_factory=list)
    _passed: list[tuple[str, str]] = field(default_factory=list)
    _until: float = 0.0

    def begin(self) -> list[Effect]:
        """Announce the lot; whoever runs this listens for bids already."""
        return [Announce(self.lot)]

    def bid(self, bid: Bid, now: float) -> Refused | None:
        """Take a bid; None where it counts."""
        if self.stage != "open":
            return "closed"
        if now > self.lot.deadline:
            return "late"
        if self.lot.invited is not None and bid.bidder not in self.lot.invited:
            return "not-invited"
        if not self.lot.needs <= bid.capabilities:
            return "cannot"
        if not (0.0 <= bid.load <= 1.0 and bid.price >= 0.0 and bid.eta_seconds >= 0.0):
            return "malformed"
        if bid.bidder in self._bids:
            return None if self._bids[bid.bidder] == bid else "second-bid"
        if len(self._bids) >= limits.AUCTION_BIDS:
            return "full"
        self._bids[bid.bidder] = bid
        return None

    def next_deadline(self) -> float | None:
        """Return when `tick` is wanted, or None when the auction is over."""
        return {"open": self.lot.deadline, "awarding": self._until}.get(self.stage)

    def tick(self, now: float) -> list[Effect]:
        """Close the bidding when its time has come, and give up on a winner that does not confirm."""
        if self.stage == "open" and now >= self.lot.deadline:
            return self.close(now)
        if self.stage == "awarding" and now >= self._until:
            return self._pass_over("did not confirm in time", now)
        return []

    def close(self, now: float) -> list[Effect]:
        """Close the bidding before its time: everybody who was invited has answered."""
        if self.stage != "open":
            return []
        bids, past = self._bids.values(), self.past
        self.scores = {each.bidder: self._scored(each) for each in bids}
        self._ranking = ranked(bids, lambda bid, _: self.scores[bid.bidder], past, self.lot.id)
        return self._next(now)

    def _scored(self, bid: Bid) -> float:
        """Score a bid; one that cannot be scored is no number, and `unscored` says why."""
        try:
            value: object = self.score(bid, self.past.get(bid.bidder, Past()))
        except Exception as error:  # contained: a wrong score costs its bid the award, not the auction
            self.unscored[bid.bidder] = f"{type(error).__name__}: {error}"[: limits.PROFILE_TEXT_CHARS]
            return math.nan
        if isinstance(value, int | float) and value == value:
            return value
        self.unscored[bid.bidder] = f"no number: {value!r}"[: limits.PROFILE_TEXT_CHARS]
        return math.nan

    def confirm(self, bidder: str, fence: int, now: float) -> list[Effect]:
        """Take the winner's confirmation; one of an award that is void changes nothing."""
        if self.stage != "awarding" or bidder != self.winner or fence != self.fence or now >= self._until:
            return []
        self.stage = "confirmed"
        return [self._ended()]

    def decline(self, bidder: str, fence: int, now: float) -> list[Effect]:
        """Take the winner's refusal: the next best has it."""
        if self.stage != "awarding" or bidder != self.winner or fence != self.fence:
            return []
        return self._pass_over("declined", now)

    def gone(self, bidder: str, now: float) -> list[Effect]:
        """A bidder has left or failed: it cannot win any more."""
        if self.stage == "open":
            self._bids.pop(bidder, None)
            return []
        if self.stage == "awarding" and bidder == self.winner:
            return self._pass_over("gone", now)
        if bidder in self._ranking:
            self._ranking.remove(bidder)
            self._passed.append((bidder, "gone"))
        return []

    def cancel(self) -> list[Effect]:
        """End the auction without a winner."""
        if self.next_deadline() is None:
            return []
        effects: list[Effect] = []
        if self.stage == "awarding" and self.winner is not None:
            effects.append(Withdraw(self.lot, self.winner, self.fence, "cancelled"))
        self.stage, self.winner = "cancelled", None
        return [*effects, self._ended()]

    def _next(self, now: float) -> list[Effect]:
        if not self._ranking:
            self.stage, self.winner = ("exhausted" if self._bids else "no-bids"), None
            return [self._ended()]
        self.stage, self.winner = "awarding", self._ranking.pop(0)
        self.fence += 1
        self._until = now + self.lot.confirm_seconds
        return [Award(self.lot, self.winner, self.fence, self._until)]

    def _pass_over(self, why: str, now: float) -> list[Effect]:
        bidder = self.winner or ""
        self._passed.append((bidder, why))
        return [Withdraw(self.lot, bidder, self.fence, why), *self._next(now)]

    def _ended(self) -> Ended:
        return Ended(
            self.lot,
            self.stage,
            self.winner,
            self.fence,
            tuple(self._bids[bidder] for bidder in sorted(self._bids)),
            tuple(self._passed),
        )


def ranked(bids: Iterable[Bid], score: Score, past: Mapping[str, Past], lot: str) -> list[str]:
    """Return bidders, best first. A score that is no number comes last; equal ones by the hash of lot and
    bidder.
    """

    def key(bid: Bid) -> tuple[float, bytes]:
        value = score(bid, past.get(bid.bidder, Past()))
        tie = hashlib.sha256(f"{lot}\n{bid.bidder}".encode()).digest()
        return (-value if value == value else float("inf"), tie)

    return [bid.bidder for bid in sorted(bids, key=key)]
