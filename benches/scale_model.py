"""The lines of `benches.scale`, and what they say: where one core is full, and where one relay is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from covey import limits

TOO_FEW = "too few blocks to say"
ROOMS = (10, 50, 200, 1_000)
"""Numbers of peers that it is said for."""


@dataclass(frozen=True, slots=True)
class Line:
    """A cost that grows evenly: `fixed + each * size`, in seconds."""

    fixed: float
    each: float

    @property
    def tells(self) -> bool:
        """Tell whether it says anything of a larger size: nothing costs less the more there is of it."""
        return self.fixed >= 0.0 < self.each

    def at(self, size: int) -> float:
        """Return the cost of a size."""
        return self.fixed + self.each * size


def fitted(sizes: Sequence[int], costs: Sequence[float]) -> Line:
    """Fit a line by least squares of the relative error, so that the small sizes count as much as the large.

    Raises:
        ValueError: Fewer than two sizes.
    """
    if len(set(sizes)) < 2:
        raise ValueError("a line needs two sizes")
    weights = [1.0 / (cost * cost) for cost in costs]
    total = sum(weights)
    mean_size = sum(w * s for w, s in zip(weights, sizes, strict=True)) / total
    mean_cost = sum(w * c for w, c in zip(weights, costs, strict=True)) / total
    spread = sum(w * (s - mean_size) ** 2 for w, s in zip(weights, sizes, strict=True))
    rows = zip(weights, sizes, costs, strict=True)
    each = sum(w * (s - mean_size) * (c - mean_cost) for w, s, c in rows) / spread
    return Line(mean_cost - each * mean_size, each)


def told(what: str, sizes: Sequence[int], costs: Sequence[float]) -> tuple[Line, list[str]]:
    """Fit all sizes but the last and say how the last one compares."""
    line = fitted(sizes[:-1], costs[:-1])
    if not line.tells:
        rows = listed(f"{what}: {TOO_FEW}", sizes, costs)
        return line, rows
    rows = [f"{what}: {line.fixed * 1e6:.1f} µs + {line.each * 1e6:.3f} µs for each"]
    for size, cost in zip(sizes, costs, strict=True):
        said = f"  {size:>5}: measured {cost * 1e6:9.1f} µs, the line says {line.at(size) * 1e6:9.1f} µs"
        rows.append(said + (f" ({line.at(size) / cost - 1:+.0%})" if size == sizes[-1] else ""))
    return line, rows


def listed(what: str, sizes: Sequence[int], costs: Sequence[float]) -> list[str]:
    """Say the cost of each size where no line is to be expected."""
    rows = [f"  {size:>5}: measured {cost * 1e6:9.1f} µs" for size, cost in zip(sizes, costs, strict=True)]
    return [what, *rows]


def full(send: Line, hear: float, passing: Line, addressed: float) -> list[str]:
    """Say where one core is full, and where one relay is, by the lines that say anything."""
    return [*_core_full(send, hear), *_relay_full(addressed), *_relay_full_of_broadcasts(passing)]


def _core_full(send: Line, hear: float) -> list[str]:
    rows = [f"one core hears {1 / hear:,.0f} blocks a second in all, whoever speaks"]
    for peers in ROOMS:
        alone = TOO_FEW
        if send.tells:
            most, mutual = 1 / send.at(peers), 1 / (send.at(peers) + peers * hear)
            alone = f"one alone may speak {most:,.0f} blocks a second; each of all {mutual:,.1f}"
        rows.append(f"  {peers:>5} peers: {alone}")
    return rows


def _relay_full(addressed: float) -> list[str]:
    """Say where one relay is full of frames as covey's peers send them, by the relay's seconds for one.

    A block said to a room costs its speaker's pace a frame for each other member; where blocks come one by
    one, the receipts for it cost those others a frame each, so that half is left where all speak alike. Pings
    come out of the same pace: so `at most`.
    """
    passed, pace = 1 / addressed, limits.RELAY_PACE_PER_SECOND
    rows = [f"through one relay, addressed frames as covey's peers send them, each peer {pace:g} a second"]
    for members in ROOMS:
        paced = members * pace
        first = "its processor" if passed < paced else "the pace"
        each = min(passed, paced) / (members * (members - 1))
        rows.append(
            f"  {members:>5} members: it passes {passed:,.0f} a second in all, the pace of all is "
            f"{paced:,.0f}: {first} is reached first, each says at most {each:.3f} blocks a second to all "
            f"others, {each / 2:.3f} with a receipt for each"
        )
    return rows


def _relay_full_of_broadcasts(passing: Line) -> list[str]:
    """Say where one relay is full of broadcasts, which covey's peers never send: each costs its copies."""
    rate = limits.RELAY_FRAMES_PER_SECOND
    rows = [
        f"through one relay, broadcasts as foreign clients may send, each client {rate:g} copies a second"
    ]
    for members in ROOMS:
        if not passing.tells:
            rows.append(f"  {members:>5} members: {TOO_FEW}")
            continue
        passed, rated = 1 / passing.at(members - 1), members * rate / (members - 1)
        first = "its processor" if passed < rated else "the rate"
        rows.append(
            f"  {members:>5} members: it passes {passed:,.0f} a second in all, the rate of all is "
            f"{rated:,.0f}: {first} is reached first"
        )
    return rows
