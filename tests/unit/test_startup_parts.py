"""What an import is made of: each module counts for its part, or for whoever imports it."""

from benches.startup import COVEY, OTHER, parted

FOUND = [
    (0, "covey", 1.0),
    (1, "covey.api.peer", 2.0),
    (2, "uvloop", 4.0),
    (3, "uvloop.loop", 8.0),
    (4, "asyncio", 16.0),
    (5, "asyncio.streams", 32.0),
    (6, "weakref", 64.0),
    (4, "signal", 128.0),
    (2, "inspect", 256.0),
    (3, "dis", 512.0),
    (2, "covey._core", 1024.0),
    (2, "coveyed", 2048.0),
    (0, "site", 4096.0),
]


def test_a_module_counts_for_its_part_or_for_whoever_imports_it():
    assert parted(FOUND, {"site"}) == {
        "asyncio and ssl": 16.0 + 32.0 + 64.0,
        "uvloop": 4.0 + 8.0 + 128.0,
        "native core": 1024.0,
        COVEY: 1.0 + 2.0,
        OTHER: 256.0 + 512.0 + 2048.0,
    }


def test_what_was_there_before_counts_for_nobody():
    assert sum(parted(FOUND, {name for _, name, _ in FOUND}).values()) == 0.0
