from covey import limits
from covey.memory import recents
from covey.memory.recents import by_relevance, own_recent, room_recent, words
from covey.model import Block


def said(key, text, node="n", at=0):
    return Block(key, "", node, node, at, "r", None, (), {"focus": text})


class Newest:
    """Answers `recent` as a store does, and keeps what it was asked."""

    def __init__(self, *blocks):
        self.blocks = blocks

    def feedback_for_own(self, limit, room):
        return []

    def recent(self, limit, *, own=None, room=None):
        return [block for block in self.blocks if (block.node_id == "me") == own and block.room == room][
            :limit
        ]


def test_own_and_room_are_told_apart_and_limited():
    memory = Newest(said("1", "a", "me"), said("2", "b"), said("3", "c", "me"), said("4", "d"))
    assert [block.key for block in own_recent(memory, 1, room="r", without=())] == ["1"]
    assert [block.key for block in room_recent(memory, 5, room="r", without=())] == ["2", "4"]
    assert room_recent(memory, 0, room="r", without=()) == []
    assert room_recent(memory, 5, room="other", without=()) == []


def test_what_is_left_out_does_not_use_up_the_limit():
    memory = Newest(said("1", "a"), said("2", "b"), said("3", "c"))
    assert [block.key for block in room_recent(memory, 2, room="r", without={"1", "9"})] == ["2", "3"]


def test_words_are_lower_case_and_of_three_letters():
    assert words([said("1", "A Parser of Durations, of ES")]) == {"parser", "durations"}


def test_relevance_is_shared_words_and_ties_keep_their_order():
    topic = words([said("0", "parser durations")])
    blocks = [
        said("1", "weather"),
        said("2", "the parser"),
        said("3", "parser durations"),
        said("4", "cooking"),
    ]
    assert [block.key for block in by_relevance(blocks, topic)] == ["3", "2", "1", "4"]
    assert [block.key for block in by_relevance(blocks[:1], frozenset())] == ["1"]


def test_the_words_of_what_stays_recent_are_read_once():
    recents._kept.cache_clear()
    first = [said(str(number), f"report {number} of the parser") for number in range(9)]
    topic = words([said("new", "the parser fails")])
    ranked = by_relevance(first, topic)
    reads = recents._kept.cache_info().misses
    # Another wake reads its blocks from the store anew: others in memory, the same in what they say.
    again = [said(block.key, block.categories["focus"]) for block in first]
    assert by_relevance(again, topic) == ranked
    assert (reads, recents._kept.cache_info().misses) == (10, 10)


def test_a_long_block_is_ranked_and_its_words_are_not_kept():
    recents._kept.cache_clear()
    long = said("long", "parser " * limits.RECENT_WORDS_CHARS)
    assert by_relevance([said("1", "weather"), long], frozenset({"parser"}))[0] is long
    assert recents._kept.cache_info().currsize == 1
