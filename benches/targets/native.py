"""Native code alone, as the examples `hotpath` and `width` of covey-core measure it, on one core and on two.

Each holds its own figures against its own strict check, or against its own pass over memory, in rounds that
alternate: those ratios stand here, not the one to the check that the other parts share.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benches.targets.rows import Aim, Row
from benches.targets.sizes import Sizes

ROOT = Path(__file__).resolve().parents[2]
FORMS = ("envelopes", "compact batches", "version 2")
STEP = "cargo build --release -p covey-core --example hotpath --example width"
REST = re.compile(r"^everything but the signature, ([a-z0-9 ]+): ([\d.]+) us a block$", re.M)
INTAKE = re.compile(
    r"^native intake, ([a-z0-9 ]+): ([\d.]+) of the rate of strict checks on one core; "
    r"two cores ([\d.]+) times that, where two intakes with nothing in common make ([\d.]+)$",
    re.M,
)
CHECK = re.compile(r"^check +([\d.]+) ", re.M)
WIDTH = re.compile(
    r"([\d.]+) us a block to judge\none pass over as many numbers of 32 bits: ([\d.]+) us; ratio ([\d.]+)$",
    re.M,
)


class UnreadableError(Exception):
    """An example did not print what it is known to print."""


@dataclass(frozen=True, slots=True)
class Way:
    """One form of the wire: microseconds without the signature, and the ratios of native intake."""

    rest_us: float
    rate: float
    gain: float
    gain_of_two: float
    """What two intakes with nothing in common make."""


def ways(text: str) -> tuple[float, dict[str, Way]]:
    """Read what `hotpath time` prints: microseconds of a strict check, and each form's figures.

    Raises:
        UnreadableError: A form is missing.
    """
    check = CHECK.search(text)
    rest = {form: float(us) for form, us in REST.findall(text)}
    ratios = {form: [float(each) for each in found] for form, *found in INTAKE.findall(text)}
    if check is None or set(rest) != set(FORMS) or set(ratios) != set(FORMS):
        raise UnreadableError(f"hotpath: expected the figures of {', '.join(FORMS)}, got {text[-400:]!r}")
    return float(check[1]), {form: Way(rest[form], *ratios[form]) for form in FORMS}


def width(text: str) -> tuple[float, float, float]:
    """Read what `width` prints: microseconds to judge a block, those of a pass over memory, their ratio.

    Raises:
        UnreadableError: It printed something else.
    """
    found = WIDTH.search(text)
    if found is None:
        raise UnreadableError(f"width: expected a ratio to one pass over memory, got {text[-400:]!r}")
    return float(found[1]), float(found[2]), float(found[3])


def missing(example: str, sizes: Sizes) -> str:
    """Say why an example is not run, or nothing."""
    if sizes.quick:
        return "it has one size; leave --quick out"
    if shutil.which("cargo") is None:
        return "cargo is not on the path (CONTRIBUTING.md, Set up)"
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    if not (target / "release" / "examples" / example).exists():
        return f"not built; next: {STEP}"
    return ""


def ran(example: str, *words: str) -> str:
    """Run an example, built anew where its sources changed, and return what it printed."""
    command = ["cargo", "run", "--release", "--locked", "--quiet", "-p", "covey-core", "--example", example]
    done = subprocess.run([*command, "--", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnreadableError(f"{example}: {done.stderr.strip()[-400:]}")
    return done.stdout


def intake(sizes: Sizes) -> Iterator[Row]:
    """Native intake in each form: its rate on one core, what a second is worth, what is not the signature."""
    part, why = "intake", missing("hotpath", sizes)
    if why:
        yield Row(part, "open, parse, address, verify, judge against 5, no store", skipped=why)
        return
    check_us, found = ways(ran("hotpath", "time"))
    for form, way in found.items():
        of = "strict checks on one core in the same rounds"
        yield Row(part, f"{form}, one core", f"of {of}", (way.rate,), Aim("at least", 0.75))
        note = f"two intakes with nothing in common make {way.gain_of_two:.2f}"
        times = "times one core"
        yield Row(part, f"{form}, two cores", times, (way.gain,), Aim("at least", 1.8), notes=(note,))
        yield Row(
            part,
            f"{form}, everything but the signature",
            "µs",
            (way.rest_us,),
            Aim("under", 8.0),
            way.rest_us / check_us,
            "a strict check of the same rounds",
        )


def anchors(sizes: Sizes) -> Iterator[Row]:
    """Judging against 1,000 anchors of 384 dimensions, beside one pass over as much memory."""
    what, why = "1,000 anchors of 384 dimensions beside one pass over them", missing("width", sizes)
    if why:
        yield Row("anchors", what, skipped=why)
        return
    judge_us, pass_us, ratio = width(ran("width"))
    note = f"{judge_us:.1f} µs to judge a block, {pass_us:.1f} for the pass"
    yield Row("anchors", what, "of the pass's time", (ratio,), Aim("at most", 1.5), notes=(note,))
