"""`python -m benches.targets`: every target, measured in one run on one machine, and whether it is met.

`[--only NAME …] [--list] [--quick] [--long] [--rounds N] [--json FILE]`. Printed for each: the figure (the
middle one where there are several), its ratio to the strict signature check of the same run or to what the
target names, the aim, and `met`, `NOT MET` or `skipped: why`; a row without an aim stands `beside` the
others, and one beside the Node reference of fewer than six rounds is `unsure`. Meetings of peers are printed
once more at the end, as a table. The strict check is measured anew beside each rate and time, so that a
machine that is busy for one is for the other. It is a report: it ends with 0 also where an aim is not met,
with 1 where a part failed to run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benches.targets.parts import PARTS, check_seconds, ran
from benches.targets.rows import Row, document, lines, summary, table
from benches.targets.sizes import ROUNDS, Sizes
from covey.bench import suite
from covey.bench.stats import LEAST_SAMPLES as MANY


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; wrong usage ends the program with 2."""
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(prog="python -m benches.targets", description="every target, in one run")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=names, default=names)
    parser.add_argument("--list", action="store_true", help="say what can be measured")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it all run?")
    parser.add_argument("--long", action="store_true", help="also what takes long: recall, soak")
    parser.add_argument("--rounds", type=int, help=f"of each meeting of peers ({ROUNDS}; {MANY} beside Node)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the rows")
    found = parser.parse_args(words)
    if found.rounds is not None and found.rounds < 1:
        parser.error("--rounds: at least 1")
    if found.json is not None and (found.json.is_dir() or not found.json.absolute().parent.is_dir()):
        parser.error(f"--json: cannot write {found.json}")
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print each row as it is there, keep."""
    asked = parsed(words)
    if asked.list:
        print("\n".join(f"{part.name:10} {part.what}" for part in PARTS))
        return 0
    sizes = Sizes(asked.quick, asked.long, asked.rounds)
    machine, check_us = suite.machine(), check_seconds(sizes) * 1e6
    print("; ".join(f"{name} {said}" for name, said in machine.items()))
    print(f"one strict signature check takes {check_us:.1f} µs of one core, before anything else", flush=True)
    rows: list[Row] = []
    for part in (part for part in PARTS if part.name in asked.only):
        for row in ran(part, sizes):
            rows.append(row)
            print("\n".join(lines(row)), flush=True)
    print("\n".join(table(rows)))
    print(summary(rows))
    if sizes.quick:
        print("small sizes: they say that it runs, and nothing about the aims")
    if asked.json is not None:
        head = {
            "machine": machine,
            "quick": sizes.quick,
            "rounds": sizes.turns,
            "deciding": sizes.deciding,
            "check_us": check_us,
        }
        kept = document(rows, **head)
        asked.json.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return int(any(row.failed for row in rows))


if __name__ == "__main__":
    sys.exit(main())
