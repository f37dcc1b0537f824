"""What a remix is held against: the oldest root in reach, by what both sides say."""

from __future__ import annotations

from covey.cognition.tether import anchor_of, compared, is_feedback
from covey.model import CAT7, Block


def held(**parents):
    return {
        key: Block(key, "", "n", "n", number, "r", None, tuple(above), {})
        for number, (key, above) in enumerate(parents.items())
    }


def test_the_oldest_root_in_reach_counts_and_never_the_parent():
    blocks = held(old=[], young=[], a=["old"], b=["a", "young"])
    assert anchor_of(blocks.get, ["b"]).key == "old"
    assert anchor_of(blocks.get, ["young"]).key == "young"
    assert anchor_of(blocks.get, ["nowhere"]) is None


def test_where_the_way_ends_it_is_as_far_as_can_be_seen():
    blocks = held(a=["gone"], b=["a"])
    assert anchor_of(blocks.get, ["b"]).key == "a"


def test_what_one_side_leaves_neutral_is_not_compared():
    remix, root = compared({"focus": "x", "mood": " "}, {"focus": "y", "issue": "z", "intent": "neutral"})
    assert (remix["focus"], root["focus"]) == ("x", "y")
    assert (remix["issue"], root["issue"]) == ("", "")
    assert (remix["intent"], root["intent"], remix["mood"]) == ("neutral", "neutral", "neutral")
    assert list(remix) == list(root) == list(CAT7)


def test_feedback_is_no_remix():
    assert is_feedback({"intent": "ground", "commitment": "verified: x"})
    assert is_feedback({"commitment": f"Dismissed cmb-{'0' * 64}: why"})
    assert not is_feedback({"intent": "answer", "commitment": "I will"})
