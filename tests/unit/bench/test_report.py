"""A saved run is read strictly, whoever wrote it; its page shows texts and runs none."""

import json
import re
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
    assert shown.count("<svg") == 2  # one for each measure


def test_a_page_draws_what_a_run_has_each_sample_and_the_interval():
    six = (10.0, 11.0, 12.0, 13.0, 14.0, 30.0)
    now = Measure("work", "", "x/s", True, six)
    few = Report({}, (replace(now, samples=six[:5]),))
    shown = page(Report({}, (now,)), few, ())
    (drawn,) = re.findall(r"<svg.*?</svg>", shown)
    assert (drawn.count("<circle"), drawn.count("<rect")) == (11, 1), "five samples have no interval"
    assert (">now: 6 samples<" in drawn, ">before: 5 samples<" in drawn) == (True, True)
    places = [float(at) for at in re.findall(r'<circle cx="([\d.]+)"', drawn)][:6]
    assert places == sorted(places) and 190 < places[0] < places[-1] < 880
    assert (places[1] - places[0]) * 16 == pytest.approx(places[5] - places[4], rel=0.02), "a line of figures"
    (band,) = re.findall(r'<rect x="([\d.]+)" y="4" width="([\d.]+)"', drawn)
    assert (float(band[0]), sum(map(float, band))) == (places[0], pytest.approx(places[5], abs=0.2))
    one = page(Report({}, (replace(now, samples=(7.0,)),)))
    assert one.count("<circle") == 1 and ">now: 1 sample<" in one


def test_a_page_draws_where_the_time_of_a_block_goes():
    facts = {"signed p50": 100.0, "signed p90": 200.0, "signed p99": 1_000.0, "blocks": 600.0}
    facts |= {"<b> p50": 0.0, "<b> p90": 10.0, "<b> p99": 10_000.0, "half p50": 3.0}
    facts |= {f"nothing {word}": -1.0 for word in ("p50", "p90", "p99")}
    aged = Measure("latency", "", "µs", False, (5.0,) * 6, facts)
    shown = page(Report({}, (aged,)))
    _, way = re.findall(r"<svg.*?</svg>", shown)
    assert way.count("<circle") == 6
    assert (">signed<" in way, ">&lt;b&gt;<" in way, "half" in way, "nothing<" in way) == (
        True,
        True,
        False,
        False,
    )
    signed = [float(at) for at in re.findall(r'<circle cx="([\d.]+)"', way)][:3]
    tens = dict(re.findall(r'<text x="([\d.]+)"[^>]*middle[^>]*>([\d,]+)<', way))
    places = {said: float(at) for at, said in tens.items()}
    assert list(places) == ["10", "100", "1,000", "10,000"]
    assert (signed[0], signed[2]) == (places["100"], places["1,000"])
    assert "signed p50" not in shown and "blocks 600, half p50 3" in shown


FIGURES = st.floats(1e-9, 1e15)


@given(
    st.lists(FIGURES, min_size=1, max_size=200),
    st.dictionaries(st.sampled_from(["a p50", "a p90", "a p99"]), st.floats(-1e15, 1e15)),
)
def test_a_page_is_drawn_of_whatever_a_saved_run_says(samples, facts):
    measure = Measure("work", "", "x/s", True, tuple(samples), facts)
    shown = page(Report({}, (measure,)))
    assert shown.count("<circle") - len(samples) in (0, 3)
    assert "nan" not in shown and "inf" not in shown
