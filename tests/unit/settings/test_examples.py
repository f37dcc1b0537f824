"""The example configurations load, and say what they show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from covey import settings

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.toml")))
def test_an_example_loads(name: str) -> None:
    assert settings.load(EXAMPLES / name).identity.name


def test_the_commented_keys_of_the_full_example_are_real() -> None:
    text = (EXAMPLES / "agent.toml").read_text(encoding="utf-8")
    live = re.sub(r"^# (?=\[|\w+ = |\")", "", text, flags=re.MULTILINE)
    live = live.replace("<nodeId or key fingerprint>", "ab" * 32)
    read = settings.parse(live)
    assert read.mesh.lan
    assert read.mesh.peers == (settings.StaticPeer("192.168.1.20", 7420),)
    assert read.model.prices["my-model"].output == 1.5
    assert read.trust.trusted == ("ab" * 32,)


def test_what_the_full_example_shows_as_default_is_the_default() -> None:
    read = settings.load(EXAMPLES / "agent.toml")
    plain = settings.from_mapping(
        {"identity": {"name": "x", "role": "reviewer"}, "model": {"adapter": "anthropic"}}
    )
    for section in ("mesh", "context", "budget", "safety", "routing", "logging", "trust", "model"):
        assert getattr(read, section) == getattr(plain, section)
