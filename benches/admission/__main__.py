"""Report how well admission decides: `python -m benches.admission [--table FOLDER] [--tuning] [--authors N]`.

For each path and kernel: three-class accuracy, the confusion matrix, and how many of each slice came out
right, over the held-back part. The tuning part is what numbers are chosen on; its figures say nothing
about quality.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benches.admission.judges import Judge, baseline, selective
from benches.admission.scenarios import LABELS, Case, cases
from benches.admission.seeds import Part
from covey import _core
from covey.system.table import load_table


def main() -> None:
    """Judge every case by every path, and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m benches.admission")
    parser.add_argument("--table", type=Path, help="folder with a static-embedding table, judged too")
    parser.add_argument("--tuning", action="store_true", help="report the tuning part instead")
    parser.add_argument("--authors", type=int, help="so many authors wrote a memory, not one for each block")
    asked = parser.parse_args()
    part: Part = "tuning" if asked.tuning else "held back"
    judged = cases(part)
    paths: list[tuple[str, Judge]] = [("baseline, ngram-h32", baseline)]
    encoders = [_core.Encoder(kernel) for kernel in ("ngram-h64", "lexis-h1024", "words-1")]
    if asked.table is not None:
        encoders.append(load_table(asked.table))
    paths += [(f"selective, {encoder.kernel}", selective(encoder, asked.authors)) for encoder in encoders]
    print(f"{part} part: {len(judged)} blocks, {len({case.domain for case in judged})} domains")
    for name, judge in paths:
        print("\n" + "\n".join(report(name, judged, judge)))


def report(name: str, judged: Sequence[Case], judge: Judge) -> list[str]:
    """Return the lines about one path: accuracy, confusion matrix, slices."""
    found = [(case, judge(case)) for case in judged]
    right = sum(case.label == said for case, said in found)
    confusion = Counter((case.label, said) for case, said in found)
    lines = [f"{name}: {right / len(found):.3f} right ({right} of {len(found)})"]
    lines.append(f"  {'is / said':<12}" + "".join(f"{label:>11}" for label in LABELS))
    lines.extend(
        f"  {label:<12}" + "".join(f"{confusion[label, said]:>11}" for said in LABELS) for label in LABELS
    )
    total = Counter(case.slice for case, _ in found)
    good = Counter(case.slice for case, said in found if case.label == said)
    lines.append(
        "  "
        + ", ".join(f"{slice} {good[slice] / total[slice]:.2f} of {total[slice]}" for slice in sorted(total))
    )
    return lines


if __name__ == "__main__":
    main()
