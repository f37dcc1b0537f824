"""Where a block's time goes between two processes: stamps at each station, joined when both have finished.

The processes of one machine share the monotonic clock. Stamps are taken at the ports (the store's, the
transport's) and in the node's shell: what is measured is what a peer runs, and no engine knows of it. On the
way a block is known by its assertion id, which is cheap to read; which number it has is seen at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from covey.bench.stats import percentile
from covey.net.tcp import TcpTransport
from covey.proto.news import Delivered
from covey.runtime.node import Node
from covey.store.node import NodeStore

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.effects import Done
    from covey.proto.news import News

STATIONS: Final = ("signed", "kept", "written", "read", "verdict", "durable", "delivered")
"""In a block's order. At its author: signed, durable there, written to the socket. At its hearer: read,
judged, durable, handed to the application. All count from the call of `emit`."""
LAST: Final = STATIONS[-1]
LATE: Final = 0.99
"""Of all blocks, the share that is not late: where the others lost their time is told apart."""
SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
MARK: Final = " @"
Stamps = dict[int, int]
"""Monotonic nanoseconds of one station, by the block's number: the nanosecond at which it was emitted."""


def number_of(focus: str) -> int | None:
    """Return a block's number, which ends its focus; None for a block of somebody else."""
    number = focus.rpartition(MARK)[2]
    return int(number) if number.isdigit() else None


class Stamped:
    """The stamps of one process."""

    def __init__(self) -> None:
        self.at: dict[str, dict[str, int]] = {name: {} for name in STATIONS}
        """Monotonic nanoseconds of each station, by assertion id."""
        self.said: dict[str, str] = {}
        """The focus of each block that came to its end here, by assertion id."""
        self.read_ns = 0
        """When the last bytes were read."""
        self.unwritten: list[str] = []
        """Durable at their author, and not yet written."""

    def stamp(self, station: str, blocks: Sequence[str], at: int | None = None) -> None:
        """Note that blocks reached a station, now or `at` a time; a later stamp changes nothing."""
        now = time.perf_counter_ns() if at is None else at
        stamps = self.at[station]
        for assertion_id in blocks:
            stamps.setdefault(assertion_id, now)

    def heard(self, news: News) -> None:
        """Stamp what an application is handed."""
        if isinstance(news, Delivered):
            block = news.delivery.block
            self.at["delivered"].setdefault(block.assertion_id, time.perf_counter_ns())
            self.said[block.assertion_id] = block.categories["focus"]

    def stamps(self) -> dict[str, Stamps]:
        """Return the stamps by the numbers of blocks, where both are known."""
        found = {assertion_id: number_of(focus) for assertion_id, focus in self.said.items()}
        numbers = {assertion_id: number for assertion_id, number in found.items() if number is not None}
        return {
            name: {numbers[each]: at for each, at in stamped.items() if each in numbers}
            for name, stamped in self.at.items()
        }


class StampedStore(NodeStore):
    """A store that stamps what it is given and what it made durable; `stamped` is set before it starts."""

    stamped: Stamped

    def start(self, stored: Callable[[Sequence[Done]], None], failed: Callable[[int, str], None]) -> None:
        """Begin, and stamp each answer before the node hears it."""
        self._wanted: dict[int, tuple[str, list[str]]] = {}

        def answered(done: Sequence[Done]) -> None:
            for each in done:
                station, blocks = self._wanted.pop(each.token, ("kept", []))
                self.stamped.stamp(station, blocks)
                if station == "kept":
                    self.stamped.unwritten += blocks
            stored(done)

        super().start(answered, failed)

    def commit(
        self, token: int, batch: _core.OutcomeBatch, now_ms: int, attention: _core.Attention | None = None
    ) -> None:
        """Stamp the verdicts and when they were read, then make them durable."""
        now = time.perf_counter_ns()
        super().commit(token, batch, now_ms, attention)
        blocks = [batch[index].assertion_id for index in range(len(batch))]
        self.stamped.stamp("read", blocks, self.stamped.read_ns)
        self.stamped.stamp("verdict", blocks, now)
        self._wanted[token] = ("durable", blocks)

    def put_own(
        self,
        token: int,
        record: _core.Record,
        now_ms: int,
        recipients: Sequence[str],
        deadline_ms: int | None = None,
    ) -> None:
        """Stamp what is signed, then make it durable."""
        now = time.perf_counter_ns()
        super().put_own(token, record, now_ms, recipients, deadline_ms)
        blocks = [record.assertion_id]
        self.stamped.stamp("signed", blocks, now)
        self._wanted[token] = ("kept", blocks)


class StampedTransport(TcpTransport):
    """A transport that stamps what it wrote."""

    stamped: Stamped

    def write(self, link: int, data: bytes) -> None:
        """Stamp what became durable before and leaves now, then write."""
        if self.stamped.unwritten:
            self.stamped.stamp("written", self.stamped.unwritten)
            self.stamped.unwritten.clear()
        super().write(link, data)


class StampedNode(Node):
    """A node that stamps when bytes are read."""

    stamped: Stamped

    def link_data(self, link: int, data: bytes) -> None:
        """Stamp what is read, then take it."""
        self.stamped.read_ns = time.perf_counter_ns()
        super().link_data(link, data)


def ages(*stamps: Mapping[str, Stamps]) -> dict[str, list[float]]:
    """Return how old blocks were at each station, in seconds; only blocks that reached the last one count."""
    joined = _joined(stamps)
    arrived = joined[LAST]
    found = {
        name: [(at - number) / 1e9 for number, at in stamped.items() if number in arrived]
        for name, stamped in joined.items()
    }
    written = {number: at for number, at in joined["written"].items() if number in arrived}
    for name in ("verdict", "delivered"):
        way = [(at - written[number]) / 1e9 for number, at in joined[name].items() if number in written]
        found[f"written to {name}"] = way
    return found


def late(*stamps: Mapping[str, Stamps]) -> dict[str, list[float]]:
    """Return what the slowest hundredth took from one station to the next, in seconds, as `late verdict`."""
    joined = _joined(stamps)
    took = {number: at - number for number, at in joined[LAST].items()}
    if not took:
        return {}
    bound = percentile(list(took.values()), LATE)
    found: dict[str, list[float]] = {f"late {name}": [] for name in STATIONS}
    for number in (number for number, age in took.items() if age >= bound):
        before = number
        for name in STATIONS:
            at = joined[name].get(number, before)  # one that has no stamp took no time of its own
            found[f"late {name}"].append((at - before) / 1e9)
            before = at
    return found


def _joined(stamps: Sequence[Mapping[str, Stamps]]) -> dict[str, Stamps]:
    """Return the stamps of several processes by station."""
    joined: dict[str, Stamps] = {name: {} for name in STATIONS}
    for one in stamps:
        for name, stamped in one.items():
            joined[name].update(stamped)
    return joined


def facts(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return percentiles of each station in microseconds, as `verdict p50`."""
    return {
        f"{name} {word}": percentile(samples, share) * 1e6
        for name, samples in found.items()
        if samples
        for word, share in SHARES.items()
    }
