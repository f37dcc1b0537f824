"""ARCHITECTURE.md and the tree name the same rooms: a page that lags behind misleads more than none."""

import re

from tests.tidy import tree

ROOM_ROW = re.compile(r"^\|(?: \d \|)? (`[\w/-]+`[^|]*)\|", re.MULTILINE)
"""A row of one of the page's tables of rooms, the floor's number before the names where there is one."""
NAME = re.compile(r"`([\w/-]+)`")
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
        elif parts[0] in ("examples", "requirements", "fuzz"):
            found.add(parts[0])
        elif parts[0] in ("benches", "tools") and not parts[1].startswith("__"):
            found |= {parts[0], "/".join(parts[:2])}
    found = {re.sub(r"\.(?:py|pyi|rs|typed|json|md)$", "", room) for room in found}
    return found - HIDDEN


def named(page: str) -> set[str]:
    """Return the rooms that the page's tables name."""
    return {name for first in ROOM_ROW.findall(page) for name in NAME.findall(first)}


def test_the_page_and_the_tree_name_the_same_rooms():
    assert named(tree.text("ARCHITECTURE.md")) == rooms(tree.tracked())


def test_a_difference_is_found():
    page = "| 4 | `net` | sockets |\n| `tests/laws` | of `x` |\nprose about `attic` | is no row\n"
    page += "| `tools/wheels`, `tools/fuzz` | two in one row |\n"
    assert named(page) == {"net", "tests/laws", "tools/wheels", "tools/fuzz"}
    files = (
        "python/covey/net/tcp.py",
        "python/covey/model.py",
        "rust/core/src/seal.rs",
        "tests/laws/test_x.py",
    )
    assert rooms(files) == {"net", "model", "seal", "rust/core", "tests/laws"}
    assert rooms(("rust/core/src/lib.rs", "python/covey/__init__.py", "README.md")) == {"rust/core"}
    tools = (
        "tools/wheels",
        "tools/action/review.py",
        "benches/__init__.py",
        "benches/RESULTS.md",
        "benches/a.py",
    )
    assert rooms(tools) == {
        "tools",
        "tools/wheels",
        "tools/action",
        "benches",
        "benches/RESULTS",
        "benches/a",
    }
