"""Settings of a program's peer: what a program would leave undone is refused, never ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from covey.api.config import file_settings, peer_settings
from covey.errors import UsageError

AGENT = """
[identity]
name = "ann"
role = "generic"
[mesh]
[model]
adapter = "ollama"
"""


def test_a_door_that_a_program_would_not_open_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(AGENT)
    assert file_settings(file).share.door is None
    file.write_text(AGENT + '[share]\ndoor = "door.toml"\n')
    with pytest.raises(UsageError, match="covey run opens it") as refused:
        file_settings(file)
    assert str(tmp_path / "door.toml") in refused.value.message
    with pytest.raises(UsageError, match="covey run opens it"):
        peer_settings("ann", {}, {"share": {"door": "door.toml"}})
