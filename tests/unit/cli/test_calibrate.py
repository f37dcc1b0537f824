"""`covey calibrate`: pairs are read strictly, and the trade-off is what the likenesses say."""

from __future__ import annotations

import itertools

import pytest

from covey.cli.calibrate import read_pairs, trade_off
from covey.errors import UsageError
from tests.e2e.program import Program


def test_pairs_are_read_and_what_is_none_is_named() -> None:
    pairs = read_pairs("# mine\n\nsame | a b | b a\nother | a | c\n")
    assert [(pair.same, pair.left, pair.right) for pair in pairs] == [(True, "a b", "b a"), (False, "a", "c")]
    for wrong in ("same | a", "near | a | b", "same | | b", "same | a | b", "", "other | a | b"):
        with pytest.raises(UsageError):
            read_pairs(wrong)


def test_a_wider_distance_catches_and_mistakes_more() -> None:
    rows = trade_off([(True, 0.9), (True, 0.5), (False, 0.4), (False, 0.0)])
    at = {round(row["redundancy"], 2): (row["caught"], row["mistaken"]) for row in rows}
    assert (at[0.05], at[0.2], at[0.55], at[0.65]) == ((0, 0), (0.5, 0), (1, 0), (1, 0.5))
    assert all(
        earlier["caught"] <= later["caught"] and earlier["mistaken"] <= later["mistaken"]
        for earlier, later in itertools.pairwise(rows)
    )


def test_the_command_shows_a_table_and_takes_ones_own_pairs(tmp_path) -> None:
    covey = Program(tmp_path / "home")
    shown = covey("calibrate")
    assert shown.code == 0 and "16 pairs, encoder words-1" in shown.out and "redundancy = 0." in shown.out
    mine = tmp_path / "pairs.txt"
    mine.write_text("same | red fox | fox, red\nother | red fox | blue sky\n", encoding="utf-8")
    found = covey("calibrate", "--pairs", str(mine), "--kernel", "ngram-h64", "--json").json
    assert (found["kernel"], found["pairs"]) == ("ngram-h64", 2)
    for wrong in (["--pairs", str(tmp_path / "none")], ["--pairs", str(tmp_path)]):
        refused = covey("calibrate", *wrong)
        assert refused.code == 2 and "cannot read" in refused.err
