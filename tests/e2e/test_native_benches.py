"""The benches of native code and of starts run, as quickly as they can, and print what their readers read."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benches import startup
from benches.targets import floor, native
from tests.tidy import tree
from tools import hotpath_count

CARGO = pytest.mark.skipif(
    shutil.which("cargo") is None, reason="no cargo on the path: it builds the benches"
)
BUILD_SECONDS = 900
"""After `cargo test`, which builds the rest the same way, two small programs are left; alone: minutes."""


@functools.cache
def built() -> dict[str, Path]:
    """Build as `cargo test --workspace` does, so that after it nothing is built twice."""
    examples, benches = (
        ("--example", "hotpath", "--example", "width"),
        ("--bench", "stages", "--bench", "forget"),
    )
    return hotpath_count.executables("--workspace", *examples, *benches, seconds=BUILD_SECONDS)


def said(name: str, *words: str) -> str:
    """Return what an example or a bench prints."""
    done = subprocess.run([built()[name], *words], capture_output=True, text=True, timeout=110)
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
def test_what_a_row_costs_is_read_as_the_limits_of_two_cores_read_it():
    stages = said("stages", "stages").split()
    assert {*floor.ROWS, *hotpath_count.STORED} <= set(stages)
    assert int(said("stages", "blocks")) > 0
    printed = said("stages", "--bench", "--quick", *floor.ROWS)
    if "skipped: " in printed:
        pytest.skip(printed.strip())
    took = {name: float(us) for name, us in floor.ROW.findall(printed)}
    assert took.keys() == set(floor.ROWS) and min(took.values()) > 0.0
    assert len(printed.splitlines()) == 1 + len(floor.ROWS), "a heading, and a line for each row"


@CARGO
@pytest.mark.timeout(BUILD_SECONDS + 120)
def test_what_forgetting_takes_is_printed_call_by_call():
    # What the inbox names, the newest 4,096, stays.
    printed = said("forget", "--bench", "--records", "5000", "whole")
    assert re.search(r"^whole +[1-9]\d\d in \d", printed, re.M), printed
    assert re.search(r"^ +found in .*, \d+ calls, processor [\d.]+ us a block$", printed, re.M)
    assert re.search(r"^ +a call, ms: +p50 +[\d.]+ .* worst +[\d.]+$", printed, re.M)


@CARGO
@pytest.mark.timeout(BUILD_SECONDS + 120)
@pytest.mark.parametrize(
    "words",
    [("hotpath", "time", "--fast"), ("width", "--fast"), ("stages", "--fast"), ("stages", "count", "none")],
)
def test_other_words_are_refused(words):
    done = subprocess.run([built()[words[0]], *words[1:]], capture_output=True, text=True, timeout=60)
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
