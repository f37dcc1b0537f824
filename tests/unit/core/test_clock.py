"""Vector clocks as Python sees them: frozen values with the laws of the native ones."""

import pytest

from covey import core

ANN = "018f47a0-7b21-7abc-8def-00000000000a"
BOB = "018f47a0-7b21-7abc-8def-00000000000b"


def test_clocks_compare_by_what_they_have_seen():
    start, ann, bob = core.VectorClock(), core.VectorClock({ANN: 1}), core.VectorClock({BOB: 1})
    assert start.compare(ann) == "before"
    assert ann.compare(start) == "after"
    assert ann.compare(bob) == "concurrent"
    assert ann.concurrent(bob)
    assert ann.merge(bob).dominates(ann)
    assert not ann.dominates(bob)


def test_clocks_are_values():
    ann = core.VectorClock({ANN: 1})
    later = ann.tick(ANN).tick(BOB)
    assert ann == core.VectorClock({ANN: 1, BOB: 0})
    assert later.entries == {ANN: 2, BOB: 1}
    assert (later.count(ANN), later.count(BOB), len(later)) == (2, 1, 2)
    assert len({later, ann.tick(BOB).tick(ANN), ann}) == 2
    assert later.merge(later) == later
    with pytest.raises(AttributeError):
        ann.entries = {}


def test_what_is_no_clock_is_refused():
    with pytest.raises(core.CoreError) as raised:
        core.VectorClock({ANN.upper(): 1})
    assert raised.value.reason == "invalid_id"
    with pytest.raises(core.CoreError) as raised:
        core.VectorClock({ANN: 2**53})
    assert raised.value.reason == "too_large"
    with pytest.raises(OverflowError):
        core.VectorClock({ANN: -1})
    full = core.VectorClock({f"018f47a0-7b21-7abc-8def-{number:012x}": 1 for number in range(1024)})
    with pytest.raises(core.CoreError, match="1024 nodes"):
        full.tick("018f47a0-7b21-7abc-8def-ffffffffffff")
