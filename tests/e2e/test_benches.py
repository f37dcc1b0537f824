"""The benches run, each once and with the equalities they assert; their table says what was measured."""

import json
import multiprocessing
import re
import shutil
import subprocess
import sys

import pytest

from benches import ask, compression, curation, loopback, soak, table, whose_time
from benches.rivals import signature, stock
from benches.targets.parts import PARTS
from covey import limits
from covey.bench import pace
from covey.bench.stats import Measure
from tests.tidy import tree

FORKS = pytest.mark.skipif(
    multiprocessing.get_start_method(allow_none=False) != "fork", reason="a changed bound reaches forks only"
)


def test_every_bench_runs_once():
    command = [
        sys.executable,
        "-m",
        "pytest",
        "benches",
        "-q",
        "--benchmark-disable",
        "-o",
        "python_files=bench_*.py",
        "-k",
        "not 100000",  # a size is a parameter: the same lines run at a tenth of it, in a tenth of the time
    ]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert " passed" in answer.stdout.splitlines()[-1]


def test_the_table_shows_medians_per_record_and_ratios():
    report = {
        "benchmarks": [
            {"group": "sign", "name": "PyNaCl", "stats": {"median": 0.004}, "extra_info": {"records": 10}},
            {"group": "sign", "name": "covey", "stats": {"median": 0.0002}, "extra_info": {}},
            {"group": "store", "name": "covey", "stats": {"median": 5e-8}, "extra_info": {"records": 1}},
        ]
    }
    shown = list(table.lines(table.figures(report)))
    assert shown[1:] == [
        "sign",
        f"  {'covey':32} {'200 µs':>12} {'5,000':>12}",
        f"  {'PyNaCl':32} {'400 µs':>12} {'2,500':>12}   2.00 x covey's time",
        "store",
        f"  {'covey':32} {'50 ns':>12} {'20,000,000':>12}",
    ]


@pytest.mark.parametrize("how", ["--heard", "--many", "--signed"])
def test_two_peers_on_loopback_are_measured(how):
    command = [sys.executable, "-m", "benches.loopback", "--blocks", "600", how]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
    assert answer.returncode == 0, answer.stderr
    assert "blocks a second" in answer.stdout
    assert "full text: " in answer.stdout


@pytest.mark.parametrize(
    ("bench", "words", "says"),
    [
        ("loopback", ["--blocks", "0"], "--blocks: at least 1"),
        ("loopback", ["--blocks", "-3", "--signed"], "--blocks: at least 1"),
        ("footprint", ["--peers", "0"], "--peers: at least 1"),
        ("footprint", ["--blocks", "-1"], "--blocks: at least 10"),
        ("footprint", ["--blocks", "5"], "--blocks: at least 10"),
        ("footprint", ["--soak", "3"], "--soak: at least 10 blocks"),
    ],
)
def test_sizes_that_measure_nothing_are_refused(bench, words, says):
    command = [sys.executable, "-m", f"benches.{bench}", *words]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
    assert answer.returncode == 2, answer.stderr
    assert says in answer.stderr


@FORKS
def test_a_soak_runs_to_its_end_and_says_when_it_is_too_short(capsys: pytest.CaptureFixture[str]):
    assert soak.soak(300) == 0
    out = capsys.readouterr().out
    assert len(re.findall(r"after +300 blocks [\d.]+ MB, 300 held", out)) >= 1
    assert "soak: too few blocks to say: 500,000 at least" in out


@FORKS
def test_a_full_queue_is_counted_paced_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(limits, "OUTLET_RECORDS", 32)
    monkeypatch.setattr(sys, "argv", ["loopback", "--blocks", "300"])
    assert loopback.main() == 0
    assert re.search(r"blocks a second .* [\d,]+ more refused as the hearer stalled", capsys.readouterr().out)


@FORKS
def test_a_bench_that_cannot_end_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(limits, "OUTLET_RECORDS", 0)
    monkeypatch.setattr(loopback, "QUIET_SECONDS", 1.0)
    monkeypatch.setattr(sys, "argv", ["loopback", "--blocks", "300"])
    assert loopback.main() == 1
    assert "no figure: the hearer admitted 0 of 300, then nothing came" in capsys.readouterr().err


