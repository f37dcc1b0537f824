"""What is a sample: each of another process or meeting, however many blocks pass in it."""

import os

import pytest

from covey.bench import goes, mesh, pace, peers, stations
from covey.bench.stats import Measure, compare


def where(rounds):
    """Measure nothing but which process this is."""
    return Measure("where", "", "x", True, (float(os.getpid()),) * rounds, {"rounds": rounds})


def test_each_sample_is_of_a_process_of_its_own(monkeypatch):
    monkeypatch.setattr(pace, "probe", lambda parts: dict.fromkeys(parts, 5.0))
    measure = goes.anew(3, where, 10)
    assert len(set(measure.samples)) == 3
    assert float(os.getpid()) not in measure.samples
    assert measure.facts == {"rounds": 10}
    assert measure.paces == {pace.CORE: (5.0,) * 4}, "before, between and after"


def test_one_sample_needs_no_other_process(monkeypatch):
    monkeypatch.setattr(pace, "probe", lambda parts: dict.fromkeys(parts, 5.0))
    measure = goes.here(where, 10)
    assert measure.samples == (float(os.getpid()),)
    assert measure.paces == {pace.CORE: (5.0, 5.0)}


def met(offset_ms, blocks):
    """A meeting whose blocks all come within a hair's breadth, `offset_ms` after they are said."""
    said = [number * 5_000_000 + offset_ms for number in range(1, blocks + 1)]
    stamps = {name: {at: at + offset_ms * 1_000_000 + at % 7 for at in said} for name in stations.STATIONS}
    return mesh.Met(peers.Heard(blocks, 1.0, 1.0, 0, 0.0, stamps), peers.Spoke(1.0, {}))


@pytest.fixture
def meetings(monkeypatch):
    """Return what sets the delays of the meetings to come."""
    offsets = []

    def meet(count, **asked):
        assert asked["ages"]
        return met(offsets.pop(0), count)

    monkeypatch.setattr(mesh, "meet", meet)
    monkeypatch.setattr(pace, "probe", lambda parts: dict.fromkeys(parts, 5_000.0))
    monkeypatch.setattr(mesh.disk, "facts", dict)
    return offsets.extend


def test_a_meeting_is_one_sample_however_many_blocks_it_has(meetings):
    """Two runs of the same: meetings of 2 to 5 ms, as they fall. Of their 4,800 ages all would be sure."""
    meetings([2, 3, 5, 2, 3, 2, 4, 3, 2, 5, 4, 3])
    first, slowest = mesh.latencies("latency-200", 200.0, 4.0, 6)
    second, _ = mesh.latencies("latency-200", 200.0, 4.0, 6)
    assert [round(sample / 1e3) for sample in first.samples] == [2, 3, 5, 2, 3, 2]
    assert compare(first, second).verdict == "unsure"
    assert (slowest.name, len(slowest.samples)) == ("latency-200-p99", 6)
    assert first.facts["delivered p99"] == pytest.approx(5e3, rel=0.01), "over the blocks of all meetings"
    assert set(first.paces) == set(pace.TOGETHER)


def test_the_pace_of_every_part_of_the_machine_is_measured():
    found = pace.probe(pace.ALONE + pace.TOGETHER)
    assert list(found) == [pace.CORE, pace.CORES, pace.WAKE, pace.DISK]
    assert all(taken > 0.0 for taken in found.values())
