"""The tether by exact fractions and the curve's equations; rust/core reads the same file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from covey.conform import folder, run
from covey.conform.own import Own
from covey.conform.report import State
from tests.conformance import tether


def test_the_file_is_what_fractions_and_equations_say():
    assert tether.written() == tether.FILE.read_text(encoding="utf-8")


def test_the_cases_are_on_both_sides_of_the_floor():
    found = [case["expected"] for case in json.loads(tether.written())["driftCases"]]
    assert {(each["checked"], each["tethered"]) for each in found} == {
        (True, True),
        (True, False),
        (False, True),
    }
    assert 0.5 in [each["drift"] for each in found if each["tethered"]]


def test_this_build_agrees_with_every_case(tmp_path: Path):
    shutil.copy(tether.FILE, tmp_path)
    report = run.run(folder.read(tmp_path), Own())
    assert [(case.label, case.detail) for row in report.rows for case in row.of(State.FAIL)] == []
    assert [row.family for row in report.rows] == ["lineage tether"]
    assert report.count(State.PASS) == len(tether.DRIFTS) + 2 + 7 + 2
