"""What covey is measured beside runs once where it is installed; what is not here is skipped by its own name.

`.ci/run` installs requirements/rivals.txt and requirements/bench.txt where there are wheels for the platform.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from benches import compression
from benches.next_step import install
from benches.rivals.pairs import RIVALS, Rival
from tests.tidy import tree

COMPARED = {"pycrdt": "bench_state.py", "loro": "bench_state.py", "numpy": "bench_judging.py"}
"""Packages of requirements/bench.in, and the bench in which each has a row of its name."""


def needs(module: str) -> None:
    """Skip the test, visibly, where a package is not installed."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed; {install('bench')}")


@pytest.fixture(scope="module")
def printed() -> str:
    """Measure covey and all of its rivals that are here, quickly, in one run; return what it prints."""
    command = [sys.executable, "-m", "benches.rivals", "--quick"]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
    assert (answer.returncode, answer.stderr) == (0, "")
    return answer.stdout


@pytest.mark.parametrize("rival", RIVALS, ids=lambda rival: rival.name)
def test_a_rival_carries_messages_between_two_processes(printed: str, rival: Rival):
    if rival.missing is not None:
        assert f"{rival.name}: skipped, {rival.missing}\n" in printed
        pytest.skip(f"{rival.name}: {rival.missing}")
    rate = re.search(rf"^{re.escape(rival.name)} +([\d,]+) messages/s ", printed, re.M)
    assert rate is not None and int(rate[1].replace(",", "")) > 0


def test_covey_is_measured_in_the_same_run(printed: str):
    assert re.search(r"^throughput +[\d,]+ blocks/s ", printed, re.M)
    took = r"its signature: [1-9]\d* µs of the hearer to check, .*, and [1-9]\d* µs of the speaker to make"
    assert re.search(took, printed)
    assert "without signatures: " in printed
    assert "node-reference: skipped, " in printed or "times the Node reference" in printed


def test_a_rival_that_is_missing_says_what_installs_it():
    package = replace(RIVALS[0], module="no_such_rival")
    command = "python -m pip install --require-hashes -r requirements/rivals.txt"
    assert package.missing == f"no_such_rival is not installed; next: {command}"
    assert (tree.ROOT / command.split()[-1]).is_file()
    program = replace(RIVALS[0], program="no-such-server")
    assert program.missing == "no-such-server is not on the path (Debian: apt install no-such-server)"


@pytest.mark.parametrize("module", COMPARED)
def test_a_package_that_a_bench_compares_with_runs_in_it(module: str):
    needs(module)
    command = [sys.executable, "-m", "pytest", f"benches/{COMPARED[module]}", "-q", "--benchmark-disable"]
    command += ["-o", "python_files=bench_*.py", "-k", f"{module} and not 100000"]
    answer = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True, timeout=110)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    last = answer.stdout.splitlines()[-1]
    assert " passed" in last and "skipped" not in last


def test_zstandard_compresses_and_gives_back():
    needs("zstandard")
    texts = [
        json.dumps({"number": number, "said": "the same words again"}).encode() for number in range(2_000)
    ]
    ways = [way for way in compression.ways(texts) if way.name.startswith("zstd ")]
    assert len(ways) == 5
    for way in ways:
        assert way.restore(way.squeeze(texts[7])) == texts[7]
