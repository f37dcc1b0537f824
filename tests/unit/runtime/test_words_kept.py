"""What a work session keeps between commands is read back whole, or named as damaged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from covey.errors import StoreError
from covey.runtime.node import Node
from covey.runtime.unanchored import Unanchored
from covey.runtime.words import Shelf, Words

KEY = "cmb-" + "0a" * 32
TRAIL = {"intent": "make it fast", "entries": 2, "charter": KEY, "head": KEY}


class Notes:
    """A store that holds one thing."""

    def __init__(self, kept: bytes | None) -> None:
        self.kept = kept

    def state_get(self, name: str) -> bytes | None:
        return self.kept

    def state_put(self, values: Mapping[str, bytes]) -> None:
        raise AssertionError("showing writes nothing")


def shown(kept: bytes | None) -> Any:
    words = Words(cast("Node", None), cast("Shelf", None), Notes(kept), Unanchored())
    return asyncio.run(words.session({"action": "show"}))["session"]


def test_a_trail_is_read_back_as_it_was_kept() -> None:
    assert shown(json.dumps(TRAIL).encode()) == TRAIL
    assert shown(b"null") is None and shown(None) is None


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"7",
        b"{}",
        json.dumps({**TRAIL, "head": 7}).encode(),
        json.dumps({**TRAIL, "entries": True}).encode(),
        json.dumps({**TRAIL, "more": 1}).encode(),
    ],
)
def test_a_damaged_trail_is_named_and_nothing_is_said_in_its_place(kept: bytes) -> None:
    with pytest.raises(StoreError, match="the work session that is kept is damaged"):
        shown(kept)