@FORKS
def test_a_meeting_that_one_look_sees_all_of_has_a_rate(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loopback, "LOOK_SECONDS", 2.0)
    got = loopback.measured(loopback.Plan(20))
    assert got.blocks == 20 and 0.0 < got.seconds < 60.0
    assert got.rate == 20 / got.seconds


def test_loopback_parts_the_processor_time_at_the_last_block():
    got = loopback.measured(loopback.Plan(300, how="signed"))
    assert got.said == 300 and 0 < got.blocks <= 300
    for each in (got.hearer, got.speaker):
        assert each.cpu_seconds > 0.0 and each.drain_cpu_seconds >= 0.0 and each.lag >= 0
    both = got.hearer.cpu_seconds + got.speaker.cpu_seconds
    assert got.bound == pytest.approx(2 * 300 / both)
    first, second = loopback.beside(got)
    assert f"two cores that never wait allow {got.bound:,.0f} a second" in first
    assert f"full text: {got.hearer.lag:,} blocks behind at the last one" in second


@pytest.mark.timeout(240)  # everything there is, one after another, also on a busy machine
def test_every_target_has_a_row_and_says_what_became_of_it(tmp_path):
    command = [sys.executable, "-m", "benches.targets", "--quick", "--json", str(tmp_path / "targets.json")]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=230)
    rows = json.loads((tmp_path / "targets.json").read_text())["rows"]
    assert [row for row in rows if row["state"].startswith("failed")] == []
    assert (answer.returncode, answer.stderr) == (0, "")
    assert {row["part"] for row in rows} == {part.name for part in PARTS}
    states = {"met", "NOT MET", "unsure", "beside", "skipped"}
    assert {row["state"].partition(": ")[0] for row in rows} <= states
    assert all(row["figure"] is not None or row["state"].startswith("skipped: ") for row in rows)
    paces = [
        row for row in rows if row["figure"] is not None and row["unit"] in ("blocks/s", "ms", "µs", "s")
    ]
    assert len(paces) > 15 and all(row["ratio"] > 0.0 for row in paces), "each beside the strict check"
    assert "so two cores allow at most " in answer.stdout
    assert "the way with nothing in it, p50: " in answer.stdout
    assert "recall: 500 blocks, a peer that listens is ready: skipped: --long" in answer.stdout


def test_targets_list_their_parts_and_refuse_others():
    for words, code in ((["--list"], 0), (["--only", "fame"], 2), (["--rounds", "0"], 2)):
        command = [sys.executable, "-m", "benches.targets", *words]
        answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
        assert answer.returncode == code, answer.stderr
        assert all(part.name in answer.stdout + answer.stderr for part in PARTS) or "--rounds" in words


@pytest.mark.skipif(shutil.which("nats-server") is None, reason="no nats-server here (Debian: nats-server)")
def test_every_frame_over_the_kill_of_a_relay_is_accounted_for():
    pytest.importorskip("nats", reason="the extra covey[backplane] is not installed")
    command = [sys.executable, "-m", "benches.relay_cluster", "--clients", "8"]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "one relay killed: 4 clients back and reached after " in answer.stdout
    found = re.search(r"([\d,]+) frames sent, ([\d,]+) delivered \(0 twice\)", answer.stdout)
    assert found is not None, answer.stdout
    sent, delivered = (int(each.replace(",", "")) for each in found.groups())
    assert 0 < delivered <= sent
    assert ", 0 between two that it did not serve" in answer.stdout


def test_compression_is_measured_on_the_bytes_of_the_wire(capsys: pytest.CaptureFixture[str]):
    assert compression.main(["--blocks", "96"]) == 0  # it asserts that it packs what the wire does
    shown = capsys.readouterr().out
    assert shown.count("deflate 1") == 2 * len(compression.BATCHES)
    assert "loopback: 96 blocks" in shown and "admission: 96 blocks" in shown


