"""Names are checked here before they become paths, TXT records or rooms.

Rules: pure text in, the same text out, or InvalidNameError. Nothing is repaired silently:
two different names must never meet in one file.
"""

from __future__ import annotations

import re

from covey.errors import InvalidNameError
from covey.limits import PEER_NAME_BYTES, ROOM_NAME_CHARS

COMMON_ROOMS = frozenset({"default", "sym"})
"""Rooms that nobody owns (MMP 2.0 update 1, §5.8.1)."""
_ROOM = re.compile(r"[a-z0-9._-]+\Z")
_ALLOWED_CLASSES = frozenset("LMNPSZ")
_PORTABLE_FORBIDDEN = frozenset('/\\:*?"<>|')


def peer_name(name: str) -> str:
    """Return `name` if it may be a peer's name and a directory's.

    Args:
        name: 1 to 64 UTF-8 bytes in NFC; letters, marks, numbers, punctuation, symbols and the plain
            space only (MMP 2.0 §3.1); no path separator, no leading dot or dash, no space at the ends.

    Raises:
        InvalidNameError: It says which rule the name breaks.
    """
    _refuse("peer name", name, _peer_complaint(name))
    return name


def room_name(name: str) -> str:
    """Return `name` if it is a room identifier: `[a-z0-9._-]`, 1 to 64 characters (MMP 2.0 §5.8).

    Raises:
        InvalidNameError: It says which rule the name breaks.
    """
    _refuse("room", name, room_complaint(name))
    return name


def room_complaint(name: str) -> str | None:
    """Return what is wrong with a room name, or None."""
    if not 1 <= len(name) <= ROOM_NAME_CHARS:
        return f"1 to {ROOM_NAME_CHARS} characters"
    if not _ROOM.match(name):
        return "only lower-case letters, digits, '.', '_' and '-'"
    return "a name other than dots" if set(name) == {"."} else None


def peer_complaint(name: str) -> str | None:
    """Return what is wrong with a peer name, or None."""
    return _peer_complaint(name)


def _peer_complaint(name: str) -> str | None:
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        return "text without lone surrogates"
    if not 1 <= size <= PEER_NAME_BYTES:
        return f"1 to {PEER_NAME_BYTES} bytes"
    if any(_unprintable(char) for char in name):
        return "no control, format or unassigned characters"
    if _PORTABLE_FORBIDDEN & set(name):
        return 'none of / \\ : * ? " < > |'
    if ".." in name or name[0] in ".-":
        return "no '..' and no leading dot or dash"
    if name != name.strip():
        return "no space at either end"
    if not _composed(name):
        return "text in Unicode normal form C"
    return None


def _composed(name: str) -> bool:
    if name.isascii():
        return True
    import unicodedata  # tables of a quarter megabyte, for who has such a name

    return unicodedata.normalize("NFC", name) == name


def _unprintable(char: str) -> bool:
    if char.isascii():
        return not char.isprintable()
    import unicodedata

    category = unicodedata.category(char)
    return category[0] not in _ALLOWED_CLASSES or (category[0] == "Z" and category != "Zs")


def _refuse(what: str, name: str, complaint: str | None) -> None:
    if complaint is not None:
        shown = ascii(name[:PEER_NAME_BYTES])
        raise InvalidNameError(
            f"{what} {shown}: expected {complaint}", hint="choose another name, for example writer-01"
        )
