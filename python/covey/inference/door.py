"""The door's engine: who comes in, who waits, who is turned away and why. Sans-IO.

Rules: every call gets the time and returns what to do: `Admit` a ticket, or `Refuse` it with a status, a
stable word and when to come back. A ticket that was admitted holds a slot until `done`. Nobody is refused or
admitted twice, and no more than the cap are ever under way.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from typing import Any

from covey import limits
from covey.inference.accounts import Accounts
from covey.inference.keys import PRIORITIES, Entry, Priority
from covey.inference.queue import FairQueue, Waiting
from covey.proto.link import Lane
from covey.values import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator allows."""

    concurrent: int = 4
    concurrent_each: int = 4
    queue: int = 64
    queue_each: int = 16
    queue_seconds: float = 60.0
    per_minute: int = 60


@dataclass(frozen=True, slots=True)
class Admit:
    """Go: the ticket has a slot. `waited` is in seconds."""

    ticket: int
    waited: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """No: an HTTP status, a stable word, a sentence, and seconds until it may help to ask again."""

    ticket: int
    status: int
    reason: str
    message: str
    retry_after_s: int | None = None
    queue_depth: int = 0


Effect = Admit | Refuse


class DoorEngine:
    """Decides for one door.

    Args:
        rules: What is allowed.
        accounts: What each peer used; a refusal is counted there.
        draining: No new work is taken, from the start.
    """

    def __init__(self, rules: Rules, accounts: Accounts, *, draining: bool = False) -> None:
        self._rules = rules
        self._accounts = accounts
        self._queue = FairQueue(rules.queue, rules.queue_each)
        self._busy: dict[int, str] = {}
        self._each: Counter[str] = Counter()
        self._rates: OrderedDict[str, Lane] = OrderedDict()
        self.draining = draining
        self.counters: Counter[str] = Counter()

    def ask(
        self,
        ticket: int,
        entry: Entry,
        now: float,
        now_ms: int,
        *,
        priority: Priority | None = None,
        deadline_s: float | None = None,
    ) -> list[Effect]:
        """Take a request that wants a slot and passed `limited`; what comes back may be about others."""
        self.counters["asked"] += 1
        refusal = self._refusal(ticket, entry, now_ms, deadline_s)
        if refusal is not None:
            return [self._refused(refusal, entry.account)]
        wait = self._rules.queue_seconds if deadline_s is None else min(deadline_s, self._rules.queue_seconds)
        new = Waiting(ticket, entry.account, _at_most(priority, entry.priority), now, now + wait)
        gone = self._queue.put(new)
        effects: list[Effect] = [] if gone is None else [self._turned_away(gone, new)]
        return [*effects, *self._admit(now)]

    def limited(self, entry: Entry, now: float) -> Refuse | None:
        """Take note of a request of any kind, before its body is read; return why not, if too often."""
        refusal = self._too_often(entry, now)
        return None if refusal is None else self._refused(refusal, entry.account)

    def left(self, ticket: int, now: float) -> list[Effect]:
        """Take note that whoever waited has gone; one that is under way ends by `done`."""
        if self._queue.drop(ticket):
            self.counters["left.waiting"] += 1
        return self._admit(now)

    def done(self, ticket: int, now: float) -> list[Effect]:
        """Take a slot back."""
        account = self._busy.pop(ticket, None)
        if account is not None:
            self._each[account] -= 1
            if not self._each[account]:
                del self._each[account]
        return self._admit(now)

    def due(self, now: float) -> list[Effect]:
        """Turn away whoever has waited as long as it may."""
        found: list[Effect] = [
            self._refused(
                Refuse(
                    each.ticket,
                    429,
                    "queue-timeout",
                    f"no slot within {now - each.since:.0f} s; {len(self._queue)} wait",
                    self._soon(),
                    len(self._queue),
                ),
                each.account,
            )
            for each in self._queue.late(now)
        ]
        return [*found, *self._admit(now)]

    def next_due(self) -> float | None:
        """Return when `due` should be called, or None."""
        return self._queue.next_due()

    @property
    def under_way(self) -> int:
        """Return how many hold a slot."""
        return len(self._busy)

    def view(self) -> dict[str, Any]:
        """Return how it stands now."""
        return {
            "draining": self.draining,
            "under_way": len(self._busy),
            "concurrent": self._rules.concurrent,
            "waiting": len(self._queue),
            "queue": self._rules.queue,
            "counters": dict(sorted(self.counters.items())),
        }

    # --- below ----------------------------------------------------------------------------------

    def _refusal(self, ticket: int, entry: Entry, now_ms: int, deadline_s: float | None) -> Refuse | None:
        if self.draining:
            return Refuse(ticket, 503, "draining", "this leader takes no new work", 30)
        if deadline_s is not None and deadline_s <= 0:
            return Refuse(ticket, 504, "deadline", "the deadline is over", None, len(self._queue))
        most = entry.tokens_per_day
        if most is not None and self._accounts.of(entry.account).used_today(now_ms) >= most:
            rest = 86_400 - now_ms // 1_000 % 86_400
            return Refuse(ticket, 429, "tokens", f"{most} tokens of this day are used", rest)
        return None

    def _too_often(self, entry: Entry, now: float) -> Refuse | None:
        """Take one of a peer's requests of this minute. Each peer has its own: nobody uses up another's."""
        per_minute = entry.per_minute or self._rules.per_minute
        lane = self._rates.setdefault(entry.account, Lane(per_minute / 60, per_minute))
        if lane.burst != per_minute:
            # Another key of the same peer, or another limit for it: what was asked stays asked.
            lane.refill(now)
            lane.rate, lane.burst, lane.tokens = per_minute / 60, per_minute, min(lane.tokens, per_minute)
        self._rates.move_to_end(entry.account)
        while len(self._rates) > limits.DOOR_KEYS:
            self._rates.popitem(last=False)
        lane.refill(now)
        if lane.tokens < 1.0:
            wait = max(1, math.ceil(lane.wait_seconds()))
            return Refuse(0, 429, "rate", f"more than {per_minute} requests a minute", wait)
        lane.tokens -= 1.0
        return None

    def _admit(self, now: float) -> list[Effect]:
        found: list[Effect] = []
        while len(self._busy) < self._rules.concurrent:
            each = self._queue.take(lambda account: self._each[account] < self._rules.concurrent_each)
            if each is None:
                break
            self._busy[each.ticket] = each.account
            self._each[each.account] += 1
            self.counters["admitted"] += 1
            found.append(Admit(each.ticket, max(0.0, now - each.since)))
        return found

    def _turned_away(self, gone: Waiting, new: Waiting) -> Refuse:
        own = gone.ticket == new.ticket
        said = "the queue is full" if own else "the queue is full, and you hold most of it"
        depth = len(self._queue)
        refusal = Refuse(gone.ticket, 429, "queue-full", f"{said}: {depth} wait", self._soon(), depth)
        return self._refused(refusal, gone.account)

    def _refused(self, refusal: Refuse, account: str) -> Refuse:
        self.counters[f"refused.{refusal.reason}"] += 1
        self._accounts.refused(account, refusal.reason)
        return refusal

    def _soon(self) -> int:
        """Return a guess of seconds until there is room: one turn of the slots for each row of the queue."""
        return max(1, min(60, len(self._queue) // max(1, self._rules.concurrent)))


def _at_most(wanted: Priority | None, most: Priority) -> Priority:
    """Return the wanted priority, or the key's own where that is lower."""
    if wanted is None:
        return "normal" if PRIORITIES.index(most) < PRIORITIES.index("normal") else most
    return max(wanted, most, key=PRIORITIES.index)
