"""Small JSON books: whole or an error that names the file, private, never empty in place of a bad one."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from covey.errors import StoreError
from covey.system import anchor, claims, trust
from covey.system.invites import InviteFile
from covey.system.json_book import JsonBook

BOOK: JsonBook[tuple[str, ...]] = JsonBook(
    frozenset({"words"}), 200, lambda found: tuple(str(word) for word in found["words"]), "write it again"
)


def test_what_was_saved_is_loaded_and_private_and_a_missing_one_is_what_the_caller_says(
    tmp_path: Path,
) -> None:
    path = tmp_path / "book.json"
    assert BOOK.load(path, ("none",)) == ("none",)
    BOOK.save(path, {"words": ["über", "allem"]})
    assert BOOK.load(path, ()) == ("über", "allem")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {"version": 1, "words": ["über", "allem"]}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "Expecting value"),
        ("[]", "expected the members version, words"),
        ('{"version":1}', "expected the members version, words"),
        ('{"version":1,"words":[],"more":1}', "expected the members version, words"),
        ('{"version":2,"words":[]}', "version: expected 1"),
        ('{"version":true,"words":[]}', "version: expected 1"),
        ('{"version":1.0,"words":[]}', "version: expected 1"),
        ('{"version":1,"words":5}', "'int' object is not iterable"),
        ('{"version":1,"words":["' + "w" * 200 + '"]}', "more than 200 bytes"),
        ("[" * 150, "Expecting value"),
    ],
)
def test_what_is_not_whole_is_an_error_with_its_reason(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "book.json"
    path.write_text(content)
    with pytest.raises(StoreError) as caught:
        BOOK.load(path, ())
    assert caught.value.message.startswith(f"{path} is damaged: ") and why in caught.value.message
    assert caught.value.hint == "write it again"


def test_what_cannot_be_read_or_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="cannot read"):
        BOOK.load(tmp_path / "folder", ())
    with pytest.raises(StoreError, match="cannot write"):
        BOOK.save(tmp_path / "absent" / "book.json", {"words": []})


def test_every_book_refuses_lists_of_something_else_by_name(tmp_path: Path) -> None:
    """A person edits files: found by fuzzing, a member or guest that is a number was a traceback."""
    mark, trusted = "a" * 64, {"sinceMs": 1, "fingerprint": None, "note": ""}
    given = {"digest": mark, "expiresMs": 5, "once": True, "guests": [0]}
    for entries in ((1, 1, 1), (claim_of(5), given, {**trusted, "identity": 5})):
        written = {
            "anchor.json": {"version": 1, "threshold": 1, "members": [1]},
            "claims.json": {"version": 1, "claimed": [entries[0]]},
            "invites.json": {"version": 1, "given": [entries[1]], "taken": []},
            "trust.json": {"version": 1, "trusted": [entries[2]]},
        }
        for name, content in written.items():
            (tmp_path / name).write_text(json.dumps(content))
        all_are_damaged(tmp_path)


def claim_of(node_id: object) -> dict[str, object]:
    return {"nodeId": node_id, "fingerprint": "a" * 64, "name": "x", "sinceMs": 1}


def all_are_damaged(tmp_path: Path) -> None:
    invites = InviteFile(tmp_path / "invites.json", tmp_path / "trust.json")
    loads = {
        "anchor.json": lambda: anchor.load(tmp_path / "anchor.json"),
        "claims.json": lambda: claims.load(tmp_path / "claims.json"),
        "invites.json": invites.load,
        "trust.json": lambda: trust.load(tmp_path / "trust.json"),
    }
    for name, load in loads.items():
        with pytest.raises(StoreError, match=f"{name} is damaged"):
            load()
