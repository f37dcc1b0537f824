"""The names of the default approval gates; their patterns stand in `safety.gates`."""

from __future__ import annotations

from typing import Final

GATE_NAMES: Final = (
    "git push",
    "commit to main",
    "deploy",
    "publish",
    "rm -rf",
    ".env file",
    "secrets",
    "production config",
    "drop data",
)
