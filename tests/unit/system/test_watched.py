"""A book that others change: read again when it is another file, never believed when it cannot be read."""

from __future__ import annotations

import pytest

from covey.errors import StoreError
from covey.system.json_book import JsonBook
from covey.system.watched import Watched

FORM = JsonBook(frozenset({"words"}), 1_000, lambda members: tuple(members["words"]), "remove it")


def test_a_change_is_seen_at_once_and_a_look_at_the_same_file_reads_nothing(tmp_path, monkeypatch):
    path = tmp_path / "book.json"
    watched = Watched(path, FORM, ())
    assert watched.current() == ()
    FORM.save(path, {"words": ["a"]})
    assert watched.current() == ("a",)
    with monkeypatch.context() as patched:
        patched.setattr(JsonBook, "load", lambda *_: pytest.fail("it is the same file"))
        assert watched.current() == ("a",)
    FORM.save(path, {"words": ["b"]})
    assert watched.current() == ("b",), "of the same size, in the same moment"
    path.unlink()
    assert watched.current() == ()


def test_a_damaged_book_is_an_error_every_time_and_the_one_of_before_is_gone(tmp_path):
    path = tmp_path / "book.json"
    FORM.save(path, {"words": ["a"]})
    watched = Watched(path, FORM, ())
    assert watched.current() == ("a",)
    path.write_text("{}")
    for _ in range(2):
        with pytest.raises(StoreError):
            watched.current()
