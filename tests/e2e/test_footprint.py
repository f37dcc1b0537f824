"""A peer that waits is small: before a vendor's SDK is loaded it holds less than 60 MB."""

import os
import sys
from pathlib import Path

import pytest

from benches import startup

MOST_BYTES = 60_000_000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
@pytest.mark.parametrize("verb", ["listen", "run"])
def test_an_idle_peer_is_small(verb, tmp_path):
    words = ["listen"] if verb == "listen" else ["run", "--config", str(startup.agent_file(tmp_path))]
    environment = {**os.environ, "COVEY_HOME": str(tmp_path / "home")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    started = startup.started(words, environment)
    assert 5_000_000 < started.resident_bytes < MOST_BYTES
