"""Count the instructions of the hot path with callgrind and hold them against a committed baseline.

`python -m tools.hotpath_count` fails when a stage takes a tenth more than the baseline; `--write` writes the
baseline anew. Stages are those of the core's example `hotpath`, and what a row costs the store's writer (its
bench `stages`). A count does not depend on how busy a machine is, but on compiler and vector instructions, so
a baseline of others is no measure: then, and without valgrind, it says that it is skipped. So are the store's
stages alone under another C compiler, which SQLite is of. A stage that the program has and the baseline
lacks, or the other way round, fails everywhere, before anything is built.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
BASELINE = TOP / "benches" / "hotpath.json"
SOURCE = TOP / "rust" / "core" / "examples" / "hotpath" / "main.rs"
ALLOWED = 0.10
"""How much a stage may grow; what differs between two counts of the same code stays far below."""
STORED = ("hear", "own", "index-512")
"""What of the store's bench is counted: a row of a heard block and of an own one, and its full text."""
PREFIX = "store-"
_PROGRAMS = {"hotpath": "*hotpath*counted*", "stages": "*stages*counted*"}
"""What is built, and the function in it whose instructions are counted."""
_STAGE = re.compile(r'^    \("([\w-]+)", ', re.MULTILINE)
_COUNTED = re.compile(r"Collected : (\d+)")


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted, and on what.

    Args:
        world: Compilers, processor and vector instructions, as words.
        stages: Instructions a block of each stage.
    """

    world: dict[str, str]
    stages: dict[str, int]


def problems(now: Counts, before: Counts) -> list[str]:
    """Return a line for each stage that grew by more than is allowed, or that only one side has."""
    found = one_sided(now.stages, before)
    for stage in sorted(now.stages.keys() & before.stages.keys()):
        if now.stages[stage] > before.stages[stage] * (1 + ALLOWED):
            grown = now.stages[stage] / before.stages[stage] - 1
            found.append(
                f"{stage}: {before.stages[stage]} -> {now.stages[stage]} instructions a block (+{grown:.0%})"
            )
    return found


def one_sided(stages: Iterable[str], before: Counts) -> list[str]:
    """Return a line for each stage of the program that the baseline lacks, and for each that is gone."""
    now = set(stages)
    lacking = [f"{stage}: not in the baseline; --write" for stage in sorted(now - before.stages.keys())]
    gone = [f"{stage}: in the baseline only; --write" for stage in sorted(before.stages.keys() - now)]
    return [*lacking, *gone]


def stages_written() -> list[str]:
    """Read the names of the stages of `hotpath` from its source, in their order."""
    text = SOURCE.read_text(encoding="utf-8")
    tables = (text.partition(f"\nconst {name}: ")[2].partition("\n];")[0] for name in ("STAGES", "OWN"))
    return [stage for table in tables for stage in _STAGE.findall(table)]


def every_stage() -> list[str]:
    """Return the names of all that is counted, in the order in which it is printed."""
    return [*stages_written(), *(PREFIX + stage for stage in STORED)]


def difference(
    now: Counts, before: Counts, names: Collection[str] = ("rustc", "machine", "avx2")
) -> str | None:
    """Return why the baseline is no measure here, or None."""
    other = [name for name in names if now.world.get(name) != before.world.get(name)]
    return (
        ", ".join(f"{name}: {before.world.get(name)} there, {now.world.get(name)} here" for name in other)
        or None
    )


def read(path: Path) -> Counts:
    """Read a baseline."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    return Counts(dict(kept["world"]), {stage: int(count) for stage, count in kept["stages"].items()})


def write(counts: Counts, path: Path) -> None:
    """Write a baseline."""
    kept = {"world": counts.world, "stages": counts.stages}
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def build() -> dict[str, Path]:
    """Build the counted programs as a release is built; return them by their names."""
    return executables(
        "--release", "-p", "covey-core", "--example", "hotpath", "-p", "covey-store", "--bench", "stages"
    )


def executables(*words: str, seconds: float | None = None) -> dict[str, Path]:
    """Have cargo build what the words name, in so many seconds; return the programs by their names."""
    done = subprocess.run(
        ["cargo", "build", "--quiet", "--locked", "--message-format=json", *words],
        cwd=TOP,
        check=True,
        timeout=seconds,
        stdout=subprocess.PIPE,
        text=True,
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    return {each["target"]["name"]: Path(each["executable"]) for each in said if each.get("executable")}


def count(built: dict[str, Path], stages: Iterable[str]) -> Counts:
    """Count these stages, each in a process of its own and as many at once as there are cores."""
    blocks = {name: int(_said(program, "blocks")) for name, program in built.items()}

    def one(stage: str) -> int:
        name = "stages" if stage.startswith(PREFIX) else "hotpath"
        return _collected(built[name], _PROGRAMS[name], stage.removeprefix(PREFIX)) // blocks[name]

    stages = list(stages)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return Counts(_world(), dict(zip(stages, pool.map(one, stages), strict=True)))


def _said(program: Path, *arguments: str) -> str:
    done = subprocess.run([str(program), *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def _collected(program: Path, function: str, stage: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                "--collect-atstart=no",
                f"--toggle-collect={function}",
                f"--callgrind-out-file={folder}/out",
                str(program),
                "count",
                stage,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    found = _COUNTED.search(done.stderr)
    if done.returncode != 0 or found is None or int(found.group(1)) == 0:
        raise RuntimeError(f"valgrind counted nothing of {stage}:\n{done.stderr[-2000:]}")
    return int(found.group(1))


def _world() -> dict[str, str]:
    compiler = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    flags = Path("/proc/cpuinfo")
    wide = flags.exists() and re.search(r"\bavx2\b", flags.read_text(encoding="utf-8")) is not None
    return {
        "rustc": compiler.stdout.strip(),
        "machine": platform.machine(),
        "avx2": "yes" if wide else "no",
        "cc": _c_compiler(),
    }


def _c_compiler() -> str:
    """Return what the compiler of C calls itself, as the build of SQLite looks for it."""
    command = os.environ.get("CC") or "cc"
    if shutil.which(command) is None:
        return "none"
    said = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
    return said.partition("\n")[0].strip()


def main(arguments: list[str]) -> int:
    """Count, then compare or write; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.hotpath_count", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the baseline anew")
    options = parser.parse_args(arguments)
    before = read(BASELINE) if BASELINE.exists() else None
    found = [] if before is None or options.write else one_sided(every_stage(), before)
    if found:
        print("\n".join(f"hotpath_count: {line}" for line in found))
        return 1
    if shutil.which("valgrind") is None:
        print("hotpath_count: skipped: valgrind is not installed")
        return 0
    stages = every_stage()
    if before is not None and not options.write:
        here = Counts(_world(), {})
        other = difference(here, before)
        if other is not None:
            print(
                f"hotpath_count: skipped: the baseline is of another world ({other}); --write makes one here"
            )
            return 0
        other = difference(here, before, ("cc",))
        if other is not None:
            print(f"hotpath_count: the store's stages are skipped: SQLite is of another compiler ({other})")
            stages = stages_written()
            before = Counts(before.world, {stage: before.stages[stage] for stage in stages})
    now = count(build(), stages)
    for stage, instructions in now.stages.items():
        held = "" if before is None else f"{before.stages.get(stage, 0):12,}"
        print(f"{stage:16}{instructions:12,}{held}")
    if options.write:
        write(now, BASELINE)
        return 0
    found = ["no baseline: --write makes one"] if before is None else problems(now, before)
    for line in found:
        print(f"hotpath_count: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
