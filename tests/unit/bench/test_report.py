"""A saved run is read strictly, whoever wrote it; its page shows texts and runs none."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.bench import mesh
from covey.bench.page import page
from covey.bench.report import Report, read
from covey.bench.stats import Measure
from covey.errors import UsageError

MEASURE = Measure("work", "some work", "x/s", True, (1.0, 2.0, 3.0), {"size": 7.0}, {"one core": (5.0, 6.0)})
REPORT = Report({"covey": "0"}, (MEASURE,))


def saved(**changes):
    return json.dumps({**REPORT.as_json(), **changes}).encode()


def test_what_is_saved_is_read_back():
    assert read(saved(), "run.json") == REPORT


ROW = REPORT.as_json()["measures"][0]
BAD = {
    "not JSON": b"{",
    "too deep": b"[" * 100_000,
    "a list": b"[]",
    "another format": saved(format="else"),
    "no machine": saved(machine=3),
    "machine of numbers": saved(machine={"covey": 1}),
    "measures no list": saved(measures={}),
    "too many measures": saved(measures=[ROW] * (limits.BENCH_MEASURES + 1)),
    "a measure is a text": saved(measures=["work"]),
    "no name": saved(measures=[{**ROW, "name": None}]),
    "no samples": saved(measures=[{**ROW, "samples": []}]),
    "samples of truths": saved(measures=[{**ROW, "samples": [True]}]),
    "samples without end": saved(measures=[{**ROW, "samples": [float("inf")]}]),
    "too many samples": saved(measures=[{**ROW, "samples": [1] * (limits.BENCH_SAMPLES + 1)}]),
    "samples of nothing": saved(measures=[{**ROW, "samples": [0.0]}]),
    "paces in a list": saved(measures=[{**ROW, "paces": [1.0]}]),
    "a pace of texts": saved(measures=[{**ROW, "paces": {"one core": ["5"]}}]),
    "facts of texts": saved(measures=[{**ROW, "facts": {"size": "7"}}]),
    "neither better way": saved(measures=[{**ROW, "higher_is_better": 1}]),
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
def test_anything_else_is_refused_by_name(raw):
    with pytest.raises(UsageError, match=r"^run\.json: "):
        read(raw, "run.json")


def test_a_run_of_an_earlier_format_is_refused_in_one_clear_line():
    with pytest.raises(UsageError, match="saved by an earlier covey bench") as refused:
        read(saved(format="covey-bench-1"), "run.json")
    assert refused.value.hint == "save one anew with: covey bench --save FILE"


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_otherwise(raw):
    with pytest.raises(UsageError):
        read(raw, "run.json")


def test_runs_are_laid_side_by_side_where_they_measure_the_same():
    other = Report(
        {}, (Measure("work", "", "x/s", True, (2.0, 4.0, 6.0)), Measure("new", "", "s", False, (1.0,)))
    )
    (change,) = other.against(REPORT)
    assert (change.name, change.ratio) == ("work", 2.0)
    unit = Report({}, (Measure("work", "", "s", True, (1.0,)),))
    assert unit.against(REPORT) == ()


def test_runs_of_another_machine_or_size_are_told_apart():
    def run(processor, blocks, *names):
        measures = (Measure(name, "", "x/s", True, (1.0, 2.0, 3.0), {"blocks": blocks}) for name in names)
        return Report({"covey": processor, "processor": processor}, tuple(measures))

    before, now = run("small", 1_000.0, "work", "other"), run("large", 20_000.0, "work", "new")
    assert now.against(before) == ()
    assert now.apart(before) == (
        "another processor: small there, large here",
        "work is not compared: 1,000 blocks there, 20,000 here",
        "new is not compared: the saved run has none",
    )
    shown = page(now, before, ())
    assert "<p>The saved run: another processor: small there, large here</p>" in shown
    assert now.apart(now) == ()
    assert "The saved run" not in page(now, now, ())
    assert len(now.against(now)) == 2


def test_a_run_of_other_hearers_or_of_more_than_a_relay_takes_at_once_is_not_compared():
    def run(hearers, blocks):
        samples = (1.0,) * 6
        fanned = Measure("fan-out", "", "blocks/s", True, samples, {"blocks": 4_000.0, "hearers": hearers})
        return Report({}, (fanned, Measure("relayed", "", "blocks/s", True, samples, {"blocks": blocks})))

    before, now = run(8.0, 2_000.0), run(16.0, float(mesh.RELAYED))
    assert now.against(before) == ()
    assert now.apart(before) == (
        "fan-out is not compared: 8 hearers there, 16 here",
        "relayed is not compared: 2,000 blocks there, 150 here",
    )


def test_a_page_escapes_every_text_and_loads_nothing():
    hostile = "<script>alert(1)</script>\"'"
    series = tuple(float(n) for n in range(1, 101))
    measure = Measure(hostile, hostile, hostile, True, series, {hostile: 1.0}, {hostile: (1e3,)})
    slower = replace(measure, paces={hostile: (1e4,)})
    before = Report({}, (slower, MEASURE))
    report = Report({hostile: hostile}, (measure, MEASURE))
    changes = report.against(before)
    assert hostile in changes[0].doubt
    assert "<script" not in page(report, before, changes)
    shown = page(report, REPORT, ())
    assert "<script" not in shown
    assert "http" not in shown.replace("http-equiv", "")
    assert shown.count("<svg") == 3  # one for each series: two measures now, one of before
