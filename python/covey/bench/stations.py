"""Where a block's time goes between two processes: stamps at each station, joined when both have finished.

The processes of one machine share the monotonic clock. Stamps are taken at the ports (the store's, the
transport's) and in the node's shell: what is measured is what a peer runs, and no engine knows of it. On the
way a block is known by its assertion id, which is cheap to read; which number it has is seen at the end.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from covey.bench import lost
from covey.bench.lost import Deed, Stamps, Trail
from covey.bench.stats import percentile
from covey.bench.threads import Cores
from covey.net.tcp import TcpTransport
from covey.proto.news import Delivered
from covey.runtime.node import Node
from covey.store.node import NodeStore

if TYPE_CHECKING:
    from covey import _core
    from covey.proto.effects import Done
    from covey.proto.news import News

STATIONS: Final = lost.STATIONS
LAST: Final = STATIONS[-1]
DEEDS: Final = 65_536
"""Of a writer that are kept: those of ten seconds at a thousand blocks a second, thrice."""
SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
MARK: Final = " @"


def number_of(focus: str) -> int | None:
    """Return a block's number, which ends its focus; None for a block of somebody else."""
    number = focus.rpartition(MARK)[2]
    return int(number) if number.isdigit() else None


class Stamped:
    """The stamps of one process."""

    def __init__(self) -> None:
        self.at: dict[str, dict[str, int]] = {name: {} for name in STATIONS}
        """Monotonic nanoseconds of each station, by assertion id."""
        self.spent: dict[str, dict[str, int]] = {name: {} for name in STATIONS}
        """What the loop's thread had spent of the processor by then."""
        self.called: Stamps = {}
        """The same of the call itself, by the block's number."""
        self.behind: list[float] = []
        """Seconds by which each call came later than its time: the loop was at work."""
        self.store: StampedStore | None = None
        self._pauses: list[tuple[int, int]] = []
        self._collecting = 0
        self._cores = Cores()
        self.said: dict[str, str] = {}
        """The focus of each block that came to its end here, by assertion id."""
        self.read = (0, 0)
        """When the last bytes were read, and what the loop had spent."""
        self.unwritten: list[str] = []
        """Durable at their author, and not yet written."""

    def stamp(self, station: str, blocks: Sequence[str], at: tuple[int, int] | None = None) -> None:
        """Note that blocks reached a station, now or `at` a moment; a later stamp changes nothing."""
        now, spent = moment() if at is None else at
        stamps, before = self.at[station], self.spent[station]
        for assertion_id in blocks:
            stamps.setdefault(assertion_id, now)
            before.setdefault(assertion_id, spent)

    def heard(self, news: News) -> None:
        """Stamp what an application is handed."""
        if isinstance(news, Delivered):
            block = news.delivery.block
            self.stamp("delivered", (block.assertion_id,))
            self.said[block.assertion_id] = block.categories["focus"]

    def stamps(self) -> dict[str, Stamps]:
        """Return the stamps by the numbers of blocks, where both are known."""
        return self._numbered(self.at)

    def begin(self) -> None:
        """Count from now on what threads have of the cores, and what the collector takes."""
        self._cores = Cores()
        gc.callbacks.append(self._collected)

    def trail(self) -> Trail:
        """Return all that this process saw of itself since it began."""
        if self._collected in gc.callbacks:
            gc.callbacks.remove(self._collected)
        spent = self._numbered(self.spent) | ({lost.CALLED: self.called} if self.called else {})
        deeds = () if self.store is None else self.store.deeds()
        return Trail(self.stamps(), spent, tuple(deeds), tuple(self._pauses), self._cores.shares())

    def _numbered(self, found: Mapping[str, Mapping[str, int]]) -> dict[str, Stamps]:
        ends = {assertion_id: number_of(focus) for assertion_id, focus in self.said.items()}
        numbers = {assertion_id: number for assertion_id, number in ends.items() if number is not None}
        return {
            name: {numbers[each]: at for each, at in stamped.items() if each in numbers}
            for name, stamped in found.items()
        }

    def _collected(self, phase: str, _info: dict[str, Any]) -> None:
        now = time.perf_counter_ns()
        if phase == "start":
            self._collecting = now
        else:
            self._pauses.append((self._collecting, now))


def moment() -> tuple[int, int]:
    """Return the monotonic clock, and what this thread has spent of the processor, in nanoseconds."""
    return time.perf_counter_ns(), time.thread_time_ns()


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
        self._running().watch(DEEDS)
        self.stamped.store = self

    def deeds(self) -> list[Deed]:
        """Return what the writer's thread did since it began."""
        return [Deed(*each) for each in self._running().deeds(time.perf_counter_ns())]

    def commit(
        self, token: int, batch: _core.OutcomeBatch, now_ms: int, attention: _core.Attention | None = None
    ) -> None:
        """Stamp the verdicts and when they were read, then make them durable."""
        now = moment()
        super().commit(token, batch, now_ms, attention)
        blocks = [batch[index].assertion_id for index in range(len(batch))]
        if self.stamped.read[0]:  # not where it comes through a relay, whose socket is not looked at
            self.stamped.stamp("read", blocks, self.stamped.read)
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
        now = moment()
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
        self.stamped.read = moment()
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
    bound = percentile(list(took.values()), lost.LATE)
    passed = [name for name in STATIONS if joined[name]]  # through a relay some are not looked at
    found: dict[str, list[float]] = {f"late {name}": [] for name in passed}
    for number in (number for number, age in took.items() if age >= bound):
        before = number
        for name in passed:
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
