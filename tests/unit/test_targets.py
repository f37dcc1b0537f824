"""The report of targets: what is met, what stands beside, and a failed part told from one that is skipped."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from benches import loopback
from benches.rivals import stock
from benches.targets import __main__ as program
from benches.targets import floor, native, others, pair, parts, state
from benches.targets.rows import Aim, Row, beside_check, document, has_check, lines, summary, table
from benches.targets.sizes import Sizes

JUDGED = ("judged by the baseline", "covey's own admission")
TIME = "\n".join(
    [
        "stage          us/block  rate to a check",
        "check            33.123            1.000",
        "familiar         17.000            1.948",
        "own-open-c1       1.500           22.082",
        *(
            f"everything but the signature, {form}, {judged}: {us + more:.2f} us a block"
            for judged, more in zip(JUDGED, (0.0, 2.0), strict=True)
            for form, us in (("envelopes", 8.7), ("compact batches", 7.2), ("version 2", 7.3))
        ),
        *(
            f"native intake, {form}, {judged}: unknown authors 0.80 of the rate of strict checks on one "
            f"core; a familiar author 0.66 of the rate of checks under its own key, {mixed} of that of "
            f"strict checks; two cores {gain} times one, where two intakes with nothing in common make {most}"
            for judged in JUDGED
            for form, mixed, gain, most in (
                ("envelopes", 1.47, 1.46, 1.87),
                ("compact batches", 1.57, 1.60, 1.90),
                ("version 2", 1.56, 1.62, 2.00),
            )
        ),
    ]
)
WIDTH = """1000 held blocks of 7 x 384 numbers: 113.0 us a block to judge
one pass over as many numbers of 32 bits: 432.0 us; ratio 0.26
"""


@pytest.mark.parametrize(
    ("kind", "figure", "met"),
    [
        ("at least", 20.0, True),
        ("at least", 19.9, False),
        ("under", 20.0, False),
        ("under", 19.9, True),
        ("at most", 20.0, True),
        ("at most", 20.1, False),
    ],
)
def test_an_aim_is_met_or_not(kind, figure, met):
    assert Aim(kind, 20.0).met(figure) is met
    assert Row("a", "b", "ms", (figure,), Aim(kind, 20.0)).state == ("met" if met else "NOT MET")


def test_the_middle_of_several_decides():
    row = Row("loopback", "compact", "blocks/s", (21_000.0, 12_000.0, 19_000.0), Aim("at least", 20_000.0))
    assert (row.figure, row.state) == (19_000.0, "NOT MET")
    (said,) = lines(row)
    head, _, tail = said.partition("; ")
    assert head == "loopback: compact: 19,000 blocks/s (12,000 to 21,000 of 3)"
    assert tail == "aim at least 20,000 (0.95 of it): NOT MET"


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (100.4, "p: w: 100.4 MB; aim under 100 (1 of it): NOT MET"),
        (99.96, "p: w: 99.96 MB; aim under 100 (1 of it): met"),
        (101.4, "p: w: 101 MB; aim under 100 (1.01 of it): NOT MET"),
    ],
)
def test_a_figure_close_to_its_aim_shows_on_which_side_it_is(figure, said):
    assert list(lines(Row("p", "w", "MB", (figure,), Aim("under", 100.0)))) == [said]


def test_few_rounds_beside_the_node_reference_decide_nothing(monkeypatch):
    def sides(*, quick: bool, rounds: int) -> stock.Sides:
        return stock.Sides([100.0] * rounds, {form: [20_000.0] * rounds for form in stock.FORMS})

    monkeypatch.setattr(stock, "missing", lambda: None)
    monkeypatch.setattr(stock, "measured", sides)
    few = list(others.reference(Sizes(rounds=5)))
    assert [row.state for row in few] == ["beside", *["unsure"] * len(stock.FORMS)]
    assert next(iter(lines(few[1]))).endswith(
        "200 times the Node reference (200 to 200 of 5); aim at least 60 (3.33 of it): unsure"
    )
    assert few[1].notes[0].endswith("too few rounds for an interval, and to decide: 6 do")
    assert summary(few) == f"{len(stock.FORMS)} unsure, 1 beside"
    assert [row["state"] for row in document(few)["rows"]] == [row.state for row in few]
    assert {row.state for row in others.reference(Sizes(quick=True))} == {"beside", "unsure"}
    assert {row.state for row in others.reference(Sizes())} == {"beside", "met"}, (
        "as many as decide, unless told"
    )
    assert (Sizes().turns, Sizes(rounds=4).turns, Sizes(rounds=4).deciding) == (3, 4, 4)


def test_rates_and_times_stand_beside_a_strict_check_and_others_do_not():
    rate, age = Row("p", "w", "blocks/s", (20_000.0,)), Row("p", "w", "ms", (1.0,))
    assert beside_check(rate, 25e-6).ratio == pytest.approx(0.5)
    assert beside_check(age, 25e-6).ratio == pytest.approx(40.0)
    named = Row("p", "w", "µs", (8.0,), None, 0.25, "a strict check of the same rounds")
    held, skipped = Row("p", "w", "MB", (40.0,)), Row("p", "w", "ms", skipped="why")
    assert [has_check(row) for row in (rate, age, named, held, skipped)] == [True, True, False, False, False]


def test_what_has_no_figure_says_why_and_is_counted():
    skipped, failed = (
        Row("soak", "growth", skipped="--long"),
        Row("merge", "state", failed="StuckError: no end"),
    )
    assert [*lines(skipped), *lines(failed)] == [
        "soak: growth: skipped: --long",
        "merge: state: failed: StuckError: no end",
    ]
    rows = [skipped, failed, Row("p", "w", "MB", (4.9,), Aim("under", 6.0)), Row("p", "w", "MB", (4.9,))]
    assert summary(rows) == "1 met, 1 beside, 1 skipped, 1 failed"
    kept = json.loads(json.dumps(document(rows, quick=True)))
    assert (kept["format"], kept["quick"]) == ("covey-targets-1", True)
    assert [(row["figure"], row["state"]) for row in kept["rows"]] == [
        (None, "skipped: --long"),
        (None, "failed: StuckError: no end"),
        (4.9, "met"),
        (4.9, "beside"),
    ]


def test_a_part_that_fails_is_a_row_and_ends_the_report_with_1(monkeypatch, capsys):
    def fails(_: Sizes) -> Iterator[Row]:
        yield Row("bad", "first", "ms", (1.0,))
        raise OSError("no such file")

    def works(_: Sizes) -> Iterator[Row]:
        yield Row("good", "all", "MB", (50.0,), Aim("under", 40.0))

    found = [parts.Part("bad", "what fails", fails), parts.Part("good", "what works", works)]
    for module in (parts, program):
        monkeypatch.setattr(module, "check_seconds", lambda _: 20e-6)
    monkeypatch.setattr(program, "PARTS", found)
    assert program.main([]) == 1
    out = capsys.readouterr().out
    assert "bad: first: 1 ms; 50 times a strict check: beside" in out
    assert "bad: what fails: failed: OSError: no such file" in out
    assert "good: all: 50 MB; aim under 40 (1.25 of it): NOT MET" in out
    assert program.main(["--only", "good"]) == 0, "a report: an aim that is not met does not fail it"


def test_what_the_native_examples_print_is_read_or_refused():
    found = native.ways(TIME)
    assert tuple(found) == tuple((form, judged) for judged in native.JUDGED for form in native.FORMS)
    assert found["envelopes", JUDGED[0]] == native.Way(8.7, 0.80, 0.66, 1.47, 1.46, 1.87)
    assert found["compact batches", JUDGED[1]].rest_us == 9.2
    assert native.stages(TIME) == {"check": 33.123, "familiar": 17.0, "own-open-c1": 1.5}
    assert native.width(WIDTH) == (113.0, 432.0, 0.26)
    with pytest.raises(native.UnreadableError, match="expected the figures of envelopes"):
        native.ways(TIME.replace("native intake, version 2", "native intake, v2"))
    with pytest.raises(native.UnreadableError, match="one pass over memory"):
        native.width("panicked")


def test_intake_is_held_like_against_like_and_says_who_judged():
    rows = list(
        native.held(
            "envelopes, judged by the baseline",
            native.ways(TIME)["envelopes", JUDGED[0]],
            native.stages(TIME),
        )
    )
    assert {row.what: (row.figure, row.state) for row in rows} == {
        "envelopes, judged by the baseline, unknown authors": (0.80, "met"),
        "envelopes, judged by the baseline, a familiar author": (0.66, "beside"),
        "envelopes, judged by the baseline, two cores": (1.46, "NOT MET"),
        "envelopes, judged by the baseline, everything but the signature": (8.7, "NOT MET"),
    }
    (parts,) = rows[1].notes
    assert "a check under its own key takes 17.0 µs, 0.51 of a strict one, and everything else 8.7" in parts
    assert "which makes 0.66; beside strict checks under unknown keys, which is not alike, 1.47" in parts
    assert rows[0].unit.startswith("of strict checks") and rows[1].unit.startswith(
        "of checks under its own key"
    )


def test_anchors_are_also_held_against_the_bytes_they_really_read(monkeypatch):
    monkeypatch.setattr(native, "missing", lambda *_: "")
    monkeypatch.setattr(native, "ran", lambda *_: WIDTH)
    (row,) = native.anchors(Sizes())
    assert (row.figure, row.state) == (0.26, "met")
    assert row.notes[1].startswith(
        "it reads 0.52 MB itself, of 8 bits: at the pass's pace that takes 20.9 µs, "
    )
    assert row.notes[1].endswith("and this 5.4 times that")


def test_native_code_is_skipped_with_the_next_step(monkeypatch, tmp_path):
    assert "leave --quick out" in native.missing("hotpath", Sizes(quick=True))
    monkeypatch.setattr(native.shutil, "which", lambda _: None)
    assert "cargo is not on the path" in native.missing("hotpath", Sizes())
    monkeypatch.setattr(native.shutil, "which", lambda _: "/usr/bin/cargo")
    monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path))
    assert native.missing("hotpath", Sizes()) == f"not built; next: {native.STEP}"
    built = tmp_path / "release" / "examples" / "hotpath"
    built.parent.mkdir(parents=True)
    built.touch()
    assert native.missing("hotpath", Sizes()) == ""


def test_loopback_says_the_bound_of_both_processors_and_the_index_apart():
    got = loopback.Measured(
        19_000, 0.7, 0.07, 0, 20_000, loopback.Work(1.1, 0.06, 6_560), loopback.Work(0.5, 0.0, 0)
    )
    assert (got.both_us, got.bound) == (pytest.approx(80.0), pytest.approx(25_000.0))
    bound, above, after = pair.notes([got])
    assert bound == (
        "both peers' processor time is 80.0 µs a block (25.0 of the speaker, 55.0 of the hearer), "
        "so two cores allow at most 25,000 a second"
    )
    assert "the rate is above it" in above
    assert after.startswith("not in it: 0.0 and 3.0 µs a block for the full text") and "6,560 blocks" in after


def test_the_floor_adds_up_what_both_ends_have_to_do():
    hears = {
        "own-open": 4.0,
        "own-open-c2": 5.0,
        "familiar": 16.0,
        "encode": 2.0,
        "settle": 1.5,
        "hear": 11.0,
    }
    says = {"own-address": 2.0, "own-sign": 14.0, "own-seal": 3.0, "own-seal-c2": 1.0, "own": 12.0}
    took = {**hears, **says, "words-read": 2.5, "own-settle": 3.5, "words-4096": 28.0}
    live = floor.floor(took, "standard", live=True, judging="judged by the baseline against 5")
    assert (sum(live.speaker.values()), sum(live.hearer.values())) == (31.0, 4.0 + 2.0 + 16.0 + 3.5 + 11.0)
    assert live.rate == pytest.approx(2e6 / 67.5)
    said = floor.floor(took, "compact", live=False, judging="covey's own admission against 4,096")
    assert (sum(said.speaker.values()), sum(said.hearer.values())) == (13.0, 5.0 + 16.0 + 30.5 + 11.0)
    assert "address" not in said.hearer, "opening computes the addresses in version 2"
    speaker, hearer, left = floor.told(said, 6.0, 30_000.0)
    assert speaker == "speaker 13.0 µs: seal 1.0 + row 12.0"
    assert hearer.startswith("hearer 62.5 µs: open, parse and address 5.0 + check, a familiar author 16.0")
    assert left.startswith(
        "30,000 a second leave -8.8 µs of both cores a block for Python, system calls and waiting"
    )


def test_the_floor_is_skipped_with_the_next_step(monkeypatch, tmp_path):
    monkeypatch.setattr(native, "missing", lambda *_: "")
    monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path))
    (row,) = floor.rows(Sizes())
    assert row.state == f"skipped: not built; next: {floor.STEP}"


def test_loopback_is_printed_once_more_as_the_table_of_the_results():
    got = loopback.Measured(
        19_000, 0.7, 0.07, 0, 20_000, loopback.Work(1.1, 0.06, 6_560), loopback.Work(0.5, 0.0, 0)
    )
    row = Row("loopback", "compact, live", "blocks/s", (27_143.0,), Aim("at least", 30_000.0), 0.7, "checks")
    row = replace(row, cells=pair.cells([got]))
    head, rule, line = table([row, Row("wheel", "x86", "MB", (4.9,))])
    assert head.count("|") == rule.count("|") == line.count("|")
    assert "index behind at the last" in head and "all there after" in head
    assert line == "| compact, live | 27,143 | 0.7 | 25.0 + 55.0 | 25,000 | 6,560 | 0.07 s | 30,000 |"
    assert list(table([Row("wheel", "x86", "MB", (4.9,))])) == []


def test_every_profile_has_its_aim_by_how_it_is_said():
    aims = {(profile, how): pair.aim(profile, how) for profile, how, _ in pair.plans(Sizes())}
    assert aims == {
        ("standard", "each"): 15_000,
        ("standard", "many"): 15_000,
        ("standard", "signed"): 20_000,
        ("compact", "each"): 20_000,
        ("compact", "many"): 20_000,
        ("compact", "signed"): 30_000,
    }


def test_merges_are_held_against_each_rival_by_name():
    def bench(name: str, median: float, size: float | None) -> dict[str, object]:
        extra = {"records": 10, "size": size}
        return {"group": "merge 10", "name": name, "stats": {"median": median}, "extra_info": extra}

    report = {
        "benchmarks": [
            bench("covey", 1e-6, 114.0807),
            bench("pycrdt, 114.0 B each", 33e-6, 113.99),
            bench("plain dict with vector clocks", 14e-6, None),
        ]
    }
    ways = state.merged(report)["merge 10"]
    rows = {row.what: row for row in state.held("merge 10", ways)}
    found = {what: (row.figure, row.state) for what, row in rows.items()}
    assert found["merge 10 beside pycrdt, 114.0 B each"] == (pytest.approx(33.0), "met")
    assert found["merge 10 beside plain dict with vector clocks"] == (pytest.approx(14.0), "NOT MET")
    assert list(lines(rows["merge 10, encoded"])) == [
        "merge: merge 10, encoded: 114.081 bytes an entry; aim at most 113.99 (1 of it): NOT MET",
        "    +0.09 beside pycrdt's, which signs nothing: covey's has what signs its flushes in it",
    ]
    smaller = [way._replace(size=113.98) if way.who == "covey" else way for way in ways]
    assert [row.state for row in state.sizes_held("merge 10", smaller)] == ["met"]
    alone = [way for way in ways if way.who == "covey"]
    assert [row.state for row in state.sizes_held("merge 10", alone)] == ["beside"]
