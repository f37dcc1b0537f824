"""For what a block's time between two stations went: work, waiting for whom, or for a core.

What a process saw of itself is its trail: when a block was where, how much of the processor its loop had
spent by then, and what its writer did meanwhile. Nothing here is measured; trails of two processes are laid
side by side. What overlaps nothing known is `waking`: a thread was free to run, or on its way to be.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from statistics import fmean
from typing import Final, NamedTuple

from covey.bench.stats import percentile
from covey.values import dataclass

Stamps = dict[int, int]
"""Monotonic nanoseconds of one station, by the block's number: the nanosecond at which it was emitted."""
Span = tuple[int, int]

STATIONS: Final = ("signed", "kept", "written", "read", "verdict", "durable", "delivered")
"""In a block's order. At its author: signed, durable there, written to the socket. At its hearer: read,
judged, durable, handed to the application. All count from the call of `emit`."""
CALLED: Final = "called"
"""The call itself: of it a trail has what the processor had spent."""
LATE: Final = 0.99
"""Of all blocks, the share that is not late: where the others lost their time is told apart."""
MIDDLE: Final = (0.45, 0.55)
"""Beside them, the blocks about the median."""
CAUSES: Final = {
    "work": "the loop's own, on the processor",
    "no core": "the loop could not run: others did, or it was about to",
    "loop": "its loop was at work for other blocks",
    "waking": "a thread that was free to run, until it ran; the socket",
    "write": "the writer was at commits before",
    "index": "the writer was filling the index of full text",
    "merge": "the writer was merging its pieces",
    "commit": "its own commit, but for the disk",
    "disk": "the log written, and the disk waited for",
    "copy": "of all this, beside the log being copied back",
    "collector": "of all this, in Python's collector",
}
"""Why time goes, and what is meant. The last two lie within the others."""
_LOOP: Final = {"signed": CALLED, "written": "kept", "verdict": "read", "delivered": "durable"}
"""Stations reached by the loop alone, and from where."""
_SPEAKERS: Final = frozenset({"signed", "kept", "written"})


class Deed(NamedTuple):
    """What a writer's thread did: `write`, `index`, `merge`, or `copy`, which is beside it."""

    what: str
    began: int
    ended: int
    disk: int


@dataclass(frozen=True, slots=True)
class Trail:
    """What one process saw of itself."""

    at: dict[str, Stamps] = field(default_factory=dict)
    spent: dict[str, Stamps] = field(default_factory=dict)
    """What the loop's thread had of the processor when it stamped, likewise."""
    deeds: tuple[Deed, ...] = ()
    pauses: tuple[Span, ...] = ()
    """When Python's collector was at work."""
    threads: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Of each kind of thread, which parts of the time it ran, and wanted a core."""


def joined(trails: Sequence[Trail]) -> Trail:
    """Return the trails of processes that ran one after another as one: they share a clock."""

    def merged(found: Sequence[Mapping[str, Stamps]]) -> dict[str, Stamps]:
        names = {name for each in found for name in each}
        return {
            name: {number: at for each in found for number, at in each.get(name, {}).items()}
            for name in names
        }

    kinds = {kind for trail in trails for kind in trail.threads}
    threads = {kind: [trail.threads[kind] for trail in trails if kind in trail.threads] for kind in kinds}
    return Trail(
        merged([trail.at for trail in trails]),
        merged([trail.spent for trail in trails]),
        tuple(deed for trail in trails for deed in trail.deeds),
        tuple(pause for trail in trails for pause in trail.pauses),
        {
            kind: (fmean(ran for ran, _ in both), fmean(wanted for _, wanted in both))
            for kind, both in threads.items()
        },
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """A trail, made ready to be looked up."""

    trail: Trail
    busy: Sequence[Span]
    writes: Sequence[Deed]
    spans: Mapping[str, Sequence[Span]]

    @classmethod
    def of(cls, trail: Trail, begins: Mapping[str, Stamps]) -> _Side:
        deeds = sorted(trail.deeds, key=lambda deed: deed.began)
        kinds = ("write", "index", "merge", "copy")
        spans = {kind: [(each.began, each.ended) for each in deeds if each.what == kind] for kind in kinds}
        spans["collector"] = sorted(trail.pauses)
        busy = [
            (begins[before][number], at)
            for name, before in _LOOP.items()
            for number, at in trail.at.get(name, {}).items()
            if number in begins.get(before, {})
        ]
        return cls(trail, _union(busy), [each for each in deeds if each.what == "write"], spans)

    def on_loop(self, name: str, number: int, began: int, ended: int) -> dict[str, int]:
        """What the loop did itself, by the processor's time; the rest it could not run."""
        spent = self.trail.spent
        here, before = spent.get(name, {}).get(number), spent.get(_LOOP[name], {}).get(number)
        took = ended - began
        work = took if here is None or before is None else max(0, min(took, here - before))
        return {"work": work, "no core": took - work}

    def in_store(self, began: int, ended: int) -> dict[str, int]:
        """From being handed to the writer until the loop is told."""
        place = bisect_left(self.writes, began, key=lambda deed: deed.began)
        if place == len(self.writes) or self.writes[place].began > ended:
            return {"waking": ended - began}
        own = self.writes[place]
        found = {kind: _overlap(self.spans[kind], began, own.began) for kind in ("write", "index", "merge")}
        done = min(own.ended, ended)
        disk = min(own.disk, done - own.began)
        found |= {"disk": disk, "commit": done - own.began - disk, "loop": _overlap(self.busy, done, ended)}
        return found | {"waking": max(0, ended - began - sum(found.values()))}

    def on_the_way(self, began: int, ended: int) -> dict[str, int]:
        """From one process to the loop of the other."""
        loop = _overlap(self.busy, began, ended)
        return {"loop": loop, "waking": ended - began - loop}

    def within(self, began: int, ended: int) -> dict[str, int]:
        """What went on meanwhile, whatever else did."""
        return {kind: _overlap(self.spans[kind], began, ended) for kind in ("copy", "collector")}


