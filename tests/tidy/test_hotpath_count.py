"""The gate over instruction counts: what fails it, what is no measure, and that the baseline can be read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools import hotpath_count
from tools.hotpath_count import Counts

WORLD = {"rustc": "1", "machine": "m", "avx2": "yes", "cc": "gcc 1"}


def test_a_tenth_is_allowed_and_more_is_not():
    before = Counts(WORLD, {"open": 1_000, "way": 2_000})
    assert hotpath_count.problems(Counts(WORLD, {"open": 1_100, "way": 900}), before) == []
    (line,) = hotpath_count.problems(Counts(WORLD, {"open": 1_101, "way": 2_000}), before)
    assert line.startswith("open: 1000 -> 1101")


def test_a_stage_of_one_side_fails():
    before = Counts(WORLD, {"open": 1})
    assert len(hotpath_count.problems(Counts(WORLD, {"way": 1}), before)) == 2


def test_a_baseline_of_another_world_is_no_measure():
    before = Counts(WORLD, {})
    assert hotpath_count.difference(Counts(dict(WORLD), {}), before) is None
    other = hotpath_count.difference(Counts({**WORLD, "rustc": "2"}, {}), before)
    assert other == "rustc: 1 there, 2 here"


def test_another_compiler_of_c_skips_what_sqlite_is_in_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    hotpath_count.write(
        Counts(WORLD, dict.fromkeys(hotpath_count.every_stage(), 100)), tmp_path / "kept.json"
    )
    monkeypatch.setattr(hotpath_count, "BASELINE", tmp_path / "kept.json")
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(hotpath_count, "build", dict)

    def main(cc: str, counted: int) -> tuple[int, str]:
        world = {**WORLD, "cc": cc}
        monkeypatch.setattr(hotpath_count, "_world", lambda: world)
        monkeypatch.setattr(
            hotpath_count, "count", lambda _, stages: Counts(world, dict.fromkeys(stages, counted))
        )
        return hotpath_count.main([]), capsys.readouterr().out

    code, said = main("gcc 2", 100)
    assert code == 0 and "(cc: gcc 1 there, gcc 2 here)" in said and "\nstore-" not in said
    assert main("gcc 2", 111)[0] == 1, "the core is measured all the same"
    code, said = main("gcc 1", 100)
    assert code == 0 and "skipped" not in said and "\nstore-hear" in said
    code, said = main("gcc 1", 111)
    assert code == 1 and "hotpath_count: store-own: 100 -> 111 instructions a block" in said


def test_a_baseline_survives_writing(tmp_path: Path):
    counts = Counts(WORLD, {"open": 7})
    hotpath_count.write(counts, tmp_path / "kept.json")
    assert hotpath_count.read(tmp_path / "kept.json") == counts


def test_the_committed_baseline_has_every_stage_of_the_program_and_no_other():
    stages = hotpath_count.every_stage()
    assert len(stages) >= 40 and {"check", "open", "intake", "way", "state-merge"} <= set(stages)
    own = {"own-sign", "own-seal", "own-seal-c1", "own-seal-c2", "own-settle", "own-way", "own-way-c2"}
    assert own | {"store-hear", "store-own", "store-index-512"} <= set(stages), "both ends of a block's way"
    assert hotpath_count.one_sided(stages, hotpath_count.read(hotpath_count.BASELINE)) == []


@pytest.mark.parametrize("valgrind", [None, "/usr/bin/valgrind"])
def test_a_stage_of_one_side_is_said_before_anything_is_built(
    valgrind: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    kept = hotpath_count.read(hotpath_count.BASELINE)
    stages = {stage: count for stage, count in kept.stages.items() if stage != "way"}
    hotpath_count.write(Counts({"rustc": "another"}, {**stages, "gone": 7}), tmp_path / "kept.json")
    monkeypatch.setattr(hotpath_count, "BASELINE", tmp_path / "kept.json")
    monkeypatch.setattr(shutil, "which", lambda _: valgrind)
    monkeypatch.setattr(hotpath_count, "build", lambda: pytest.fail("nothing is built"))
    assert hotpath_count.main([]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "hotpath_count: way: not in the baseline; --write",
        "hotpath_count: gone: in the baseline only; --write",
    ]


def test_without_valgrind_it_says_that_it_is_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert hotpath_count.main([]) == 0
    assert "skipped" in capsys.readouterr().out