def test_memory_is_filled_started_and_asked():
    command = [sys.executable, "-m", "benches.memory", "--blocks", "500", "--rounds", "2"]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("p99") == 26 and "500 blocks" in answer.stdout
    ready = re.search(
        r"covey listen on it: ready ([\d.]+) s after its start, ([\d.]+) the longest of 5", answer.stdout
    )
    assert ready and 0.0 < float(ready.group(1)) <= float(ready.group(2))


def test_a_wake_is_measured_with_and_without_a_tool():
    for words, says in (([], "one round"), (["--tools", "--busy"], "two rounds and a tool")):
        command = [sys.executable, "-m", "benches.wake", "--wakes", "5", *words]
        answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
        assert answer.returncode == 0, answer.stderr
        assert f"beyond the model, {says}: " in answer.stdout


def test_a_door_is_measured_with_its_streams():
    command = [sys.executable, "-m", "benches.door", "--requests", "20", "--streams", "40"]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
    assert answer.returncode == 0, answer.stderr
    assert "the door's part: p50 " in answer.stdout and "40 streams at once: " in answer.stdout


def test_what_a_signature_is_of_a_block_is_taken_off_the_end_that_pays_it():
    costs = {signature.FAMILIAR: 17.0, signature.UNKNOWN: 33.0, signature.SIGN: 12.0}
    found = {name: Measure(name, "", "signatures/s", True, (1e6 / us,)) for name, us in costs.items()}
    both, after, each, without = signature.arithmetic(
        found, signature.Spent(95.0, 85.0, 75.0, (6_560.0, 31.0))
    )
    assert after.startswith("not in it: the full text of 6,560 blocks at the hearer and 31 at the speaker")
    assert both.endswith(
        "85 µs at the hearer and 75 at the speaker: two cores that never wait allow 12,500 blocks/s"
    )
    assert "17 µs of the hearer to check, whose author it hears often (20%; 33 under an unknown key)" in each
    assert each.endswith("12 µs of the speaker to make (16%)")
    assert without.startswith("without signatures: 68 µs of the hearer and 63 of the speaker; ")
    assert without.endswith("would allow 15,267 blocks/s")
    for spent in (signature.Spent(54.0, 16.0, 75.0), signature.Spent(54.0, 85.0, 11.0)):
        assert signature.arithmetic(found, spent)[-1].startswith("without signatures: no answer: ")


def test_a_familiar_authors_check_is_the_cheaper_one():
    found = signature.rates(9)
    assert found[signature.FAMILIAR] > 1.2 * found[signature.UNKNOWN], (
        "the hearer has a table for this author"
    )
    assert found[signature.SIGN] > 0.0


def test_a_sample_of_a_signature_is_a_process():
    found = list(signature.measured(2, 1))
    assert [each.name for each in found] == list(signature.WHAT)
    for each in found:
        assert len(each.samples) == 2 and each.samples[0] != each.samples[1]
        assert len(each.paces[pace.CORE]) == 3, "how fast the machine is, before and after each"


