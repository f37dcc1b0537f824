"""`covey bench` on real processes: every measure runs, a run is kept, compared, and shown as a page."""

import json

import pytest

from covey.bench import suite
from covey.bench.goes import GOES
from covey.bench.stations import STATIONS
from tests.e2e.program import Program

_TAILS = {name: (f"{name}-p99",) for name in ("latency-200", "latency")}
"""What is measured besides what was asked for."""


@pytest.fixture
def covey(tmp_path):
    """Return the program with a home of its own."""
    return Program(tmp_path / "home")


_ALONE = [piece.name for piece in suite.PIECES if piece.name.startswith(("ver", "adm", "mer", "rec"))]
_AGED = list(_TAILS)
_MET = [name for name in suite.names() if name not in (*_ALONE, *_AGED)]
"""All that can be measured, in parts that a busy machine, too, runs in time."""


@pytest.mark.parametrize("names", [_ALONE, _AGED, _MET], ids=["alone", "aged", "met"])
def test_all_of_it_runs_quickly_and_is_kept(covey, tmp_path, names):
    kept, shown = tmp_path / "run.json", tmp_path / "run.html"
    ended = covey("bench", *names, "--quick", "--json", "--save", str(kept), "--html", str(shown))
    assert (ended.code, ended.err) == (0, "")
    measures = ended.json["measures"]
    asked = [name for name in names for name in (name, *_TAILS.get(name, ()))]
    assert [_without_size(row["name"]) for row in measures] == [_without_size(name) for name in asked]
    assert all(row["median"] > 0.0 and len(row["samples"]) == 1 for row in measures)
    assert all((row["low"], row["high"]) == (None, None) for row in measures), "one sample has no interval"
    assert all(len(taken) == 2 for row in measures for taken in row["paces"].values())
    assert all(row["paces"] for row in measures)
    assert json.loads(kept.read_text())["measures"] == measures
    page = shown.read_text()
    assert all(f"<h2>{row['name']}</h2>" in page for row in measures)
    _said_beside({row["name"]: row["facts"] for row in measures})


def _without_size(name):
    return name.rstrip("0123456789").rstrip("-")


def _said_beside(facts):
    """Hold what only some measures say beside their samples."""
    latency = facts.get("latency")
    if latency is not None:
        ways = [latency[f"{name} p50"] for name in STATIONS]
        assert ways == sorted(ways), "a block passes its stations in their order"
        for name in STATIONS:
            parts = [took for fact, took in latency.items() if fact.startswith(f"lost late {name} ")]
            beside = [latency.get(f"lost late {name} {cause}", 0.0) for cause in ("copy", "collector")]
            whole = latency[f"lost late {name}"]
            assert abs(sum(parts) - sum(beside) - whole) < 0.05 * whole + 1.0, f"{name}: all of it"
    if "throughput" in facts:
        assert facts["throughput"]["full-text lag"] >= 0
        assert facts["throughput"]["drained after ms"] >= 0


def test_a_measure_that_surely_fell_fails_the_command(covey, tmp_path):
    kept = tmp_path / "before.json"
    assert covey("bench", "verification", "--save", str(kept)).code == 0
    document = json.loads(kept.read_text())
    (measure,) = document["measures"]
    assert len(measure["samples"]) == GOES
    assert measure["low"] <= measure["median"] <= measure["high"]
    measure["samples"] = [1e9 + number for number in range(GOES)]
    measure["paces"] = {}
    document["machine"]["processor"] = "another\x1b[2J"
    kept.write_text(json.dumps(document))
    words = ("bench", "verification", "--compare", str(kept))
    ended = covey(*words, "--worst", "0.5")
    assert ended.code == 1
    assert "verification: " in ended.err
    assert "worse" in ended.out
    assert "the saved run: another processor: another" in ended.err
    assert "\x1b" not in ended.err + ended.out
    measure["paces"] = {"one core": [1.0], "another\x1b[2J": [1.0]}
    kept.write_text(json.dumps(document))
    ended = covey(*words, "--worst", "0.5")
    assert (ended.code, "\x1b" in ended.out) == (1, False)
    assert "unsure: the machine had another speed, in times of then: one core 0." in ended.out, (
        "a machine that slowed decides nothing …"
    )
    assert "--worst: nothing was held against the saved run" in ended.err, "… and has not passed"


def test_a_quick_run_is_compared_and_decides_nothing(covey, tmp_path):
    kept = tmp_path / "before.json"
    words = ("bench", "--quick", "verification")
    assert covey(*words, "--save", str(kept)).code == 0
    told = covey(*words, "--compare", str(kept))
    assert told.code == 0
    assert "unsure: 1 sample decides nothing, 6 do" in told.out
    document = json.loads(kept.read_text())
    document["measures"][0]["unit"] = "signatures/min"
    kept.write_text(json.dumps(document))
    told = covey(*words, "--compare", str(kept))
    assert (told.code, "in signatures/min there" in told.err) == (0, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["throughputt"], "did you mean throughput?"),
        (["--worst", "0.5"], "--worst: needs --compare"),
        (["--worst", "2"], "expected a number above 0 and up to 1"),
        (["--quick", "--compare", "x.json", "--worst", "0.5"], "--worst: a quick run decides nothing"),
        (["fan-out", "--hearers", "0"], "--hearers: expected a whole number from 1 to 64, got '0'"),
        (["fan-out", "--hearers", "65"], "--hearers: expected a whole number from 1 to 64, got '65'"),
        (["fan-out", "--hearers", "many"], "--hearers: expected a whole number from 1 to 64, got 'many'"),
        (["latency", "--hearers", "3"], "--hearers: only fan-out has them"),
        (["--compare", "nowhere.json"], "cannot read nowhere.json"),
        (["--compare", "{}"], "no saved run"),
    ],
)
def test_what_is_asked_wrongly_is_said_before_anything_is_measured(covey, tmp_path, words, said):
    if words[-1] == "{}":
        other = tmp_path / "other.json"
        other.write_text("{}")
        words = ["--compare", str(other)]
    ended = covey("bench", *words)
    assert ended.code == 2
    assert said in ended.err


def test_as_many_hear_as_are_wanted_and_other_numbers_are_not_compared(covey, tmp_path):
    kept = tmp_path / "three.json"
    words = ("bench", "fan-out", "--quick", "--json")
    ended = covey(*words, "--hearers", "3", "--save", str(kept))
    assert (ended.code, ended.json["measures"][0]["facts"]["hearers"]) == (0, 3.0)
    other = covey(*words, "--hearers", "2", "--compare", str(kept))
    assert (other.code, other.json["changes"]) == (0, [])
    assert other.json["apart"] == ["fan-out is not compared: 3 hearers there, 2 here"]


def test_a_place_that_cannot_be_written_is_said_before_anything_is_measured(covey, tmp_path):
    (tmp_path / "file").touch()
    nowhere = [tmp_path / "no" / "x.html", tmp_path, tmp_path / "file" / "x.json", tmp_path / ("x" * 300)]
    for flag, place in zip(["--html", "--save", "--save", "--save"], nowhere, strict=True):
        ended = covey("bench", "--quick", flag, str(place))
        assert (ended.code, ended.out) == (1, "")
        assert f"cannot write {place}: " in ended.err


def test_what_can_be_measured_is_listed(covey):
    assert covey("bench", "--list").out.split() == suite.names()
