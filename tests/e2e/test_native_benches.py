"""The benches of native code and of starts run, as quickly as they can, and print what their readers read."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benches import startup
from benches.targets import native
from tests.tidy import tree
from tools import hotpath_count

CARGO = pytest.mark.skipif(
    shutil.which("cargo") is None, reason="no cargo on the path: it builds the examples"
)
BUILD_SECONDS = 900
"""Nothing is left to build after `cargo test`, which builds them the same way; alone it may take minutes."""


@functools.cache
def examples() -> Path:
    """Build the examples as `cargo test --workspace` does, so that after it nothing is built twice."""
    words = ["--workspace", "--locked", "--quiet", "--example", "hotpath", "--example", "width"]
    subprocess.run(["cargo", "build", *words], cwd=tree.ROOT, check=True, timeout=BUILD_SECONDS)
    return Path(os.environ.get("CARGO_TARGET_DIR") or tree.ROOT / "target") / "debug" / "examples"


def said(name: str, *words: str) -> str:
    """Return what an example prints."""
    done = subprocess.run([examples() / name, *words], capture_output=True, text=True, timeout=110)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@CARGO
@pytest.mark.timeout(BUILD_SECONDS + 120)
def test_the_hot_path_is_timed_in_every_stage_and_form():
    stages = said("hotpath", "stages").split()
    assert stages == hotpath_count.stages_written()
    printed = said("hotpath", "time", "--quick")
    assert [line.split()[0] for line in printed.splitlines()[1 : len(stages) + 1]] == stages
    timed, ways = native.stages(printed), native.ways(printed)
    assert timed.keys() >= set(stages) and all(us > 0.0 for us in timed.values())
    assert set(ways) == {(form, judged) for form in native.FORMS for judged in native.JUDGED}
    for way in ways.values():
        assert min(way.rest_us, way.unknown, way.familiar, way.gain) > 0.0


@CARGO
@pytest.mark.timeout(BUILD_SECONDS + 120)
def test_the_width_of_memory_is_read_beside_a_judgement():
    judge_us, pass_us, ratio = native.width(said("width", "--quick"))
    assert judge_us > 0.0 and pass_us > 0.0
    assert ratio == pytest.approx(judge_us / pass_us, rel=0.05, abs=0.01)


@CARGO
@pytest.mark.timeout(BUILD_SECONDS + 120)
@pytest.mark.parametrize("words", [("hotpath", "time", "--fast"), ("width", "--fast")])
def test_other_words_are_refused(words):
    done = subprocess.run([examples() / words[0], *words[1:]], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "usage: " in done.stderr


def test_starts_are_measured():
    command = [sys.executable, "-m", "benches.startup", "--quick"]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
    assert (answer.returncode, answer.stderr) == (0, "")
    lines = answer.stdout.splitlines()
    named = [statement for statement, _ in startup.IMPORTS] + [what for what, _, _ in startup.SHORT]
    (parts,) = [line for line in lines if ": by part, " in line]
    assert "; without covey's own " in parts
    lines.remove(parts)
    assert [line.partition(": ")[0] for line in lines] == [*named, "covey listen", "covey run"]
    assert all("median of 1, best " in line for line in lines[: len(named)])
    assert all("median of 2, best " in line and " MB with multicast " in line for line in lines[len(named) :])
