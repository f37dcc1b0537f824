"""What stock peers said first: kept apart, whole or not at all, and never an empty list for a damaged one."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from covey.errors import StoreError
from covey.limits import CLAIMS
from covey.system import claims
from covey.system.claims import Claim, ClaimBook, ClaimKeeper

MARK, OTHER = "ab" * 32, "cd" * 32


def node_id(number: int) -> str:
    return f"01900000-0000-7000-8000-{number:012x}"


def test_what_was_said_first_stays_and_comes_back(tmp_path: Path) -> None:
    path, troubles = tmp_path / "claims.json", list[str]()
    keeper = ClaimKeeper(path, troubles.append)
    assert keeper.known() == ()
    keeper.keep(node_id(1), MARK, "stock", 5)
    keeper.keep(node_id(2), OTHER, "été", 6)
    keeper.keep(node_id(1), OTHER, "another", 7)
    keeper.close()
    assert troubles == [] and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert claims.load(path).entries == (
        Claim(node_id(1), MARK, "stock", 5),
        Claim(node_id(2), OTHER, "été", 6),
    )
    assert ClaimKeeper(path, troubles.append).known() == ((node_id(1), MARK), (node_id(2), OTHER))


def test_a_full_book_takes_no_more_and_pushes_none_out(tmp_path: Path) -> None:
    full = ClaimBook(tuple(Claim(node_id(n), MARK, "x" * 64, 1) for n in range(CLAIMS)))
    path, troubles = tmp_path / "claims.json", list[str]()
    claims.save(path, full)
    keeper = ClaimKeeper(path, troubles.append)
    keeper.keep(node_id(CLAIMS), MARK, "one more", 2)
    keeper.close()
    assert len(troubles) == 1 and claims.load(path) == full


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    troubles = list[str]()
    keeper = ClaimKeeper(tmp_path / "absent" / "claims.json", troubles.append)
    keeper.keep(node_id(1), MARK, "stock", 5)
    keeper.close()
    assert len(troubles) == 1 and keeper.known() == ((node_id(1), MARK),)


ENTRY = {"nodeId": node_id(1), "fingerprint": MARK, "name": "stock", "sinceMs": 1}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[" * 100_000,
        b'{"version": 1}',
        json.dumps({"version": 2, "claimed": []}).encode(),
        json.dumps({"version": 1, "claimed": [1]}).encode(),
        json.dumps({"version": 1, "claimed": [{**ENTRY, "fingerprint": "ab"}]}).encode(),
        json.dumps({"version": 1, "claimed": [{**ENTRY, "nodeId": "bob"}]}).encode(),
        json.dumps({"version": 1, "claimed": [{**ENTRY, "name": "x" * 65}]}).encode(),
        json.dumps({"version": 1, "claimed": [{**ENTRY, "sinceMs": True}]}).encode(),
        json.dumps({"version": 1, "claimed": [{**ENTRY, "more": 1}]}).encode(),
        json.dumps({"version": 1, "claimed": [ENTRY, ENTRY]}).encode(),
        b" " * 2_097_153,
    ],
)
def test_a_damaged_book_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "claims.json"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        claims.load(path)
