"""How far an encoder has read, as `covey status` says it."""

from __future__ import annotations

import pytest

from covey.cli.status import encoding


@pytest.mark.parametrize(
    ("read", "of", "trouble", "said"),
    [
        (0, 0, None, "lexis-h1024, no block to read yet"),
        (0, 0, "the disk is full", "lexis-h1024, no block to read yet: the disk is full"),
        (1_200, 4_096, None, "lexis-h1024, has read 1,200 of 4,096 blocks"),
        (1, 2, "the disk is full", "lexis-h1024, has read 1 of 2 blocks: the disk is full"),
    ],
)
def test_a_fresh_peer_has_nothing_to_read_yet(read: int, of: int, trouble: str | None, said: str) -> None:
    assert encoding({"kernel": "lexis-h1024", "read": read, "of": of, "trouble": trouble}) == said
