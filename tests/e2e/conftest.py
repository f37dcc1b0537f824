"""What the end-to-end tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import Program


@pytest.fixture
def covey(tmp_path: Path) -> Program:
    """Return the program with a fresh home."""
    return Program(tmp_path / "home")
