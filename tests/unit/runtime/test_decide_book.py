"""What was decided is read back whole, or named as damaged: nothing is decided in its place."""

from __future__ import annotations

import pytest

from covey.errors import StoreError
from covey.runtime.decide.book import MemoryBook, kept_object, kept_pairs, meant

ID = "0a" * 8


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"a": 1, "a": 2}', b"[" * 100_000])
def test_a_damaged_record_is_named_with_what_to_do(content: bytes) -> None:
    book = MemoryBook()
    book.keep("votes", ID, content)
    for read in (lambda: kept_object("ballots", ID, content), lambda: meant(book, "votes", ID[:4])):
        with pytest.raises(StoreError, match=f"{ID}: what is kept is damaged") as caught:
            read()
        assert caught.value.hint


def test_what_became_of_awards_is_pairs_of_a_name_and_a_word() -> None:
    assert kept_pairs("past", ID, b'[["ann", true], ["bob", false]]') == [("ann", True), ("bob", False)]
    for content in (b"{}", b'[["ann"]]', b'[["ann", 1]]', b'[[["ann"], true]]', b"[7]"):
        with pytest.raises(StoreError, match=f"{ID}: what is kept is damaged"):
            kept_pairs("past", ID, content)