def test_the_node_reference_is_skipped_where_it_is_not_and_compared_in_turns(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(stock.shutil, "which", lambda _: "/usr/bin/node")
    monkeypatch.delenv(stock.NAMED, raising=False)
    assert stock.main([]) == 0
    assert "node-reference: skipped, set COVEY_NODE_REFERENCE" in capsys.readouterr().out
    monkeypatch.setenv(stock.NAMED, str(tmp_path))
    assert stock.main([]) == 0
    assert "node-reference: skipped, COVEY_NODE_REFERENCE: no lib/node.js" in capsys.readouterr().out
    reference = [100.0, 200.0, 300.0, 100.0, 200.0, 300.0]
    rates = {form: [65 * each for each in reference[:5]] + [12_000.0] for form in stock.FORMS}
    sides = stock.Sides(reference, rates)
    said = dict(line.split(": ", 1) for line in sides.ratios())
    assert said["standard"] == "65 times the Node reference (40 to 65); 60 is the aim: met"
    assert said["compact"] == "65 times the Node reference (40 to 65); 75 is the aim: not met"
    assert "(100 to 300)" in sides.lines()[0]
    few = stock.Sides(reference[:5], {form: rates[:5] for form, rates in rates.items()})
    assert all(line.endswith(": unsure") and "(" not in line for line in few.ratios())
    assert "(" not in few.lines()[0]
    assert stock.ROUNDS >= stock.LEAST_SAMPLES


def test_whose_time_a_sample_is_follows_from_the_line_that_ran(monkeypatch, capsys):
    hears = 'process 7:"x";thread (7);Node.link_data (covey/runtime/node.py:1);'
    speaks = 'process 8:"x";thread (8);'
    raw = (
        f"{hears}Admission.judge (covey/proto/admission.py:9) 30\n"
        f"{hears}Reception._tell (covey/proto/reception.py:9) 5\n"
        f"{hears}Condition.wait (threading.py:9) 900\n"
        f"{hears}_find_and_load (<frozen importlib._bootstrap>:1);exec (x.py:1) 900\n"
        f"{speaks}Emission._take (covey/proto/emission.py:3);mint (covey/proto/emission.py:4) 7\n"
        f"{speaks}Emission._take (covey/proto/emission.py:3) 2\n"
        'process 9:"x";thread (9);main (x.py:1) 900\n'
    )
    counted = whose_time.shares(raw)
    assert counted == {"hearer": {"check and judge": 30, "Python": 5}, "speaker": {"sign": 7, "Python": 2}}
    monkeypatch.setattr(whose_time.shutil, "which", lambda _: None)
    assert whose_time.main([]) == 0
    assert "skipped, py-spy is not on the path" in capsys.readouterr().out


def test_what_python_runs_for_a_block_alone_is_counted_for_each_half():
    command = [sys.executable, "-m", "benches.turns", "60", "--calls"]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
    assert (answer.returncode, answer.stderr) == (0, "")
    rows = re.findall(r"^(\w+) a block alone: (\d+) calls, (\d+) µs of the processor$", answer.stdout, re.M)
    assert [name for name, _, _ in rows] == ["speaking", "hearing"]
    assert 50 < int(rows[1][1]) < 190, "it was 254 before each step was looked at: what has come back?"
    assert re.search(r"^ +1\.00 C Intake\.evaluate$", answer.stdout, re.M), "one block, one turn"


def test_curation_keeps_what_a_reader_needs_for_a_fraction_of_the_tokens():
    cases = [curation.case(number, 40) for number in range(25)]
    rows = {(row.way, row.budget): row for row in curation.measure(cases, [500])}
    everything, newest = rows["everything", 0], rows["newest, whole", 500]
    kept = rows["curated", 500]
    assert everything.answered == 1.0
    assert kept.answered >= 0.8 and kept.answered > 3 * newest.answered
    assert kept.tokens <= 500 < everything.tokens / 4


def test_a_question_to_a_room_is_measured(capsys):
    assert (
        ask.main(["--blocks", "60", "--peers", "1", "--looks", "3", "--questions", "2", "--pause", "0"]) == 0
    )
    assert "to 2 questions" in capsys.readouterr().out


def test_the_index_by_its_slices_has_a_line_for_each():
    command = [sys.executable, "-m", "benches.index", "--blocks", "512", "--rounds", "1"]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
    assert (answer.returncode, answer.stderr) == (0, "")
    rows = re.findall(r"slices of +(\d+), merged (with|in) the \w+ *: +[\d.]+ µs a block", answer.stdout)
    assert rows == [(each, how) for each in ("32", "64", "128", "256", "512") for how in ("with", "in")]


def test_the_way_with_nothing_in_it_has_a_line_for_each_station():
    command = [sys.executable, "-m", "benches.bare", "--pace", "500", "--seconds", "1"]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
    assert (answer.returncode, answer.stderr) == (0, "")
    medians = {
        name.strip(): float(at) for name, at in re.findall(r"^  (.+?) +p50 +([\d.]+)", answer.stdout, re.M)
    }
    assert set(medians) == {"kept", "read", "delivered", "disk", "disk rested"}
    assert 0.0 < medians["kept"] <= medians["read"] <= medians["delivered"]


def test_the_way_with_nothing_in_it_says_what_is_too_short():
    command = [sys.executable, "-m", "benches.bare", "--seconds", "0.01"]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
    assert answer.returncode == 2
    assert "more than 100 blocks" in answer.stderr
