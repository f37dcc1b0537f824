"""A log read backwards is what was written, however it rotated; followed, it gives every line once."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.errors import StoreError
from covey.system import log_reader
from covey.system.log import LogFile, Rotation
from covey.system.log_reader import Backwards, Follower

LINES = st.lists(
    st.text(st.characters(blacklist_characters="\n", blacklist_categories=("Cs",)), min_size=1), max_size=40
)


def everything(path: Path) -> list[str]:
    with Backwards(path) as lines:
        return list(lines)[::-1]


@given(written=LINES, size=st.integers(1, 200))
def test_what_was_written_is_read_back_through_every_rotation(written: list[str], size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = LogFile(Path(folder) / "a.log", Rotation(size, keep=limits.LOG_FILES))
        for line in written:
            log(line + "\n")
        log.close()
        assert everything(log.path) == written


@given(written=LINES, cut=st.integers(0, 40), size=st.integers(1, 200), looks=st.sets(st.integers(0, 40)))
def test_reading_and_then_following_gives_every_line_once(
    written: list[str], cut: int, size: int, looks: set[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = LogFile(Path(folder) / "a.log", Rotation(size, keep=limits.LOG_FILES))
        for line in written[:cut]:
            log(line + "\n")
        with Backwards(log.path) as lines:
            follower = lines.follower()
            for line in written[cut : cut + 1]:
                log(line + "\n")  # between the two
            read = list(lines)[::-1]
        for number, line in enumerate(written[cut + 1 :]):
            if number in looks:  # else it may rotate several times until it is looked at
                read += follower.lines()
            log(line + "\n")
        read += follower.lines()
        follower.close()
        log.close()
        assert read == written


def test_a_line_that_is_still_being_written_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("one\nhal")
    with Backwards(path) as lines:
        follower = lines.follower()
        assert list(lines) == ["one"]
    assert list(follower.lines()) == []
    with path.open("a") as file:
        file.write("f\nnext")
    assert list(follower.lines()) == ["half"]
    follower.close()
    assert everything(path)[-1] == "next", "without a follower the rest is shown as it is"


def test_a_log_that_comes_later_or_is_cut_short_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with Backwards(path) as lines:
        assert not lines.found
        follower = lines.follower()
    assert list(follower.lines()) == []
    path.write_text("one\ntwo\n")
    assert list(follower.lines()) == ["one", "two"]
    path.write_text("x\n")
    assert list(follower.lines()) == ["x"]
    path.unlink()
    assert list(follower.lines()) == []
    path.write_text("new\n")
    assert list(follower.lines()) == ["new"]
    follower.close()


def test_a_line_without_an_end_costs_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "LOG_LINE_BYTES", 100_000)
    path = tmp_path / "a.log"
    path.write_bytes(b"x" * 400_000)
    pieces = everything(path)
    assert max(map(len, pieces)) <= 100_000 + 65_536
    assert sum(map(len, pieces)) == 400_000
    follower = Follower(path, None, 0)
    assert max(map(len, follower.lines())) <= 100_000 + 65_536
    follower.close()


def test_what_is_not_text_or_cannot_be_read_is_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"\xff\xfe\n")
    assert everything(path) == ["\\xff\\xfe"]
    with pytest.raises(StoreError, match="cannot read"):
        Backwards(tmp_path / "a.log" / "b")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="cannot read"):
        Backwards(tmp_path / "folder")
