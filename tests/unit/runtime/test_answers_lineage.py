"""What is told of a lineage: downwards, and how far a block is from its root."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.errors import IpcError
from covey.model import CAT7, NEUTRAL, Block
from covey.runtime.answers import descendants, standing

ANN = "0197a000-0000-7000-8000-000000000001"


def key(number: int) -> str:
    return f"cmb-{number:064x}"


def block(number: int, *parents: int, **said: str) -> Block:
    categories = {name: said.get(name, NEUTRAL) for name in CAT7}
    origin = (f"asrt-{number:064x}", ANN, "ann", number, "r", None)
    return Block(key(number), *origin, tuple(map(key, parents)), categories)


class Shelf:
    """Blocks by key, and what answers them."""

    def __init__(self, *blocks: Block, strays: dict[str, list[str]] | None = None) -> None:
        self.blocks = {each.key: each for each in blocks}
        self.strays = strays or {}

    def block(self, wanted: str) -> Block | None:
        return self.blocks.get(wanted)

    def children(self, wanted: str) -> Sequence[str]:
        named = [each.key for each in self.blocks.values() if wanted in each.parents]
        return named + self.strays.get(wanted, [])


def down(shelf: Shelf, number: int, depth: int = 20) -> dict[str, Any]:
    return descendants(cast(Any, shelf), key(number), depth)


def levels(found: dict[str, Any]) -> list[tuple[int, str]]:
    return [(each["depth"], each["block"]["key"]) for each in found["chain"]]


def test_a_walk_down_names_each_block_once_at_its_nearest():
    shelf = Shelf(block(1), block(2, 1), block(3, 1, 2), block(4, 3), block(5))
    found = down(shelf, 1)
    assert levels(found) == [(0, key(1)), (1, key(2)), (1, key(3)), (2, key(4))]
    assert (found["down"], found["missing"], found["cut"]) == (True, [], False)
    with pytest.raises(IpcError, match="no such block here"):
        down(shelf, 9)


def test_a_walk_down_says_where_it_was_cut_and_only_there():
    shelf = Shelf(block(1), block(2, 1), block(3, 2))
    assert levels(down(shelf, 1, 1)) == [(0, key(1)), (1, key(2))]
    assert down(shelf, 1, 1)["cut"] is True
    assert down(shelf, 1, 2)["cut"] is False
    wide = Shelf(block(1), *(block(number, 1) for number in range(2, limits.LINEAGE_BLOCKS + 9)))
    assert len(down(wide, 1)["chain"]) == limits.LINEAGE_BLOCKS
    assert down(wide, 1)["cut"] is True


def test_lineage_of_one_category_alone_is_not_walked():
    shelf = Shelf(block(1), block(2), block(3, 2), strays={key(1): [key(2), key(8)]})
    assert levels(down(shelf, 1)) == [(0, key(1))]


@given(st.lists(st.sets(st.integers(1, 12), max_size=3), min_size=12, max_size=12), st.integers(1, 12))
def test_a_walk_down_finds_what_descends_and_nothing_else(parents: list[set[int]], start: int):
    shelf = Shelf(*(block(number, *sorted(parents[number - 1])) for number in range(1, 13)))
    reached, fresh = {start}, {start}
    while fresh:
        fresh = {n for n in range(1, 13) if parents[n - 1] & fresh} - reached
        reached |= fresh
    found = levels(down(shelf, start))
    assert sorted(each for _, each in found) == sorted(key(number) for number in reached)
    assert [depth for depth, _ in found] == sorted(depth for depth, _ in found)


def test_a_block_is_measured_against_its_oldest_root():
    waits = "the parser waits for the lexer"
    root = block(1, focus=waits, issue="a buffer is never flushed")
    near = block(2, 1, focus=waits, issue="a buffer is not flushed")
    far = block(3, 2, focus="bread rises overnight", issue="no oven is free")
    shelf = cast(Any, Shelf(root, near, far))
    close, away = standing(shelf, near.key), standing(shelf, far.key)
    assert close is not None and away is not None
    assert (close["root"], away["root"], close["tethered"]) == (root.key, root.key, True)
    assert 0.0 <= close["drift"] < away["drift"]


def test_what_has_no_root_or_claims_nothing_of_it_is_not_measured():
    verdict = block(2, 1, focus="it held", intent="ground")
    shelf = cast(Any, Shelf(block(1), verdict, block(4, 9)))
    assert standing(shelf, key(1)) is None
    assert standing(shelf, verdict.key) is None
    assert standing(shelf, key(4)) is None
    assert standing(shelf, key(7)) is None
