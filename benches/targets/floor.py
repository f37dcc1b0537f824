"""What two cores could do if neither Python nor system calls nor waiting were there: native stages, added up.

The stages are those of `hotpath time` and of the store's bench `stages`, with blocks as agents write them: a
speaker addresses, signs, seals and keeps a row; a hearer opens, parses, addresses, checks an author whom it
hears often, reads, judges and keeps a row. It is the least that loopback's two peers do, and so the limit of
what they can be brought to on this machine; the full text, which follows in slices, stands beside.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benches import loopback
from benches.targets import native, pair
from benches.targets.rows import Row
from benches.targets.sizes import Sizes

STEP = "cargo bench -p covey-store --bench stages --no-run"
ROWS = ("hear", "own", "index-512")
ROW = re.compile(r"^([a-z0-9-]+) +([\d.]+) +\d+$", re.M)
SUFFIX = {"standard": "", "compact": "-c2"}
"""Two peers of covey meet in version 2 of compact batches, in which opening computes the addresses."""
JUDGING = {
    "judged by the baseline against 5": ("encode", "settle"),
    "covey's own admission against 5": ("words-read", "own-settle"),
    "covey's own admission against 4,096": ("words-read", "words-4096"),
}
"""The stages of reading and judging; loopback's hearer holds up to 4,096 on covey's own path."""


@dataclass(frozen=True, slots=True)
class Floor:
    """Microseconds of a block, stage by stage, at each end."""

    speaker: dict[str, float]
    hearer: dict[str, float]

    @property
    def both_us(self) -> float:
        """What of two cores it takes."""
        return sum(self.speaker.values()) + sum(self.hearer.values())

    @property
    def rate(self) -> float:
        """Blocks a second that two cores allow which do nothing else."""
        return loopback.CORES * 1e6 / self.both_us


def floor(took: Mapping[str, float], profile: str, *, live: bool, judging: str) -> Floor:
    """Add up the stages of both ends, in one form of the wire and by one way of judging."""
    form = SUFFIX[profile]
    first = {"address": took["own-address"], "sign": took["own-sign"]} if live else {}
    speaker = {**first, "seal": took[f"own-seal{form}"], "row": took["own"]}
    opened = {"open and parse": took[f"own-open{form}"]}
    if form:
        opened = {"open, parse and address": took[f"own-open{form}"]}
    else:
        opened["address"] = took["own-address"]
    read, judge = (took[stage] for stage in JUDGING[judging])
    checked = {"check, a familiar author": took["familiar"], "read": read, "judge": judge}
    return Floor(speaker, {**opened, **checked, "row": took["hear"]})


def missing(sizes: Sizes) -> str:
    """Say why there is none, or nothing."""
    why = native.missing("hotpath", sizes)
    if why:
        return why
    built = (native.target() / "release" / "deps").glob("stages-*")
    return "" if any(os.access(each, os.X_OK) for each in built) else f"not built; next: {STEP}"


def kept() -> dict[str, float]:
    """Measure a row's part of the store's bench: processor time a block.

    Raises:
        UnreadableError: It failed, or printed something else.
    """
    command = ["cargo", "bench", "--locked", "--quiet", "-p", "covey-store", "--bench", "stages", "--", *ROWS]
    done = subprocess.run(command, cwd=native.ROOT, capture_output=True, text=True, check=False)
    found = {name: float(us) for name, us in ROW.findall(done.stdout)}
    if done.returncode or set(found) != set(ROWS):
        said = (done.stderr or done.stdout).strip()[-400:]
        raise native.UnreadableError(f"stages: expected the figures of {', '.join(ROWS)}, got {said!r}")
    return found


def rows(sizes: Sizes) -> Iterator[Row]:
    """Give the limit of each profile, said live and signed beforehand, by each way of judging."""
    why = missing(sizes)
    if why:
        yield Row("floor", "both ends of loopback, native stages alone", skipped=why)
        return
    took = {**native.stages(native.told()), **kept()}
    for profile in SUFFIX:
        for how in ("many", "signed"):
            for judging in JUDGING:
                found = floor(took, profile, live=how != "signed", judging=judging)
                said = f"{profile}, {'signed live' if how == 'many' else pair.HOW[how]}, {judging}"
                notes = tuple(told(found, took["index-512"], pair.aim(profile, how)))
                yield Row("floor", said, "blocks/s", (found.rate,), notes=notes)


def told(found: Floor, index_us: float, aim: float) -> Iterator[str]:
    """Say each stage in microseconds, the sum, and what of it the aim leaves for everything else."""
    for who, stages in (("speaker", found.speaker), ("hearer", found.hearer)):
        parts = " + ".join(f"{name} {us:.1f}" for name, us in stages.items())
        yield f"{who} {sum(stages.values()):.1f} µs: {parts}"
    left = loopback.CORES * 1e6 / aim - found.both_us
    yield (
        f"{aim:,.0f} a second leave {left:.1f} µs of both cores a block for Python, system calls and "
        f"waiting; the full text takes {index_us:.1f} of them at each end, in slices of 512"
    )
