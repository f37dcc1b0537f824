"""How far an encoder has read and how the room is split, as `covey status` says it."""

from __future__ import annotations

import pytest

from covey.cli.status import encoding, missing


@pytest.mark.parametrize(
    ("read", "of", "trouble", "said"),
    [
        (0, 0, None, "lexis-h1024, had nothing to read at its last look"),
        (0, 0, "the disk is full", "lexis-h1024, had nothing to read at its last look: the disk is full"),
        (1_200, 4_096, None, "lexis-h1024, has read 1,200 of 4,096 blocks"),
        (1, 2, "the disk is full", "lexis-h1024, has read 1 of 2 blocks: the disk is full"),
    ],
)
def test_a_fresh_peer_has_nothing_to_read_yet(read: int, of: int, trouble: str | None, said: str) -> None:
    assert encoding({"kernel": "lexis-h1024", "read": read, "of": of, "trouble": trouble}) == said


def test_s21_status_shows_a_partition_as_this_side_sees_it() -> None:
    assert list(missing("ann", {"alive": 4})) == []
    (row,) = missing("ann", {"alive": 1, "suspect": 1, "dead": 2, "left": 7})
    assert row == ("members", "1 alive, 1 suspect, 2 failed: covey peers ann says who")
