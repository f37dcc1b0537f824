"""Stamps of two processes joined: how old a block was at each station, and what is left out."""

from covey.bench import disk, stations
from covey.bench.stations import LAST, MARK, STATIONS, Stamped, number_of

MS = 1_000_000


def test_a_number_ends_the_focus_and_others_blocks_have_none():
    assert number_of(f"the parser is ready{MARK}17") == 17
    assert number_of("the parser is ready") is None
    assert number_of(f"the parser{MARK}soon") is None
    assert number_of("") is None


def test_a_later_stamp_changes_nothing():
    stamped = Stamped()
    stamped.stamp("signed", ["a", "b"], (10, 1))
    stamped.stamp("signed", ["b", "c"], (20, 2))
    assert stamped.at["signed"] == {"a": 10, "b": 10, "c": 20}


def test_blocks_have_their_numbers_by_what_was_said_and_others_have_no_stamp():
    stamped = Stamped()
    stamped.stamp("read", ["a", "b", "c"], (30, 3))
    stamped.said = {"a": f"x{MARK}5", "b": "somebody else's"}
    assert stamped.stamps() == {name: {5: 30} if name == "read" else {} for name in STATIONS}


def said(stamped: Stamped, numbers: list[int]) -> Stamped:
    """Let blocks with these numbers, under ids that are their texts, have come to their end."""
    stamped.said = {str(number): f"x{MARK}{number}" for number in numbers}
    return stamped


def test_ages_count_from_the_emission_and_only_of_blocks_that_arrived():
    speaker, hearer = Stamped(), Stamped()
    for number in (0, 100 * MS):
        speaker.stamp("signed", [str(number)], (number + 1 * MS, 0))
        speaker.stamp("written", [str(number)], (number + 3 * MS, 0))
    for place, name in enumerate(STATIONS[3:]):
        hearer.stamp(name, ["0"], ((4 + place) * MS, 0))
    ages = stations.ages(said(speaker, [0, 100 * MS]).stamps(), said(hearer, [0]).stamps())
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
            (speaker if place < 3 else hearer).stamp(
                name, [str(number)], (number + (1 + place) * MS + after, 0)
            )
    numbers = [block * 1_000 * MS for block in range(300)]
    late = stations.late(said(speaker, numbers).stamps(), said(hearer, numbers).stamps())
    assert late["late durable"] == [0.041] * 3
    others = {name: times for name, times in late.items() if name != "late durable"}
    assert others == {f"late {name}": [0.001] * 3 for name in STATIONS if name != "durable"}
    assert stations.late(Stamped().stamps(), Stamped().stamps()) == {}, "nothing arrived"


def test_the_disk_has_percentiles_in_order():
    found = disk.facts()
    assert 0.0 < found["disk p50"] <= found["disk p90"] <= found["disk p99"]
    assert 0.0 < found["disk rested p50"] <= found["disk rested p90"] <= found["disk rested p99"]
