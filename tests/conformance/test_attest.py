"""Attestations made by the extension's text and the curve's equations; rust/core reads the same file."""

from __future__ import annotations

import shutil
from pathlib import Path

from covey.conform import folder, run
from covey.conform.own import Own
from covey.conform.report import State
from tests.conformance import attest


def test_the_file_is_what_the_constructions_and_equations_say():
    assert attest.written() == attest.FILE.read_text(encoding="utf-8")


def test_this_build_agrees_with_every_case(tmp_path: Path):
    shutil.copy(attest.FILE, tmp_path / "sym-attest-v1.json")
    report = run.run(folder.read(tmp_path), Own())
    failures = [(case.label, case.detail) for row in report.rows for case in row.of(State.FAIL)]
    assert failures == []
    assert [row.family for row in report.rows] == ["attestations"]
    assert report.count(State.PASS) > 300
