"""`covey conform` as a user runs it: table, JSON, exit codes, a second program."""

import json
import sys
from pathlib import Path

import pytest

from tests.e2e.program import Program

CASE = {
    "label": "redundant",
    "incoming": {"focus": [1, 0]},
    "anchors": [{"focus": [1, 0]}],
    "ageSeconds": 0,
    "config": {
        "stableThreshold": 0.25,
        "guardedThreshold": 0.5,
        "temporalLambda": 0.3,
        "freshnessSeconds": 1800,
        "fieldWeights": {"focus": 1},
    },
    "expected": {"accepted": False, "decision": "redundant", "totalDrift": 0, "maxNearestDrift": 0},
}


@pytest.fixture
def covey(tmp_path: Path) -> Program:
    return Program(tmp_path / "home")


def vectors(tmp_path: Path, decision: str) -> Path:
    place = tmp_path / "vectors"
    place.mkdir(exist_ok=True)
    case = {**CASE, "expected": {**CASE["expected"], "decision": decision}}
    (place / "svaf.json").write_text(json.dumps({"cases": [case]}))
    return place


def test_the_table_and_the_exit_code_say_the_same(covey: Program, tmp_path: Path) -> None:
    good = covey("conform", "--vectors", str(vectors(tmp_path, "redundant")))
    assert good.code == 0 and "1 pass, 0 fail, 0 not covered" in good.out
    bad = covey("conform", "--vectors", str(vectors(tmp_path, "aligned")))
    assert bad.code == 1 and "expected" not in bad.err and "aligned, found redundant" in bad.out


def test_json_lists_what_failed(covey: Program, tmp_path: Path) -> None:
    found = covey("conform", "--json", "--vectors", str(vectors(tmp_path, "aligned")))
    assert found.code == 1 and not found.json["ok"]
    assert found.json["artifacts"][0]["failures"][0]["case"] == "redundant"


def test_another_program_is_tested(covey: Program, tmp_path: Path) -> None:
    adapter = f"{sys.executable} -m covey conform --serve"
    found = covey("conform", "--json", "--vectors", str(vectors(tmp_path, "redundant")), "--adapter", adapter)
    assert found.code == 0 and found.json["subject"].startswith("covey ")


@pytest.mark.parametrize(
    "words", [[], ["--vectors", "no-such-folder"], ["--serve", "--adapter", "x"], ["--vectors", "."]]
)
def test_asked_wrongly(
    covey: Program, tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    found = covey("conform", *words)
    assert found.code == 2 and found.out == "" and found.err.count("\n") in (1, 2)


def test_a_program_that_cannot_be_started(covey: Program, tmp_path: Path) -> None:
    place = str(vectors(tmp_path, "redundant"))
    found = covey("conform", "--vectors", place, "--adapter", "/no/such/program")
    assert found.code == 1 and "cannot start adapter" in found.err
