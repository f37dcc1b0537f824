"""The home of a user's peers: private before the first file, and never somebody else's."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from covey.errors import InvalidNameError, StoreError
from covey.limits import SOCKET_PATH_BYTES
from covey.system.home import Home


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def home_at(path: Path) -> Home:
    return Home.resolve({"COVEY_HOME": str(path), "HOME": "/nowhere"})


def test_the_environment_says_where_and_an_empty_word_says_nothing(tmp_path: Path) -> None:
    assert home_at(tmp_path / "x").path == tmp_path / "x"
    assert Home.resolve({"COVEY_HOME": "", "HOME": str(tmp_path)}).path == tmp_path / ".covey"
    with pytest.raises(StoreError, match="neither COVEY_HOME nor HOME"):
        Home.resolve({})


def test_a_relative_home_becomes_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Home.resolve({"COVEY_HOME": "mine"}).path == tmp_path / "mine"


def test_making_the_value_touches_nothing(tmp_path: Path) -> None:
    home = home_at(tmp_path / "x")
    assert home.peers() == []
    assert home.socket_path("writer").name == "writer.sock"
    assert not home.path.exists()


def test_every_folder_is_private_whatever_the_umask(tmp_path: Path) -> None:
    home = home_at(tmp_path / "x")
    before = os.umask(0o000)
    try:
        folder = home.prepare_peer("writer")
    finally:
        os.umask(before)
    rooms = [home.path / room for room in ("peers", "run", "registry", "logs")]
    assert {mode(path) for path in (home.path, folder, *rooms)} == {0o700}
    assert home.peers() == ["writer"]


def test_an_open_folder_that_holds_only_ours_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.mkdir(mode=0o755)
    home_at(path).prepare()
    assert mode(path) == 0o700


def test_an_open_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    path.mkdir()
    path.chmod(0o1777)
    (path / "letters").write_text("not covey's")
    with pytest.raises(StoreError, match="open to others and holds other files") as caught:
        home_at(path).prepare()
    assert caught.value.hint is not None
    assert mode(path) == 0o1777 & 0o7777
    assert [entry.name for entry in path.iterdir()] == ["letters"]


def test_a_file_in_the_place_of_the_home_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("")
    with pytest.raises(StoreError, match=f"cannot use {path}"):
        home_at(path).prepare()


def test_a_link_to_a_folder_may_be_a_home_but_not_a_room_of_one(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    (tmp_path / "x").symlink_to(real)
    home = home_at(tmp_path / "x")
    (real / "run").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="not a folder"):
        home.prepare()


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "../../escape", "a\x00b", "x" * 65, "\udcff"])
def test_a_bad_name_never_becomes_a_path(tmp_path: Path, name: str) -> None:
    home = home_at(tmp_path)
    for path_of in (home.peer_folder, home.socket_path, home.log_path, home.identity_path):
        with pytest.raises(InvalidNameError):
            path_of(name)


def test_a_socket_path_that_is_too_long_becomes_a_hashed_one_in_a_private_folder(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    home = Home.resolve({"COVEY_HOME": str(deep), "XDG_RUNTIME_DIR": str(tmp_path / "rt")[:59]})
    first, second = home.socket_path("writer"), home.socket_path("reviewer")
    assert first != second
    assert max(len(os.fsencode(path)) for path in (first, second)) <= SOCKET_PATH_BYTES
    assert home.socket_path("writer") == first, "the same peer is found again"


def test_two_long_homes_do_not_share_a_socket(tmp_path: Path) -> None:
    one, two = (home_at(tmp_path / ("d" * 90) / end).socket_path("writer") for end in ("a", "b"))
    assert one != two


def test_only_folders_with_a_peers_name_count_as_peers(tmp_path: Path) -> None:
    home = home_at(tmp_path / "x")
    home.prepare_peer("b")
    home.prepare_peer("a")
    (home.path / "peers" / "note.txt").write_text("")
    (home.path / "peers" / ".trash").mkdir()
    assert home.peers() == ["a", "b"]
