"""Merge shared state from wire bytes: every entry overwritten by somebody else, 10,000 and 100,000 of them.

The same work for each: a replica holds all entries, an update of another author overwrites all of them, and
the update is merged from its bytes. pycrdt and loro are documents with far more features (text, nesting,
undo) but no signatures; both come from requirements/bench.txt and are skipped where they are not installed.
The plain map is what one would write by hand: a dict of entries with a vector clock each; its update is taken
as already decoded.
"""

from collections.abc import Callable

import pytest

from benches import samples
from benches.next_step import install
from covey import core

SIZES = (10_000, 100_000)
VALUE = {"first": "a" * 100, "second": "b" * 100}
NOW_MS = 1_790_000_000_000
NODES = {name: f"01997c00-0000-7000-8000-{number:012d}" for number, name in enumerate(VALUE, 1)}
WHO = {name: core.Identity(node_id, name, samples.SEED) for name, node_id in NODES.items()}
KEYS = dict.fromkeys(NODES.values(), WHO["first"].public_key)
FLUSH = 2_048


def what(size: int) -> str:
    """Name the work."""
    return f"merge {size:,} entries"


def names(size: int) -> list[str]:
    """Return the names of the entries."""
    return [f"key:{number:08d}" for number in range(size)]


def fill(state: core.StateMap, author: str, size: int) -> None:
    """Write every entry, in full flushes."""
    value = VALUE[author].encode()
    keys = names(size)
    for start in range(0, size, FLUSH):
        writes = [("put", key, value) for key in keys[start : start + FLUSH]]
        state.commit(writes, now_ms=NOW_MS, identity=WHO[author])


def empty(author: str) -> core.StateMap:
    """Return a replica that holds nothing."""
    return core.StateMap("bench", NODES[author], seed=bytes(16))


def covey_pair(size: int) -> tuple[bytes, bytes]:
    """Return a snapshot that holds all entries, and the delta that overwrites them."""
    first, second = empty("first"), empty("second")
    fill(first, "first", size)
    for delta in first.since(second.seen, max_bytes=1 << 30):
        second.merge(delta)
    fill(second, "second", size)
    (delta,) = second.since(first.seen, max_bytes=1 << 30)
    return first.snapshot(), delta


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("who", "keys"), [("covey", None), ("covey, every flush verified", KEYS)])
def test_covey(measure: Callable[..., None], size: int, who: str, keys: dict[str, bytes] | None) -> None:
    snapshot, delta = covey_pair(size)

    def prepare() -> core.StateMap:
        return core.StateMap.restore("bench", NODES["first"], snapshot, seed=bytes(16))

    def work(state: core.StateMap) -> None:
        report = state.merge(delta, keys=keys, now_ms=NOW_MS)
        assert (report.applied, report.refused) == (size, [])

    told = f"{who}, {len(delta) / size:.1f} B each" if keys else who
    measure(what(size), told, work, records=size, prepare=prepare, rounds=15, size=len(delta) / size)


@pytest.mark.parametrize("size", SIZES)
def test_pycrdt(measure: Callable[..., None], size: int) -> None:
    pycrdt = pytest.importorskip("pycrdt", reason=f"pycrdt is not installed; {install('bench')}")

    def filled(document: object, value: str) -> object:
        entries = document.get("entries", type=pycrdt.Map)  # type: ignore[attr-defined]  # no stubs here
        with document.transaction():  # type: ignore[attr-defined]  # as above
            for key in names(size):
                entries[key] = value
        return document

    base = filled(pycrdt.Doc(), VALUE["first"]).get_update()
    other = pycrdt.Doc()
    other.apply_update(base)
    before = other.get_state()
    update = filled(other, VALUE["second"]).get_update(before)

    def prepare() -> object:
        document = pycrdt.Doc()
        document.apply_update(base)
        return document

    told = f"pycrdt, {len(update) / size:.1f} B each"

    def work(document: object) -> None:
        document.apply_update(update)  # type: ignore[attr-defined]  # as above

    measure(what(size), told, work, records=size, prepare=prepare, rounds=7, size=len(update) / size)


@pytest.mark.parametrize("size", SIZES)
def test_loro(measure: Callable[..., None], size: int) -> None:
    loro = pytest.importorskip("loro", reason=f"loro is not installed; {install('bench')}")

    def fill_document(document: object, value: str) -> None:
        entries = document.get_map("entries")  # type: ignore[attr-defined]  # no stubs here
        for key in names(size):
            entries.insert(key, value)
        document.commit()  # type: ignore[attr-defined]  # as above

    base_document = loro.LoroDoc()
    fill_document(base_document, VALUE["first"])
    base = base_document.export(loro.ExportMode.Snapshot())
    other = loro.LoroDoc()
    other.import_(base)
    before = other.oplog_vv
    fill_document(other, VALUE["second"])
    update = other.export(loro.ExportMode.Updates(before))

    def prepare() -> object:
        document = loro.LoroDoc()
        document.import_(base)
        return document

    told = f"loro, {len(update) / size:.1f} B each"

    def work(document: object) -> None:
        document.import_(update)  # type: ignore[attr-defined]  # as above

    measure(what(size), told, work, records=size, prepare=prepare, rounds=5, size=len(update) / size)


Plain = dict[str, tuple[dict[str, int], int, str, str]]


def merge_plain(mine: Plain, theirs: Plain) -> None:
    """Merge by vector clock, then by time and author, as one would by hand."""
    for key, entry in theirs.items():
        held = mine.get(key)
        if held is None:
            mine[key] = entry
            continue
        clock, other = held[0], entry[0]
        newer = all(other.get(node, 0) >= count for node, count in clock.items())
        older = all(clock.get(node, 0) >= count for node, count in other.items())
        if (newer and not older) or (newer == older and entry[1:3] > held[1:3]):
            merged = {
                node: max(clock.get(node, 0), other.get(node, 0)) for node in clock.keys() | other.keys()
            }
            mine[key] = (merged, *entry[1:])


@pytest.mark.parametrize("size", SIZES)
def test_plain_map(measure: Callable[..., None], size: int) -> None:
    numbered = list(enumerate(names(size), 1))
    held: Plain = {key: ({"first": number}, 1, "first", VALUE["first"]) for number, key in numbered}
    update: Plain = {
        key: ({"first": number, "second": number}, 2, "second", VALUE["second"]) for number, key in numbered
    }

    def work(mine: Plain) -> None:
        merge_plain(mine, update)

    told = "plain dict with vector clocks"
    measure(what(size), told, work, records=size, prepare=lambda: dict(held), rounds=7)
