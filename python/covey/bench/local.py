"""Measures inside one process: the way in, shared state that is merged, memory that is searched."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from covey import core
from covey._core import Encoder, Intake, OutcomeBatch, RecordBatch, Store
from covey.bench import blocks
from covey.bench.stats import Measure, percentile
from covey.proto.options import AdmissionOptions

BATCH: Final = 256
NOW_MS: Final = blocks.CREATED_MS + 10_000_000
QUERIES: Final = (
    "handshake restart",
    "grows without bound",
    "release",
    "report 17",
    "nothing says this",
    "slow disks",
)
"""What recall is asked: two words, three, one that a sixth of all blocks hold, a number, none, a place."""


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class Arrival:
    """An intake that holds `window` anchors, and a batch of new blocks that arrives again and again.

    It judges as a peer does by default, or with `baseline` as the reference; on the caller's thread alone.
    """

    def __init__(self, window: int, *, baseline: bool = False) -> None:
        identity, policy = blocks.speaker(), AdmissionOptions()
        self._intake = Intake(
            blocks.hearer_id(0),
            blocks.ROOM,
            policy.weights,
            window=window,
            encoder=None if baseline else Encoder(policy.kernel),
            workers=1,
        )
        self._intake.bind(identity.node_id, identity.public_key)
        for number in range(window):
            self._intake.admit_own(blocks.signed(number, identity), NOW_MS)
        self._wires = [blocks.signed(50_000 + number, identity).to_json() for number in range(BATCH)]

    @property
    def kernel(self) -> str:
        """Return what reads texts here."""
        return self._intake.kernel

    def judge(self) -> OutcomeBatch:
        """Read, verify and judge the batch."""
        batch = RecordBatch([core.Unverified.parse(wire) for wire in self._wires])
        return self._intake.evaluate(
            batch, session_node_id=blocks.SPEAKER, now_ms=NOW_MS, entropy=bytes(range(32))
        )

    def forget(self, outcomes: OutcomeBatch) -> None:
        """Take a batch back, so that the next one is new again."""
        self._intake.rollback(outcomes)


def admission(window: int, rounds: int, *, baseline: bool = False) -> Measure:
    """Blocks a second from JSON to a verdict against `window` anchors, in batches; nothing is stored."""
    arrival = Arrival(window, baseline=baseline)
    rates = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        outcomes = arrival.judge()
        rates.append(BATCH / (time.perf_counter() - began))
        arrival.forget(outcomes)
    path = f"the reference's admission ({arrival.kernel})" if baseline else f"admission by {arrival.kernel}"
    what = f"one thread: JSON to verdict, {path} against {window:,} anchors, {BATCH} in a call, not stored"
    name = f"admission-{window}-baseline" if baseline else f"admission-{window}"
    return Measure(name, what, "blocks/s", True, tuple(rates[1:]), {"anchors": window})


def verification(rounds: int) -> Measure:
    """Signatures a second under the strict rule, records already parsed: the floor of every admission."""
    identity = blocks.speaker()
    wires = [blocks.signed(number, identity).to_json() for number in range(BATCH)]
    claims = [core.Unverified.parse(wire) for wire in wires]
    keys = [identity.public_key] * BATCH
    rates = [BATCH / _timed(lambda: core.verify_batch(claims, keys)) for _ in range(rounds + 1)]
    what = f"one thread: address and strict signature of parsed records, {BATCH} in a call"
    return Measure("verification", what, "blocks/s", True, tuple(rates[1:]))


def merge(entries: int, rounds: int) -> Measure:
    """Entries a second merged from wire bytes into shared state that holds them all, flushes verified."""
    first, second = _author(1), _author(2)
    keys = {first.node_id: first.public_key, second.node_id: second.public_key}
    old, new = _filled(first, None, entries, b"a" * 100)
    snapshot = old.snapshot()
    _, delta = _filled(second, new, entries, b"b" * 100, over=old)
    rates = []
    for _ in range(rounds + 1):
        state = core.StateMap.restore("bench", first.node_id, snapshot, seed=bytes(16))
        seconds = _timed(lambda state=state: state.merge(delta, keys=keys, now_ms=NOW_MS))  # type: ignore[misc]  # a default binds the loop's value
        rates.append(entries / seconds)
    what = f"one thread: {entries:,} entries overwritten from wire bytes, every flush verified"
    facts = {"entries": entries, "bytes_an_entry": len(delta) / entries}
    return Measure(f"merge-{entries}", what, "entries/s", True, tuple(rates[1:]), facts)


def _author(number: int) -> core.Identity:
    return core.Identity(blocks.hearer_id(900 + number), f"author-{number}", bytes([number] * 32))


def _filled(
    author: core.Identity, known: bytes | None, entries: int, value: bytes, over: core.StateMap | None = None
) -> tuple[core.StateMap, bytes]:
    """Return a replica in which `author` wrote every entry, and its writes as one delta."""
    state = core.StateMap("bench", author.node_id, seed=bytes(16))
    if known is not None:
        state.merge(known)
    names = [f"key:{number:08d}" for number in range(entries)]
    seen = state.seen if over is None else over.seen
    for start in range(0, entries, 2_048):
        writes = [("put", name, value) for name in names[start : start + 2_048]]
        state.commit(writes, now_ms=NOW_MS, identity=author)
    (delta,) = state.since(seen, max_bytes=1 << 30)
    return state, delta


def filled(folder: Path, held: int) -> Path:
    """Return a store of `held` blocks, their full text indexed."""
    identity, path = blocks.speaker(), folder / "store.db"
    store = Store.open(str(path), node_id=blocks.hearer_id(0))
    intake = Intake(blocks.hearer_id(0), blocks.ROOM, [1.0] * 7, stable=2.0, guarded=2.0, redundancy=0.0)
    intake.bind(identity.node_id, identity.public_key)
    for start in range(0, held, BATCH):
        numbers = range(start, min(start + BATCH, held))
        batch = RecordBatch([blocks.signed(number, identity) for number in numbers])
        outcomes = intake.evaluate(
            batch, session_node_id=identity.node_id, now_ms=NOW_MS, entropy=bytes(range(32))
        )
        store.commit([outcomes], NOW_MS)
    while store.index():
        pass
    store.close()
    return path


def recall(path: Path, held: int, rounds: int) -> Measure:
    """Time of one search in a memory of `held` blocks: in each round the mean over a fixed mix of queries.

    The middle of all searches would be that of one query, for they differ more than their rounds do.
    """
    store = Store.open(str(path), node_id=blocks.hearer_id(0))
    store.recall(QUERIES[0], 10)
    times = [
        [_timed(lambda query=query: store.recall(query, 10)) * 1e6 for query in QUERIES]  # type: ignore[misc]  # as above
        for _ in range(rounds)
    ]
    store.close()
    each = [time for row in times for time in row]
    facts = {"blocks": held, "p50": percentile(each, 0.5), "p99": percentile(each, 0.99)}
    what = f"search {held:,} blocks for ten: the mean of {len(QUERIES)} queries"
    return Measure(f"recall-{held}", what, "µs", False, tuple(map(statistics.fmean, times)), facts)
