"""The cost guard: money is reserved before a model call and settled after it.

Rules: pure; time comes in. A call whose reserve does not fit under every cap is refused, so a cap can be
passed only by what calls in flight cost beyond their own reserves; once one did, later reserves are raised by
as much. Amounts are whole nano-USD inside, rounded up,
so that a thousand small calls add up to what they cost. What is unknown counts as spent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field

from covey.limits import COST_BUCKET_SECONDS, COST_OVERRUN_PERMILLE
from covey.safety import state
from covey.values import dataclass

_NAME = "cost"
_NANO = 1_000_000_000
_HOUR_S = 3_600
_DAY_S = 86_400
_PERMILLE = 1_000


@dataclass(frozen=True, slots=True)
class Reserved:
    """The money is set aside; the call may be made, and must be settled or released."""

    id: int
    usd: float


@dataclass(frozen=True, slots=True)
class CostRefused:
    """The call may not be made. `window` is run, hour or day; a run's cap has no `retry_in_s`."""

    window: str
    cap_usd: float
    spent_usd: float
    reserved_usd: float
    needed_usd: float
    retry_in_s: float | None
    fits_later: bool = False
    """It would fit but for what calls under way hold back: ask again when one of them has ended."""

    @property
    def reason(self) -> str:
        """Return the stable word for this refusal: cost-run, cost-hour or cost-day."""
        return f"cost-{self.window}"


@dataclass(frozen=True, slots=True)
class CostView:
    """What is spent in this run, the last hour and the last day, and what is set aside now, in USD."""

    run_usd: float
    hour_usd: float
    day_usd: float
    reserved_usd: float