def parts(speaker: Trail, hearer: Trail) -> dict[str, float]:
    """Say of the slowest hundredth, and of those about the median, what each station took and why.

    Returns:
        Means in microseconds: `lost late kept` all of it, `lost late kept index` a part; so `lost middle …`.
    """
    at = {**speaker.at, **{name: hearer.at.get(name, {}) for name in STATIONS if name not in _SPEAKERS}}
    arrived = at.get(STATIONS[-1], {})
    if not arrived:
        return {}
    at[CALLED] = {number: number for number in arrived}
    sides = {True: _Side.of(speaker, at), False: _Side.of(hearer, at)}
    ages = {number: ended - number for number, ended in arrived.items()}
    bound = percentile(list(ages.values()), LATE)
    low, high = (percentile(list(ages.values()), share) for share in MIDDLE)
    some = {
        "late": [number for number, age in ages.items() if age >= bound],
        "middle": [number for number, age in ages.items() if low <= age <= high],
    }
    found: dict[str, float] = {}
    for which, numbers in some.items():
        for name, before in zip(STATIONS, (CALLED, *STATIONS), strict=False):
            ways = [
                _way(sides[name in _SPEAKERS], name, number, at[before][number], at[name][number])
                for number in numbers
                if number in at.get(before, {}) and number in at.get(name, {})
            ]
            found |= {f"lost {which} {name}{word}": mean for word, mean in _means(ways).items()}
    return found


def shares(who: str, trail: Trail) -> dict[str, float]:
    """Say which parts of the time the threads of a process ran and wanted a core, as `author loop ran`."""
    return {
        f"{who} {kind} {word}": share
        for kind, both in sorted(trail.threads.items())
        for word, share in zip(("ran", "wanted a core"), both, strict=True)
    }


def lines(facts: Mapping[str, float]) -> list[str]:
    """Return what `parts` and `shares` said as rows of text: a station each, the largest part first."""
    said = []
    for which, title in (("late", "the slowest hundredth"), ("middle", "those about the median")):
        rows = []
        for name in STATIONS:
            whole = f"lost {which} {name}"
            if whole in facts:
                found = {cause: facts.get(f"{whole} {cause}", 0.0) for cause in CAUSES}
                shown = [
                    f"{cause} {took:,.0f}"
                    for cause, took in sorted(found.items(), key=lambda each: -each[1])
                    if took >= 0.5
                ]
                rows.append(f"    {name:10} {facts[whole]:>8,.0f}: {', '.join(shown)}")
        said += [f"  means of {title}, and for what:", *rows] if rows else []
    for who in ("author", "hearer"):
        kinds = [
            name.removesuffix(" ran")
            for name in facts
            if name.startswith(f"{who} ") and name.endswith(" ran")
        ]
        ran = [f"{kind.removeprefix(who)[1:]} {facts[f'{kind} ran']:.2f}" for kind in kinds]
        wanted = [f"{kind.removeprefix(who)[1:]} {facts[f'{kind} wanted a core']:.2f}" for kind in kinds]
        if kinds:
            said.append(
                f"  {who}'s threads, of the time: ran {', '.join(ran)}; wanted a core {', '.join(wanted)}"
            )
    return said


def _way(side: _Side, name: str, number: int, began: int, ended: int) -> dict[str, int]:
    if name in _LOOP:
        found = side.on_loop(name, number, began, ended)
    elif name == "read":
        found = side.on_the_way(began, ended)
    else:
        found = side.in_store(began, ended)
    return {"": ended - began} | found | side.within(began, ended)


def _means(ways: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Return means in microseconds, by the word of a cause behind a space; nothing for what took none."""
    sums: dict[str, int] = {}
    for way in ways:
        for cause, took in way.items():
            sums[cause] = sums.get(cause, 0) + took
    means = {cause: total / len(ways) / 1e3 for cause, total in sums.items()}
    return {f" {cause}" if cause else "": mean for cause, mean in means.items() if mean or not cause}


def _union(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order that overlap nowhere, over the same time."""
    joined: list[Span] = []
    for began, ended in sorted(spans):
        if joined and began <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], ended))
        else:
            joined.append((began, ended))
    return joined


def _overlap(spans: Sequence[Span], began: int, ended: int) -> int:
    """Return how much of a time is within spans, which are in order and overlap nowhere."""
    place = max(0, bisect_left(spans, (began, began)) - 1)
    found = 0
    for first, last in spans[place:]:
        if first >= ended:
            break
        found += max(0, min(last, ended) - max(first, began))
    return found
