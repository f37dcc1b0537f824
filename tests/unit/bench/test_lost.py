"""Two trails laid side by side: for what a late block's time went, and what those about the median took."""

import gc
import time

import pytest

from covey.bench import lost
from covey.bench.lost import CALLED, STATIONS, Deed, Trail
from covey.bench.stations import MARK, Stamped
from covey.bench.threads import Cores

US = 1_000
MS = 1_000 * US
STEP = 100 * US
SPEAKERS = STATIONS[:3]
MANY_TICKS = 500 * MS
"""The system counts a running thread at its ticks only, up to 10 ms apart: a large part of any less time."""


def trails(late, *, deeds=(), hearer_deeds=(), spent=STEP, pauses=()):
    """Blocks a second apart, 100 µs from station to station; the first is late by `late[station]` there."""
    at = {name: {} for name in STATIONS}
    used = {name: {} for name in (CALLED, *STATIONS)}
    for block in range(100):
        number = moment = block * 1_000 * MS
        used[CALLED][number] = block * 10 * MS
        for name in STATIONS:
            moment += STEP + (late.get(name, 0) if block == 0 else 0)
            at[name][number] = moment
        busy = block * 10 * MS
        for name in STATIONS:
            busy += spent
            used[name][number] = busy
    own = {name: at[name] if name in SPEAKERS else {} for name in STATIONS}
    others = {name: {} if name in SPEAKERS else at[name] for name in STATIONS}
    speaker = Trail(own, {name: used[name] for name in (CALLED, *SPEAKERS)}, tuple(deeds), tuple(pauses))
    return speaker, Trail(others, {name: used[name] for name in STATIONS[3:]}, tuple(hearer_deeds))


def of(found, which, station):
    start = f"lost {which} {station}"
    return {name.removeprefix(start).strip(): took for name, took in found.items() if name.startswith(start)}


def test_what_a_loop_did_itself_is_told_from_what_it_could_not():
    found = lost.parts(*trails({"signed": 400 * US}))
    assert of(found, "late", "signed") == {"": 500.0, "work": 100.0, "no core": 400.0}
    assert of(found, "middle", "signed") == {"": 100.0, "work": 100.0}


def test_waiting_for_the_writer_is_told_by_what_it_did_and_its_own_commit_by_the_disk():
    handed = STEP
    deeds = [
        Deed("index", handed - 50 * US, handed + 300 * US, 0),
        Deed("merge", handed + 300 * US, handed + 500 * US, 0),
        Deed("write", handed + 510 * US, handed + 900 * US, 250 * US),
        Deed("copy", 0, handed + 20 * US, 0),
    ]
    found = of(lost.parts(*trails({"kept": 900 * US}, deeds=deeds)), "late", "kept")
    assert found == {
        "": 1_000.0,
        "index": 300.0,
        "merge": 200.0,
        "disk": 250.0,
        "commit": 140.0,
        "waking": 110.0,
        "copy": 20.0,
    }
    assert sum(took for cause, took in found.items() if cause not in ("", "copy")) == found[""]


def test_a_loop_at_work_for_other_blocks_is_why_an_answer_or_a_read_waits():
    speaker, hearer = trails({"read": 2_900 * US})
    other = 1_000 * MS
    for name, at in (("read", STEP), ("verdict", 2 * MS), ("durable", 3 * MS), ("delivered", 4 * MS)):
        hearer.at[name][other] = at
    found = of(lost.parts(speaker, hearer), "late", "read")
    # from 0.3 ms, when it was written, until 2 ms the other block was judged; it was delivered after 3.3 ms
    assert found == {"": 3_000.0, "loop": 1_700.0 + 300.0, "waking": 1_000.0}


def test_the_collector_and_an_answer_without_a_deed_are_said():
    found = of(lost.parts(*trails({"kept": 400 * US}, pauses=[(STEP, STEP + 40 * US)])), "late", "kept")
    assert found == {"": 500.0, "waking": 500.0, "collector": 40.0}


def test_nothing_that_arrived_has_nothing_lost():
    assert lost.parts(Trail(), Trail()) == {}
    assert lost.lines({}) == []


def test_each_station_is_a_row_the_largest_part_first_and_threads_follow():
    facts = lost.parts(*trails({"signed": 400 * US}))
    facts |= lost.shares("author", Trail(threads={"loop": (0.5, 0.02), "store": (0.1, 0.0)}))
    said = lost.lines(facts)
    assert said[0] == "  means of the slowest hundredth, and for what:"
    assert said[1] == "    signed          500: no core 400, work 100"
    assert said[8] == "  means of those about the median, and for what:"
    assert said[-1] == (
        "  author's threads, of the time: ran loop 0.50, store 0.10; wanted a core loop 0.02, store 0.00"
    )


def test_a_process_has_a_trail_of_the_blocks_it_knows():
    stamped = Stamped()
    stamped.begin()
    gc.collect()
    stamped.called[7] = 3
    stamped.said = {"a": f"x{MARK}7"}
    stamped.stamp("signed", ["a", "b"], (10, 5))
    trail = stamped.trail()
    gc.collect()
    assert (trail.at["signed"], trail.spent["signed"], trail.spent[CALLED]) == ({7: 10}, {7: 5}, {7: 3})
    assert len(trail.pauses) == 1, "nothing is kept of what follows"
    began, ended = trail.pauses[0]
    assert 0 < began <= ended


def test_threads_are_counted_where_the_system_does():
    cores, began = Cores(), time.perf_counter_ns()
    while time.perf_counter_ns() - began < MANY_TICKS:
        sum(range(10_000))
    shares = cores.shares()
    if shares:
        ran, wanted = shares["loop"]
        assert 0.0 < ran <= 1.1
        assert wanted >= 0.0


def test_trails_of_meetings_one_after_another_are_read_as_one():
    speaker, hearer = trails({"signed": 400 * US})

    def later(trail):
        shift = 1_000_000 * MS
        at = {
            name: {number + shift: at + shift for number, at in each.items()}
            for name, each in trail.at.items()
        }
        spent = {
            name: {number + shift: used for number, used in each.items()}
            for name, each in trail.spent.items()
        }
        return Trail(at, spent, threads={"loop": (0.4, 0.0)})

    once = lost.parts(speaker, hearer)
    author = lost.joined([speaker, later(speaker)])
    both = lost.parts(author, lost.joined([hearer, later(hearer)]))
    assert of(both, "late", "signed") == of(once, "late", "signed")
    assert of(both, "middle", "kept") == of(once, "middle", "kept")
    done = Trail(deeds=(Deed("copy", 0, 1, 0),), pauses=((0, 1),))
    assert lost.joined([speaker, done, done]).deeds == done.deeds * 2
    assert lost.joined([done, speaker]).pauses == done.pauses
    threads = [Trail(threads={"loop": (0.2, 0.1)}), later(speaker), Trail()]
    assert lost.joined(threads).threads == {"loop": (pytest.approx(0.3), 0.05)}
