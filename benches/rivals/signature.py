"""What a signature costs of a block, at both of its ends: under a key the hearer knows well, and another.

A hearer checks an author whom it hears often by multiples of that author's key (docs/performance.md), so it
is that check which its time contains. Figures are of this process's processor time, all threads of it, and
have taken off the addresses, which are computed with or without signatures. Rounds of all of them alternate
in a process, whose middle is one sample: each sample has a process of its own.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection

from covey import core
from covey._core import Intake, RecordBatch, address_only, sign_many
from covey.bench import blocks, goes, mesh, pace, peers
from covey.bench.local import NOW_MS
from covey.bench.stats import Measure

BATCH = 256
BEFORE = 2
"""Batches that make an author familiar: a table is made for whoever was heard 256 times."""
FAMILIAR, UNKNOWN, SIGN = "check, a familiar author", "check, an unknown key", "sign"
WHAT = {
    FAMILIAR: "one signature checked as the hearer of one busy author does, in batches of 256",
    UNKNOWN: "one signature checked strictly under a key nobody met before",
    SIGN: "one block signed",
}


class Work:
    """Signed blocks, and an intake that has heard their author often and holds them: it only checks them."""

    def __init__(self) -> None:
        self._identity = blocks.speaker()
        numbers = range(BEFORE * BATCH)
        wires = [blocks.signed(number, self._identity).to_json() for number in numbers]
        self._claims = [core.Unverified.parse(wire) for wire in wires]
        self._batch = self._claims[:BATCH]
        self._keys = [self._identity.public_key] * BATCH
        self._drafts = [
            core.Draft(
                blocks.categories(number),
                node_id=blocks.SPEAKER,
                author="speaker",
                created_ms=blocks.CREATED_MS,
                room=blocks.ROOM,
            )
            for number in range(BATCH)
        ]
        self._intake = Intake(blocks.hearer_id(0), blocks.ROOM, [1.0] * 7)
        self._intake.bind(blocks.SPEAKER, self._identity.public_key)
        for at in range(0, len(self._claims), BATCH):
            self._judge(RecordBatch(self._claims[at : at + BATCH]))

    def _judge(self, batch: RecordBatch) -> None:
        """Check a batch; what is held already is called a duplicate as soon as its signature holds."""
        self._intake.evaluate(batch, session_node_id=blocks.SPEAKER, now_ms=NOW_MS, entropy=bytes(32))

    def round(self) -> dict[str, float]:
        """Return processor seconds of each for one block; addresses alone are taken off each."""
        batch = RecordBatch(self._batch)
        addresses = _each(lambda: [address_only(claim) for claim in self._batch])
        return {
            FAMILIAR: _each(lambda: self._judge(batch)) - addresses,
            UNKNOWN: _each(lambda: core.verify_batch(self._batch, self._keys)) - addresses,
            SIGN: _each(lambda: sign_many(self._drafts, self._identity)) - addresses,
        }


def _each(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) / BATCH


def measured(processes: int, rounds: int) -> Iterator[Measure]:
    """Yield how many signatures a second one core checks, by either way, and makes."""
    found, paces = goes.paced(partial(_of_a_process, rounds), processes, pace.ALONE)
    for name, what in WHAT.items():
        yield Measure(
            name, what, "signatures/s", True, tuple(each[name] for each in found), {"rounds": rounds}, paces
        )


def _of_a_process(rounds: int) -> dict[str, float]:
    with peers.process(_tell, rounds) as wire:
        rates: dict[str, float] = peers.answer(wire)
        return rates


async def _tell(rounds: int, wire: Connection) -> None:
    wire.send(rates(rounds))


def rates(rounds: int) -> dict[str, float]:
    """Return this process's middle rate of each, in signatures a second; the first round only warms up."""
    work = Work()
    found = [work.round() for _ in range(rounds + 1)][1:]
    return {name: 1.0 / max(statistics.median(one[name] for one in found), 1e-9) for name in WHAT}


@dataclass(frozen=True, slots=True)
class Spent:
    """A block's time in microseconds: from one to the next, and of the processor of each of the two peers.

    It ends when the last block is admitted; `lags` say how many blocks the full text of the hearer and of the
    speaker lacked then, for the time which those take is not in it.
    """

    block: float
    hearer: float
    speaker: float
    lags: tuple[float, float] = (0.0, 0.0)

    @property
    def both(self) -> float:
        """What of two cores it takes."""
        return self.hearer + self.speaker


def throughput(count: int, rounds: int) -> tuple[Measure, Spent]:
    """Let covey's two peers meet; return blocks a second, and what of both processors a block took."""
    met = [mesh.meet(count) for _ in range(rounds)]
    hearer = statistics.median([one.heard.cpu_seconds / count for one in met]) * 1e6
    speaker = statistics.median([one.spoke.cpu_seconds / count for one in met]) * 1e6
    lags = (
        statistics.median([one.heard.index_lag for one in met]),
        statistics.median([one.spoke.index_lag for one in met]),
    )
    what = "two processes on loopback: sealed, signed, verified, judged, durable"
    facts = {"blocks": count, "hearer us": hearer, "speaker us": speaker}
    rates = tuple(one.rate for one in met)
    spent = Spent(1e6 / statistics.median(rates), hearer, speaker, lags)
    return Measure("throughput", what, "blocks/s", True, rates, facts), spent


def arithmetic(found: dict[str, Measure], spent: Spent) -> list[str]:
    """Say what a signature is of a block's time, and what two cores would do without, if that can be said."""
    check, unknown, sign = (1e6 / found[name].median for name in (FAMILIAR, UNKNOWN, SIGN))
    hearer, speaker = spent.hearer, spent.speaker
    said = [
        f"a block comes every {spent.block:.0f} µs; until the last one is admitted it takes of the processor "
        f"{hearer:.0f} µs at the hearer and {speaker:.0f} at the speaker: two cores that never wait allow "
        f"{2e6 / spent.both:,.0f} blocks/s",
        f"not in it: the full text of {spent.lags[0]:,.0f} blocks at the hearer and {spent.lags[1]:,.0f} at "
        "the speaker, which was behind then",
        f"its signature: {check:.0f} µs of the hearer to check, whose author it hears often "
        f"({check / hearer:.0%}; {unknown:.0f} under an unknown key), and {sign:.0f} µs of the speaker "
        f"to make ({sign / speaker:.0%})",
    ]
    if check >= hearer or sign >= speaker:
        why = (
            "a signature alone takes longer here than a whole block took (too few blocks, or a busy machine)"
        )
        return [*said, f"without signatures: no answer: {why}"]
    rest = spent.both - check - sign
    return [
        *said,
        f"without signatures: {hearer - check:.0f} µs of the hearer and {speaker - sign:.0f} of the speaker; "
        f"two cores that never wait would allow {2e6 / rest:,.0f} blocks/s",
    ]