@dataclass(slots=True)
class _Spent:
    """Money by the minute in which it was spent; a minute is named by its end, so nothing leaves early."""

    minutes: dict[int, int] = field(default_factory=dict)

    def add(self, now_s: int, nano: int) -> None:
        end = (now_s // COST_BUCKET_SECONDS + 1) * COST_BUCKET_SECONDS
        self.minutes[end] = self.minutes.get(end, 0) + nano

    def within(self, now_s: int, window_s: int) -> int:
        return sum(nano for end, nano in self.minutes.items() if end + window_s > now_s)

    def forget(self, now_s: int) -> None:
        self.minutes = {end: nano for end, nano in self.minutes.items() if end + _DAY_S > now_s}

    def room_in(self, now_s: int, window_s: int, too_much: int) -> int:
        """Return the seconds until at least `too_much` has left the window."""
        for end in sorted(self.minutes):
            if end + window_s > now_s:
                too_much -= self.minutes[end]
                if too_much <= 0:
                    return end + window_s - now_s
        return window_s


class CostGuard:
    """Keeps the money of one peer under three caps.

    Args:
        per_run_usd: Cap from start to stop.
        per_hour_usd: Cap in any hour, across restarts.
        per_day_usd: Cap in any day, across restarts.
    """

    def __init__(self, per_run_usd: float, per_hour_usd: float, per_day_usd: float) -> None:
        self._caps = {"run": _floor(per_run_usd), "hour": _floor(per_hour_usd), "day": _floor(per_day_usd)}
        self._run = 0
        self._spent = _Spent()
        self._reserves: dict[int, int] = {}
        self._next_id = 1
        self._latest_s = 0
        self._overrun = _PERMILLE  # by how much the worst call passed its reserve, in thousandths of it

    @property
    def caps(self) -> Mapping[str, float]:
        """Return the caps in USD by window."""
        return {window: nano / _NANO for window, nano in self._caps.items()}

    def reserve(self, usd: float, now: float) -> Reserved | CostRefused:
        """Set aside what one call may cost.

        Args:
            usd: Upper estimate of the call; 0 for a free model always fits.
            now: Monotonic seconds.
        """
        now_s, held = self._advance(now), sum(self._reserves.values())
        needed = -(-_ceil(usd) * self._overrun // _PERMILLE)
        for window, cap in self._caps.items():
            spent = self._in(window, now_s)
            over = spent + held + needed - cap
            if over > 0 and needed > 0:
                wait = self._wait(window, now_s, over)
                fits_later = spent + needed <= cap
                shown = [amount / _NANO for amount in (cap, spent, held, needed)]
                return CostRefused(window, shown[0], shown[1], shown[2], shown[3], wait, fits_later)
        reserved = Reserved(self._next_id, needed / _NANO)
        self._reserves[self._next_id] = needed
        self._next_id += 1
        return reserved

    def settle(self, reserved: Reserved, usd: float | None, now: float) -> float:
        """Replace a reserve by what the call cost; return that in USD.

        Args:
            reserved: What `reserve` gave; each is settled or released once.
            usd: What the call cost; None when nobody knows (a timeout, a lost answer), and then
                the whole reserve counts as spent.
            now: Monotonic seconds.
        """
        now_s = self._advance(now)
        held = self._reserves.pop(reserved.id)
        nano = held if usd is None else _ceil(usd)
        if nano > held > 0:
            grown = -(-nano * self._overrun // held)
            self._overrun = max(self._overrun, min(grown, COST_OVERRUN_PERMILLE))
        self._run += nano
        self._spent.add(now_s, nano)
        return nano / _NANO

    def release(self, reserved: Reserved) -> None:
        """Give a reserve back: the call was not made, or was refused before it could cost anything."""
        del self._reserves[reserved.id]

    def view(self, now: float) -> CostView:
        """Return what is spent and set aside."""
        now_s = self._advance(now)
        run, hour, day = (self._in(window, now_s) / _NANO for window in self._caps)
        return CostView(run, hour, day, sum(self._reserves.values()) / _NANO)

    def export(self, moment: state.Moment) -> bytes:
        """Return what must survive a restart; an open reserve counts as spent, its answer would be lost."""
        now_s = self._advance(moment.monotonic)
        spent = _Spent(dict(self._spent.minutes))
        spent.add(now_s, sum(self._reserves.values()))
        ends = sorted(spent.minutes)
        # A minute's end may lie ahead of now, so ages are kept from one whole minute later.
        ages = [now_s + COST_BUCKET_SECONDS - end for end in ends]
        amounts = [spent.minutes[end] for end in ends]
        return state.pack(
            _NAME, {**state.stamp(moment), "ages_s": ages, "nano_usd": amounts, "overrun": self._overrun}
        )

    def restore(self, raw: bytes, moment: state.Moment) -> None:
        """Take over what an earlier run spent in the last hour and day; the run's own sum starts anew.

        Raises:
            StoreError: The document cannot be read; the guard is as it was.
        """
        content = state.unpack(_NAME, raw)
        away_s = state.away_ms(_NAME, content, moment) // 1000
        ages = state.wholes(_NAME, content, "ages_s")
        amounts = state.wholes(_NAME, content, "nano_usd")
        if len(ages) != len(amounts):
            raise state.unreadable(_NAME, "ages and amounts do not pair up")
        overrun = content.get("overrun", _PERMILLE)
        if isinstance(overrun, bool) or not isinstance(overrun, int):
            raise state.unreadable(_NAME, "overrun is not a count")
        self._overrun = max(self._overrun, min(overrun, COST_OVERRUN_PERMILLE))
        now_s = self._advance(moment.monotonic)
        for age, nano in zip(ages, amounts, strict=True):
            end = now_s + COST_BUCKET_SECONDS - age - away_s
            self._spent.minutes[end] = self._spent.minutes.get(end, 0) + nano
        self._spent.forget(now_s)

    def _advance(self, now: float) -> int:
        self._latest_s = max(self._latest_s, int(now))
        self._spent.forget(self._latest_s)
        return self._latest_s

    def _in(self, window: str, now_s: int) -> int:
        return (
            self._run
            if window == "run"
            else self._spent.within(now_s, _HOUR_S if window == "hour" else _DAY_S)
        )

    def _wait(self, window: str, now_s: int, over: int) -> float | None:
        """Return the seconds until `over` has left a window; a run's sum never shrinks."""
        return (
            None
            if window == "run"
            else float(self._spent.room_in(now_s, _HOUR_S if window == "hour" else _DAY_S, over))
        )


def _ceil(usd: float) -> int:
    if not math.isfinite(usd) or usd < 0:
        raise ValueError(f"an amount of money: {usd}")
    return math.ceil(round(usd * _NANO, 3))


def _floor(usd: float) -> int:
    return math.floor(round(usd * _NANO, 3))
