"""ARCHITECTURE.md and the tree name the same rooms: a page that lags behind misleads more than none."""

import re

from tests.tidy import tree

ROOM_ROW = re.compile(r"^\|(?: \d \|)? `([\w/-]+)`[^|]*\|", re.MULTILINE)
"""A row of one of the page's tables of rooms, the floor's number before the name where there is one."""
HIDDEN = {"__init__", "__main__", "lib", "py", "_core"}
"""What is no room of its own: package markers, and the native module, which `core` faces."""


def rooms(names: tuple[str, ...]) -> set[str]:
    """Return the rooms of a list of files: modules of core and package, crates, folders of tests."""
    found = set()
    for name in names:
        parts = name.split("/")
        if name.startswith("python/covey/"):
            found.add(parts[2])
        elif name.startswith("rust/core/src/"):
            found |= {parts[3], "rust/core"}
        elif name.startswith(("rust/", "tests/")) and len(parts) > 2:
            found.add("/".join(parts[:2]))
        elif parts[0] in ("benches", "examples", "requirements", "tools"):
            found.add(parts[0])
    return {re.sub(r"\.(?:py|pyi|rs|typed)$", "", room) for room in found} - HIDDEN


def named(page: str) -> set[str]:
    """Return the rooms that the page's tables name."""
    return set(ROOM_ROW.findall(page))


def test_the_page_and_the_tree_name_the_same_rooms():
    assert named(tree.text("ARCHITECTURE.md")) == rooms(tree.tracked())


def test_a_difference_is_found():
    page = "| 4 | `net` | sockets |\n| `tests/laws` | properties |\nprose about `attic` | is no row\n"
    assert named(page) == {"net", "tests/laws"}
    files = (
        "python/covey/net/tcp.py",
        "python/covey/model.py",
        "rust/core/src/seal.rs",
        "tests/laws/test_x.py",
    )
    assert rooms(files) == {"net", "model", "seal", "rust/core", "tests/laws"}
    assert rooms(("rust/core/src/lib.rs", "python/covey/__init__.py", "README.md")) == {"rust/core"}
