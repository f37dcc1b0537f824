"""The book of trusted identities: whole, private, never silently empty."""

import json
import stat

import pytest

from covey.errors import StoreError
from covey.system import trust
from covey.system.trust import TrustBook, Trusted

NODE = "01997c00-0000-7000-8000-000000000001"
MARK = "ab" * 32


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trust.json"


def test_a_book_comes_back_as_it_was_written_and_only_for_its_owner(path):
    assert trust.load(path) == TrustBook()
    book = TrustBook().with_entry(Trusted(NODE, 1, MARK, "met in person")).with_entry(Trusted(MARK, 2))
    trust.save(path, book)
    assert trust.load(path) == book
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["trust.json"]
    assert (book.trusted, dict(book.pins)) == ({NODE, MARK}, {NODE: MARK})


def test_one_identity_has_one_entry():
    book = TrustBook().with_entry(Trusted(NODE, 1)).with_entry(Trusted(NODE, 2, MARK))
    assert book.entries == (Trusted(NODE, 2, MARK),)
    assert book.find(NODE) == Trusted(NODE, 2, MARK)
    assert book.without(NODE) == TrustBook()


def test_a_full_book_takes_no_more_and_says_so(monkeypatch):
    monkeypatch.setattr(trust, "TRUST_ENTRIES", 1)
    book = TrustBook().with_entry(Trusted(NODE, 1))
    assert book.with_entry(Trusted(NODE, 2)).entries == (Trusted(NODE, 2),)
    with pytest.raises(StoreError, match="at most 1"):
        book.with_entry(Trusted(MARK, 1))


@pytest.mark.parametrize(
    "bent",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        json.dumps({"version": 2, "trusted": []}),
        json.dumps({"version": 1, "trusted": {}, "more": 1}),
        json.dumps({"version": 1, "trusted": [{"identity": NODE}]}),
        json.dumps({"version": 1, "trusted": [Ellipsis]}, default=str),
        json.dumps(
            {"version": 1, "trusted": [{"identity": "bob", "sinceMs": 1, "fingerprint": None, "note": ""}]}
        ),
        json.dumps(
            {"version": 1, "trusted": [{"identity": MARK, "sinceMs": 1, "fingerprint": MARK, "note": ""}]}
        ),
        json.dumps(
            {"version": 1, "trusted": [{"identity": NODE, "sinceMs": -1, "fingerprint": None, "note": ""}]}
        ),
    ],
)
def test_a_damaged_book_is_an_error_and_trusts_nobody_by_accident(path, bent):
    path.write_bytes(bent.encode() if isinstance(bent, str) else bent)
    with pytest.raises(StoreError, match=r"trust\.json is damaged"):
        trust.load(path)
