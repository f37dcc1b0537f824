"""Published vectors: from a folder beside the checkout, or COVEY_VECTORS; without them a visible skip."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SIBLING = Path(__file__).resolve().parents[3] / "shared"


def _folder(variable: str, name: str) -> Path:
    folder = Path(os.environ.get(variable, SIBLING / name))
    if not folder.is_dir():
        pytest.skip(f"{name}: no data at {folder}; set {variable} to run these")
    return folder


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """Read one published vector file by its path below the vectors folder."""
    folder = _folder("COVEY_VECTORS", "vectors")
    return lambda name: json.loads((folder / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Any]:
    """Read one file recorded from the Node reference."""
    folder = _folder("COVEY_GOLDEN", "golden")
    return lambda name: json.loads((folder / name).read_text(encoding="utf-8"))
