"""Report whether a bundle helps: `python -m benches.substrate [--quick] [--tuning] [--kernel …]`.

Each newcomer hears its blocks one after the other and remembers what it admits. Rows: without a bundle; with
that of a peer of its domain, by how far its signer is trusted; with that of a peer of another domain, as a
control. Accuracy is over three classes; the slices are shares of blocks that came out right. At the end: what
a decision costs with a prior and without, in processor time, so that a busy machine changes the ratio little.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benches.admission.judges import WEIGHTS
from benches.admission.scenarios import FRESHNESS_SECONDS, Label
from benches.admission.seeds import Part, Texts, domains
from benches.substrate.world import merged, newcomer, taught
from covey import _core
from covey.substrate.folding import Folded
from covey.system.table import load_table

OWN: Final = _core.Encoder("words-1")
"""What newcomers compare with their memory; a prior is read with the learner's."""
SLICES: Final = ("news", "paraphrase", "near-miss", "foreign")
_LABELS: Final[dict[str, Label]] = {
    "aligned": "admit",
    "guarded": "admit",
    "redundant": "redundant",
    "rejected": "reject",
}
Learned = Callable[[int, int], Folded | None]
"""Gives what the newcomer of a domain, by number, has merged."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is judged: how many blocks a newcomer holds before it listens, how many newcomers each domain
    has, and how often the cost is taken, of which the least is what it costs undisturbed."""

    known: tuple[int, ...] = (0, 2, 4, 6)
    newcomers: int = 12
    cost_rounds: int = 20


FULL: Final = Sizes()
QUICK: Final = Sizes((0, 2), 1, 2)
"""Does it run? It says nothing of whether a bundle helps."""


def main() -> None:
    """Judge, and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m benches.substrate")
    parser.add_argument("--quick", action="store_true", help="few newcomers: does it run?")
    parser.add_argument("--tuning", action="store_true", help="the tuning part, on which numbers are chosen")
    parser.add_argument("--kernel", default="lexis-h1024", help="a built-in encoder to learn with")
    parser.add_argument("--table", type=Path, help="folder with a static-embedding table, in its place")
    asked = parser.parse_args()
    sizes = QUICK if asked.quick else FULL
    part: Part = "tuning" if asked.tuning else "held back"
    encoder = _core.Encoder(asked.kernel) if asked.table is None else load_table(asked.table)
    count = len(domains(part)) * sizes.newcomers
    print(f"{part} part, {encoder.kernel}, {count} newcomers for each number held")
    columns = [*(f"holds {known}" for known in sizes.known), *SLICES]
    print("| bundle | " + " | ".join(columns) + " |")
    print("|---" * (1 + len(columns)) + "|")
    for name, learned in rows(part, encoder):
        print(row(name, part, encoder, learned, sizes))
    print(cost_line(part, encoder, sizes))


def rows(part: Part, encoder: _core.Encoder) -> list[tuple[str, Learned]]:
    """Return what is compared."""
    count = len(domains(part))

    def of(at: int, number: int) -> bytes:
        return taught(part, at, encoder, random.Random(f"teacher {part} {at} {number}"))

    def of_three(at: int, number: int) -> Folded:
        first = 100 + number * 3
        return merged([of(at, first + each) for each in range(3)], encoder, "trusted")

    def of_another(at: int, number: int) -> Folded:
        return merged([of((at + 1) % count, number)], encoder, "trusted")

    return [
        ("none", lambda at, number: None),
        ("of a trusted peer", lambda at, number: merged([of(at, number)], encoder, "trusted")),
        ("of three trusted peers", of_three),
        ("of a known peer", lambda at, number: merged([of(at, number)], encoder, "known")),
        ("of a stranger", lambda at, number: merged([of(at, number)], encoder, "unknown")),
        ("of a trusted peer of another domain", of_another),
    ]


def row(name: str, part: Part, encoder: _core.Encoder, learned: Learned, sizes: Sizes) -> str:
    """Return one line of the report."""
    accuracies, good, total = [], Counter[str](), Counter[str]()
    for known in sizes.known:
        right, heard = judged(part, encoder, learned, known, sizes.newcomers)
        accuracies.append(sum(right.values()) / sum(heard.values()))
        good, total = good + right, total + heard
    slices = [f"{good[slice] / total[slice]:.2f}" for slice in SLICES]
    return "| " + " | ".join([name, *(f"{each:.3f}" for each in accuracies), *slices]) + " |"


def judged(
    part: Part, learner: _core.Encoder, learned: Learned, known: int, newcomers: int
) -> tuple[Counter[str], Counter[str]]:
    """Return how many blocks of each slice came out right, and how many there were."""
    right, heard = Counter[str](), Counter[str]()
    for at in range(len(domains(part))):
        for number in range(newcomers):
            chance = random.Random(f"newcomer {part} {at} {number} {known}")
            domain, held, blocks = newcomer(part, at, known, chance)
            folded = learned(at, number)
            prior = None if folded is None else folded.prior(learner)
            judge = Judge(OWN, domain.profile, held, prior)
            for block in blocks:
                heard[block.slice] += 1
                right[block.slice] += judge.decide(block.texts) == block.label
    return right, heard


def cost_line(part: Part, learner: _core.Encoder, sizes: Sizes) -> str:
    """Return what one decision costs a newcomer with the bundle of one peer, of three, and with none."""
    teachers = [taught(part, 0, learner, random.Random(f"teacher {part} 0 {each}")) for each in range(3)]
    folds = {"none": None, "one": merged(teachers[:1], learner, "trusted")}
    folds["three"] = merged(teachers, learner, "trusted")
    priors = {name: None if fold is None else fold.prior(learner) for name, fold in folds.items()}
    took: dict[str, list[float]] = {name: [] for name in priors}
    for _ in range(sizes.cost_rounds):  # in turns: what else the machine does meets all alike
        for name, prior in priors.items():
            took[name].append(decision_us(part, prior, sizes.known[-1]))
    best = {name: min(each) for name, each in took.items()}
    more = ", ".join(
        f"{best[name]:.0f} us with the bundle of {name} ({best[name] / best['none']:.2f} times)"
        for name in ("one", "three")
    )
    held, without = sizes.known[-1], best["none"]
    return f"a decision beside {held} blocks held at first: {without:.0f} us without a prior, {more}"


def decision_us(part: Part, prior: _core.Prior | None, known: int) -> float:
    """Return the microseconds of processor time that a decision takes, over all blocks of a domain."""
    domain, held, blocks = newcomer(part, 0, known, random.Random(f"cost {part}"))
    judge = Judge(OWN, domain.profile, held, prior)
    began = time.thread_time()
    for block in blocks:
        judge.decide(block.texts)
    return (time.thread_time() - began) / len(blocks) * 1e6


class Judge:
    """A newcomer: its memory grows by what it admits."""

    def __init__(
        self, encoder: _core.Encoder, profile: str, held: list[Texts], prior: _core.Prior | None
    ) -> None:
        self._encoder = encoder
        self._profile = {"weights": WEIGHTS[profile], "freshness_seconds": FRESHNESS_SECONDS[profile]}
        self._prior = prior
        self._memory = [(encoder.traces(texts), 1.0) for texts in held]

    def decide(self, texts: Texts) -> Label:
        """Judge one block, and remember it where it is admitted."""
        read = self._encoder.traces(texts)
        prior = None if self._prior is None else (self._prior, texts)
        said = self._encoder.judge(read, self._memory, self._profile, prior=prior)
        if said.accepted:
            self._memory.append((read, 1.0))
        return _LABELS[said.decision]


if __name__ == "__main__":
    main()
