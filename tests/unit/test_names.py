"""Names before they become paths: what passes is one plain path component, and nothing is repaired."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.errors import InvalidNameError
from covey.names import peer_name, room_name


@pytest.mark.parametrize("name", ["writer-01", "Ärzte", "日本", "a b", "x" * 64, "v1.2", "🐦"])
def test_usable_peer_names(name: str) -> None:
    assert peer_name(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "1 to 64 bytes"),
        ("x" * 65, "1 to 64 bytes"),
        ("é" * 33, "1 to 64 bytes"),
        ("a/b", "none of"),
        ("a\\b", "none of"),
        ("C:x", "none of"),
        ("..", "no '..'"),
        (".", "no '..'"),
        (".hidden", "leading dot"),
        ("-rf", "leading dot or dash"),
        ("a..b", "no '..'"),
        (" a", "no space at either end"),
        ("a ", "no space at either end"),
        ("a\nb", "no control"),
        ("a\x00b", "no control"),
        ("a\u202eb", "no control"),
        ("a\u2028b", "no control"),
        ("\ud800", "surrogates"),
        ("e\u0301", "normal form C"),
    ],
)
def test_unusable_peer_names(name: str, expected: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        peer_name(name)
    assert expected in caught.value.message
    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()


@given(st.text(max_size=80))
def test_a_name_that_passes_is_one_component_of_any_path(name: str) -> None:
    try:
        passed = peer_name(name)
    except InvalidNameError:
        return
    assert passed == name == unicodedata.normalize("NFC", name)
    assert PurePosixPath("/h", passed).parent == PurePosixPath("/h")
    assert PureWindowsPath("c:/h", passed).parent == PureWindowsPath("c:/h")
    assert PurePosixPath("/h", passed).name == passed
    assert len(passed.encode()) <= 64


@pytest.mark.parametrize("name", ["default", "a", "x" * 64, "room-1_b.c", "0"])
def test_usable_rooms(name: str) -> None:
    assert room_name(name) == name


@pytest.mark.parametrize("name", ["", "x" * 65, "Room", "a b", "é", "a/b", ".", "..", "a\n"])
def test_unusable_rooms(name: str) -> None:
    with pytest.raises(InvalidNameError):
        room_name(name)
