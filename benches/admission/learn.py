"""Learn how much each count says for a newcomer: `python -m benches.admission.learn [--table FOLDER]`.

Reads the tuning part only. A logistic regression (Newton's method, ridge 0.1, no randomness) over the counts
that the native path makes of each block, on the slices that words decide: news against near-miss, foreign and
poisoned. One table is for blocks as they are, one for those that say all in one category: the same blocks,
with all they say in their focus. Prints what to write into rust/core/src/svaf/kinship.rs, and how well such
weights do on a domain they were not learned on, each in turn. With a table its own numbers are chosen
instead (`learn_table`).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benches.admission.judges import recalled
from benches.admission.learn_table import report
from benches.admission.scenarios import Case, cases
from covey import _core
from covey.system.table import load_table

RECEIVERS: Final = 12
"""Receivers of each domain: twice as many as are reported on, of the same seeds."""
SLICES: Final = ("news", "near-miss", "foreign", "poisoned")
"""What words decide; the rest follows from the nearest block, lineage and age."""
_RIDGE: Final = 0.1
_STEPS: Final = 15

Row = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """What one block's words amount to, and whether memory should take it."""

    case: Case
    counts: Row
    welcome: bool


def main() -> None:
    """Learn the weights of words-1, or the numbers of a static-embedding table; print them."""
    parser = argparse.ArgumentParser(prog="python -m benches.admission.learn")
    parser.add_argument("--table", type=Path, help="folder with a static-embedding table, for its numbers")
    asked = parser.parse_args()
    if asked.table is not None:
        for line in report(load_table(asked.table), cases("tuning")):
            print(line, flush=True)
        return
    encoder = _core.Encoder("words-1")
    found = [each for each in cases("tuning", receivers=RECEIVERS) if each.slice in SLICES]
    for table, form in (("SEVERAL", as_it_is), ("ALONE", in_one)):
        examples = [example(encoder, form(case)) for case in found]
        _report(table, examples)
        names = [name for name, _ in _counts(encoder, found[0])]
        print(f"const {table}: [f64; EVIDENCE] = [")
        for name, weight in zip(names, learned(examples), strict=True):
            print(f"    {weight:.2f}, // {name}")
        print("];")


def _report(table: str, examples: Sequence[Example]) -> None:
    right: dict[str, list[bool]] = {}
    for domain in sorted({each.case.domain for each in examples}):
        weights = learned([each for each in examples if each.case.domain != domain])
        for each in examples:
            if each.case.domain == domain:
                said = _sum(weights, each.counts) > 0
                right.setdefault(each.case.slice, []).append(said == each.welcome)
    every = [one for ones in right.values() for one in ones]
    slices = ", ".join(f"{slice} {sum(ones) / len(ones):.2f}" for slice, ones in right.items())
    print(f"// {table}: {len(examples)} blocks; on a domain left out {sum(every) / len(every):.3f}: {slices}")


def example(encoder: _core.Encoder, case: Case) -> Example:
    """Return what a case's words amount to in its receiver's memory."""
    return Example(case, tuple(count for _, count in _counts(encoder, case)), case.label == "admit")


def as_it_is(case: Case) -> Case:
    """Return the case."""
    return case


def in_one(case: Case) -> Case:
    """Return the case with all that its block says in its focus."""
    said = [text for category, text in case.texts.items() if category not in ("mood", "perspective")]
    mood = {category: text for category, text in case.texts.items() if category == "mood"}
    return replace(case, texts={"focus": ": ".join(said), **mood})


def learned(examples: Sequence[Example]) -> Row:
    """Return the weights under which the labels are likeliest, with a ridge on all but the constant."""
    size = len(examples[0].counts)
    weights = [0.0] * size
    for _ in range(_STEPS):
        slope = [-_ridge(at) * weights[at] for at in range(size)]
        curve = [[_ridge(at) if at == beside else 0.0 for beside in range(size)] for at in range(size)]
        for each in examples:
            likely = 1 / (1 + math.exp(-max(-30.0, min(30.0, _sum(weights, each.counts)))))
            spread = likely * (1 - likely)
            for at, count in enumerate(each.counts):
                if count:
                    slope[at] += (each.welcome - likely) * count
                    row, scaled = curve[at], spread * count
                    for beside, other in enumerate(each.counts):
                        row[beside] += scaled * other
        weights = [weight + step for weight, step in zip(weights, _solved(curve, slope), strict=True)]
    return tuple(weights)


def _counts(encoder: _core.Encoder, case: Case) -> list[tuple[str, float]]:
    incoming, memory = recalled(encoder, case)
    return encoder.evidence(incoming, memory)[1]


def _ridge(at: int) -> float:
    return _RIDGE if at else 1e-3


def _sum(weights: Sequence[float], counts: Row) -> float:
    return sum(weight * count for weight, count in zip(weights, counts, strict=True))


def _solved(matrix: list[list[float]], wanted: list[float]) -> list[float]:
    """Solve a symmetric, positive system by elimination."""
    rows = [[*row, value] for row, value in zip(matrix, wanted, strict=True)]
    for at, row in enumerate(rows):
        for below in rows[at + 1 :]:
            factor = below[at] / row[at]
            for place in range(at, len(row)):
                below[place] -= factor * row[place]
    found = [0.0] * len(rows)
    for at in reversed(range(len(rows))):
        row = rows[at]
        known = sum(row[place] * found[place] for place in range(at + 1, len(rows)))
        found[at] = (row[-1] - known) / row[at]
    return found


if __name__ == "__main__":
    main()
