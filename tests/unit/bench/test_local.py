"""What is measured of admission: which path judges, and on how many threads."""

import subprocess
import sys
from pathlib import Path

import pytest

from covey.bench import local, suite
from covey.proto.options import AdmissionOptions

JUDGES = """
import os
from covey.bench import local
arrival = local.Arrival(5)
for _ in range(3):
    arrival.forget(arrival.judge())
print(len(os.listdir("/proc/self/task")))
"""


def test_the_plain_name_is_the_default_and_the_other_says_baseline():
    plain, reference = local.admission(5, 1), local.admission(5, 1, baseline=True)
    assert (plain.name, reference.name) == ("admission-5", "admission-5-baseline")
    assert AdmissionOptions().path == "selective"
    assert f"admission by {AdmissionOptions().kernel} against 5 anchors" in plain.what
    assert "the reference's admission (ngram-h32)" in reference.what
    assert {plain.name, reference.name} <= set(suite.names())


def test_both_paths_judge_as_peers_that_have_them():
    default, reference = local.Arrival(5), local.Arrival(5, baseline=True)
    assert (default.kernel, reference.kernel) == ("words-1", "ngram-h32")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads of a process are listed on Linux")
def test_one_thread_is_one_thread():
    ended = subprocess.run([sys.executable, "-c", JUDGES], capture_output=True, text=True, check=True)
    assert ended.stdout == "1\n"
