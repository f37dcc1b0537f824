"""How long short commands take, how long until a peer is ready, and how much memory it holds then.

`python -m benches.startup`. Ready means: it listens for peers and answers on its control socket. Multicast
registration, over a second, is not waited for. The time is that of a user: from starting the program to its
first line, and for short commands to their end. The interpreter's own start stands beside them.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 10
SHORT_ROUNDS = 30
SHORT = (
    ("covey --version", ["-m", "covey", "--version"], 60),
    ("covey --help", ["-m", "covey", "--help"], 60),
    ("covey status, of a running peer", ["-m", "covey", "status", "bench"], 100),
    ("covey completion words", ["-m", "covey", "completion", "words", "--", "status", "b"], 100),
    ("python -c pass", ["-c", "pass"], None),
)
"""What is measured, its words, and what it should stay under, in milliseconds."""
AGENT = '[identity]\nname = "bench"\nrole = "generic"\n[mesh]\n[model]\nadapter = "scripted"\n'
RULE = '[[scripted.rules]]\nwhen = { author = "nobody" }\nemit = { focus = "heard" }\n'


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a peer: seconds to its first line, and resident memory then, in bytes."""

    seconds: float
    resident_bytes: int


def started(words: Sequence[str], environment: Mapping[str, str]) -> Start:
    """Start a command, wait for its first line, look at its memory, end it."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "covey", *words],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        seconds = time.perf_counter() - began
        assert process.poll() is None, line
        return Start(seconds, resident_bytes(process.pid))
    finally:
        process.terminate()
        process.communicate(timeout=20)


def ended(words: Sequence[str], environment: Mapping[str, str]) -> float:
    """Run a command to its end; return the seconds it took."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], env=dict(environment), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def short_lines(environment: Mapping[str, str], run: Sequence[str]) -> Iterator[str]:
    """Yield a line for each short command, while the peer they ask runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "covey", *run],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()
        for what, words, bound in SHORT:
            times = sorted(ended(words, environment) * 1_000 for _ in range(SHORT_ROUNDS))
            kept = "" if bound is None else f", to stay under {bound} ms"
            median = f"{statistics.median(times):.0f} ms (median of {SHORT_ROUNDS}, best {times[0]:.0f})"
            yield f"{what}: {median}{kept}"
    finally:
        process.terminate()
        process.communicate(timeout=20)


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process (Linux)."""
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(row.split()[1]) * 1024 for row in rows if row.startswith("VmRSS:"))


def agent_file(folder: Path) -> Path:
    """Write the configuration of an agent that needs no model."""
    path = folder / "agent.toml"
    path.write_text(AGENT + RULE)
    return path


def main() -> int:
    """Measure short commands and both kinds of peer, and print a line for each."""
    with tempfile.TemporaryDirectory() as name:
        environment = {**os.environ, "COVEY_HOME": str(Path(name) / "home")}
        run = ["run", "--config", str(agent_file(Path(name)))]
        for line in short_lines(environment, run):
            print(line)
        for what, words in (("covey listen", ["listen"]), ("covey run", run)):
            starts = [started(words, environment) for _ in range(ROUNDS)]
            seconds = statistics.median(start.seconds for start in starts)
            memory = max(start.resident_bytes for start in starts)
            ready = f"ready in {seconds * 1000:.0f} ms (median of {ROUNDS})"
            print(f"{what}: {ready}, {memory / 1e6:.0f} MB resident")
    return 0


if __name__ == "__main__":
    sys.exit(main())
