"""What a process says of itself, and what is left where a system does not tell."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from covey.system import process


def test_a_process_knows_what_it_uses() -> None:
    found = process.usage()
    assert 1_000_000 < found["process_resident_memory_bytes"] < 2**40
    assert found["process_cpu_seconds_total"] > 0
    if sys.platform == "linux":
        assert 0 < found["process_open_fds"] <= found.get("process_max_fds", float("inf"))
        assert 0 <= time.time() - found["process_start_time_seconds"] < 86_400 * 30


def test_a_hardened_unit_hides_the_system_and_not_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform != "linux":
        pytest.skip("no /proc on this system")
    monkeypatch.setattr(process, "_SYSTEM", tmp_path / "stat")
    found = process.usage()
    assert "process_open_fds" in found and "process_start_time_seconds" not in found


def test_without_proc_what_the_system_counts_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_SELF", tmp_path)
    found = process.usage()
    assert found["process_resident_memory_bytes"] > 1_000_000 and "process_open_fds" not in found
