"""Native code alone, as the examples `hotpath` and `width` of covey-core measure it, on one core and on two.

Each holds its own figures against its own strict check, or against its own pass over memory, in rounds that
alternate: those ratios stand here, not the one to the check that the other parts share.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benches.targets.rows import Aim, Row
from benches.targets.sizes import Sizes

ROOT = Path(__file__).resolve().parents[2]
FORMS = ("envelopes", "compact batches", "version 2")
STEP = "cargo build --release -p covey-core --example hotpath --example width"
JUDGED = ("judged by the baseline", "covey's own admission")
REST = re.compile(r"^everything but the signature, ([a-z0-9 ]+), ([a-z' ]+): ([\d.]+) us a block$", re.M)
INTAKE = re.compile(
    r"^native intake, ([a-z0-9 ]+), ([a-z' ]+): unknown authors ([\d.]+) of the rate of strict checks on one "
    r"core; a familiar author ([\d.]+) of the rate of checks under its own key, ([\d.]+) of that of strict "
    r"checks; two cores ([\d.]+) times one, where two intakes with nothing in common make ([\d.]+)$",
    re.M,
)
STAGE = re.compile(r"^([a-z0-9-]+) +([\d.]+) +[\d.]+$", re.M)
WIDTH = re.compile(
    r"([\d.]+) us a block to judge\none pass over as many numbers of 32 bits: ([\d.]+) us; ratio ([\d.]+)$",
    re.M,
)


PASS_BYTES = 1_000 * 7 * 384 * 4
"""What one pass reads: numbers of 32 bits."""
READ_BYTES = 1_000 * 128 + 128 * 8 * 384
"""What admission reads: the sketches of all, and the vectors of the 128 that they choose, both of 8 bits."""


class UnreadableError(Exception):
    """An example did not print what it is known to print."""


@dataclass(frozen=True, slots=True)
class Way:
    """One form of the wire, judged in one way: microseconds without the signature, ratios of intake."""

    rest_us: float
    unknown: float
    """Unknown authors, of the rate of strict checks under unknown keys: like beside like."""
    familiar: float
    """A familiar author, of the rate of checks under its own key: like beside like."""
    mixed: float
    """A familiar author, of the rate of strict checks under unknown keys."""
    gain: float
    gain_of_two: float
    """What two intakes with nothing in common make."""


def stages(text: str) -> dict[str, float]:
    """Read what `hotpath time` prints of its stages: microseconds a block of each."""
    return {name: float(us) for name, us in STAGE.findall(text)}


def ways(text: str) -> dict[tuple[str, str], Way]:
    """Read what `hotpath time` prints of the ways as a whole, by form of the wire and by who judges.

    Raises:
        UnreadableError: One is missing.
    """
    every = {(form, judged) for form in FORMS for judged in JUDGED}
    rest = {(form, judged): float(us) for form, judged, us in REST.findall(text)}
    ratios = {
        (form, judged): [float(each) for each in found] for form, judged, *found in INTAKE.findall(text)
    }
    if not {"check", "familiar"} <= stages(text).keys() or set(rest) != every or set(ratios) != every:
        raise UnreadableError(f"hotpath: expected the figures of {', '.join(FORMS)}, got {text[-400:]!r}")
    return {way: Way(rest[way], *ratios[way]) for way in rest}


def width(text: str) -> tuple[float, float, float]:
    """Read what `width` prints: microseconds to judge a block, those of a pass over memory, their ratio.

    Raises:
        UnreadableError: It printed something else.
    """
    found = WIDTH.search(text)
    if found is None:
        raise UnreadableError(f"width: expected a ratio to one pass over memory, got {text[-400:]!r}")
    return float(found[1]), float(found[2]), float(found[3])


def target() -> Path:
    """Return where cargo builds."""
    return Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")


def missing(example: str, sizes: Sizes) -> str:
    """Say why an example is not run, or nothing."""
    if sizes.quick:
        return "a release build may take minutes; leave --quick out"
    if shutil.which("cargo") is None:
        return "cargo is not on the path (CONTRIBUTING.md, Set up)"
    if not (target() / "release" / "examples" / example).exists():
        return f"not built; next: {STEP}"
    return ""


def ran(example: str, *words: str) -> str:
    """Run an example, built anew where its sources changed, and return what it printed."""
    command = ["cargo", "run", "--release", "--locked", "--quiet", "-p", "covey-core", "--example", example]
    done = subprocess.run([*command, "--", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnreadableError(f"{example}: {done.stderr.strip()[-400:]}")
    return done.stdout


@cache
def told() -> str:
    """Run every stage once for all parts that read them."""
    return ran("hotpath", "time")


def intake(sizes: Sizes) -> Iterator[Row]:
    """Native intake in each form: its rate on one core, what a second is worth, what is not the signature."""
    why = missing("hotpath", sizes)
    if why:
        yield Row("intake", "open, parse, address, verify, judge against 5, no store", skipped=why)
        return
    took = stages(told())
    for (form, judged), way in ways(told()).items():
        yield from held(f"{form}, {judged}", way, took)


def held(said: str, way: Way, took: Mapping[str, float]) -> Iterator[Row]:
    """Hold one way against each check, like against like first; the strict check is under unknown keys."""
    strict = "of strict checks on one core in the same rounds"
    yield Row("intake", f"{said}, unknown authors", strict, (way.unknown,), Aim("at least", 0.75))
    known = took["familiar"]
    note = (
        f"a check under its own key takes {known:.1f} µs, {known / took['check']:.2f} of a strict one, and "
        f"everything else {way.rest_us:.1f}, which makes {known / (known + way.rest_us):.2f}; beside strict "
        f"checks under unknown keys, which is not alike, {way.mixed:.2f}"
    )
    own = "of checks under its own key on one core in the same rounds"
    yield Row("intake", f"{said}, a familiar author", own, (way.familiar,), notes=(note,))
    note = f"two intakes with nothing in common make {way.gain_of_two:.2f}"
    times = "times one core"
    yield Row("intake", f"{said}, two cores", times, (way.gain,), Aim("at least", 1.8), notes=(note,))
    yield Row(
        "intake",
        f"{said}, everything but the signature",
        "µs",
        (way.rest_us,),
        Aim("under", 8.0),
        way.rest_us / took["check"],
        "a strict check of the same rounds",
    )


def anchors(sizes: Sizes) -> Iterator[Row]:
    """Judging against 1,000 anchors of 384 dimensions, beside one pass over as much memory."""
    what, why = "1,000 anchors of 384 dimensions beside one pass over them", missing("width", sizes)
    if why:
        yield Row("anchors", what, skipped=why)
        return
    judge_us, pass_us, ratio = width(ran("width"))
    note = f"{judge_us:.1f} µs to judge a block, {pass_us:.1f} for the pass over {PASS_BYTES / 1e6:.1f} MB"
    share = READ_BYTES / PASS_BYTES
    alike = (
        f"it reads {READ_BYTES / 1e6:.2f} MB itself, of 8 bits: at the pass's pace that takes "
        f"{pass_us * share:.1f} µs, and this {ratio / share:.1f} times that"
    )
    yield Row("anchors", what, "of the pass's time", (ratio,), Aim("at most", 1.5), notes=(note, alike))
