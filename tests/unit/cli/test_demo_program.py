"""The demo's last line can be copied as it is, wherever the program was installed."""

import shutil
import sys
from pathlib import Path

import pytest

from covey.cli import demo


def test_the_program_is_named_as_it_was_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed = tmp_path / "covey"
    installed.write_text("", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", [str(installed), "demo"])
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert demo._program() == str(installed)
    monkeypatch.setattr(shutil, "which", lambda _: str(installed))
    assert demo._program() == "covey"
    monkeypatch.setattr(sys, "argv", ["/anything/__main__.py"])
    assert demo._program() == "covey"
