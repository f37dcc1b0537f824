"""What the end-to-end tests share."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.e2e.program import Program

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs with interrupts ignored, and children inherit that; a user's are not.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def covey(tmp_path: Path) -> Program:
    """Return the program with a fresh home."""
    return Program(tmp_path / "home")
