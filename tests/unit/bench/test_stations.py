"""Stamps of two processes joined: how old a block was at each station, and what is left out."""

from covey.bench import disk, stations
from covey.bench.stations import LAST, MARK, STATIONS, Stamped, number_of

MS = 1_000_000


def test_a_number_ends_the_focus_and_others_blocks_have_none():
    assert number_of({"focus": f"the parser is ready{MARK}17"}) == 17
    assert number_of({"focus": "the parser is ready"}) is None
    assert number_of({"focus": f"the parser{MARK}soon"}) is None
    assert number_of({}) is None


def test_a_later_stamp_changes_nothing():
    stamped = Stamped()
    stamped.stamp("signed", [5, 6], 10)
    stamped.stamp("signed", [6, 7], 20)
    assert stamped.at["signed"] == {5: 10, 6: 10, 7: 20}


def test_ages_count_from_the_emission_and_only_of_blocks_that_arrived():
    speaker, hearer = Stamped(), Stamped()
    for number in (0, 100 * MS):
        speaker.stamp("signed", [number], number + 1 * MS)
        speaker.stamp("written", [number], number + 3 * MS)
    for place, name in enumerate(STATIONS[3:]):
        hearer.stamp(name, [0], (4 + place) * MS)
    ages = stations.ages(speaker.at, hearer.at)
    assert ages["signed"] == [0.001]
    assert ages["verdict"] == [0.005]
    assert ages[LAST] == [0.007]
    assert ages["written to verdict"] == [0.002]
    assert ages["written to delivered"] == [0.004]
    facts = stations.facts(ages)
    assert facts["verdict p50"] == facts["verdict p99"] == 5_000.0
    assert "kept p50" not in facts, "nothing was stamped there"


def test_of_the_slowest_hundredth_it_is_told_where_the_time_went():
    speaker, hearer = Stamped(), Stamped()
    for block in range(300):
        number, slow = block * 1_000 * MS, 40 * MS if block == 7 or block > 297 else 0
        for place, name in enumerate(STATIONS):
            after = slow if name in ("durable", LAST) else 0
            (speaker if place < 3 else hearer).stamp(name, [number], number + (1 + place) * MS + after)
    late = stations.late(speaker.at, hearer.at)
    assert late["late durable"] == [0.041] * 3
    others = {name: times for name, times in late.items() if name != "late durable"}
    assert others == {f"late {name}": [0.001] * 3 for name in STATIONS if name != "durable"}
    assert stations.late(Stamped().at, Stamped().at) == {}, "nothing arrived"


def test_the_disk_has_percentiles_in_order():
    found = disk.facts()
    assert 0.0 < found["disk p50"] <= found["disk p90"] <= found["disk p99"]
    assert 0.0 < found["disk rested p50"] <= found["disk rested p90"] <= found["disk rested p99"]
