"""Where a peer's words about decisions go: its own topic. All there is of it before the first."""

from __future__ import annotations

from typing import Final

ROOT: Final = "covey.decide"


def address_of(node_id: str) -> str:
    """Return the topic of one node."""
    return f"{ROOT}.{node_id}"
