"""A row of the same-host registry that no peer wrote is none; one of a process that is gone is said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from covey.cli.doctor.folders import _gone, _row
from covey.system.home import Home


@pytest.mark.parametrize("pid", [10**30, 2**31, 0, -1, True, 1.5, "7", None, [1]], ids=str)
def test_a_pid_that_no_system_has_is_no_row(pid: object, tmp_path: Path) -> None:
    path = tmp_path / "row.json"
    path.write_text(json.dumps({"pid": pid}))
    assert _row(path) is None


def test_a_row_of_this_process_stands(tmp_path: Path) -> None:
    path = tmp_path / "row.json"
    path.write_text(json.dumps({"pid": os.getpid(), "name": "ann"}))
    row = _row(path)
    assert row is not None and _gone(Home.resolve({"COVEY_HOME": str(tmp_path)}), row) is None
