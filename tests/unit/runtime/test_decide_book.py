"""What was decided is read back whole, or named as damaged: nothing is decided in its place."""

from __future__ import annotations

import pytest

from covey.errors import DecisionError, StoreError, UsageError
from covey.fleet.vote_record import read_record
from covey.runtime.decide.book import MemoryBook, given, kept_as, kept_pairs, meant

ID = "0a" * 8


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"a": 1, "a": 2}', b"[" * 100_000])
def test_a_damaged_record_is_named_with_what_to_do(content: bytes) -> None:
    book = MemoryBook()
    book.keep("votes", ID, content)
    for read in (lambda: kept_as("ballots", ID, content, dict), lambda: meant(book, "votes", ID[:4], dict)):
        with pytest.raises(StoreError, match=f"{ID}: what is kept is damaged") as caught:
            read()
        assert caught.value.hint


def test_what_became_of_awards_is_pairs_of_a_name_and_a_word() -> None:
    assert kept_pairs("past", ID, b'[["ann", true], ["bob", false]]') == [("ann", True), ("bob", False)]
    for content in (b"{}", b'[["ann"]]', b'[["ann", 1]]', b'[[["ann"], true]]', b"[7]"):
        with pytest.raises(StoreError, match=f"{ID}: what is kept is damaged"):
            kept_pairs("past", ID, content)


def test_what_is_kept_and_no_record_is_damage_and_what_is_handed_over_is_asked_wrongly() -> None:
    book = MemoryBook()
    book.keep("votes", ID, b'{"question": 7}')
    with pytest.raises(StoreError, match=f"{ID}: what is kept is damaged"):
        meant(book, "votes", ID, read_record)
    with pytest.raises(UsageError):
        given({"question": 7}, read_record)


def test_what_is_not_there_is_no_wrong_word_and_what_means_two_is_one() -> None:
    book = MemoryBook()
    with pytest.raises(DecisionError, match="not kept here"):
        meant(book, "votes", ID, dict)
    book.keep("votes", ID, b"{}")
    book.keep("votes", ID + "0b", b"{}")
    with pytest.raises(UsageError, match="2 begin so"):
        meant(book, "votes", ID, dict)
