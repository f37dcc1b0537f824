"""How long short commands take, how long until a peer is ready, and how much memory it holds then.

`python -m benches.startup [--quick]`. Ready means: it listens for peers and answers on its control socket.
Multicast registration, over a second, is not waited for; memory is looked at then, and again when multicast
is there (zeroconf loaded, its names registered), as it stays. The time is that of a user: from starting the
program to its first line, and for short commands to their end. The interpreter's own start stands beside
them. On a busy machine the processor time is steadier than the time. Set no PYTHONDONTWRITEBYTECODE, or every
start compiles.
`--quick` takes one of each and waits for nothing: it says that all of it runs.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SHORT = (
    ("covey --version", ["-m", "covey", "--version"], 60),
    ("covey --help", ["-m", "covey", "--help"], 60),
    ("covey status, of a running peer", ["-m", "covey", "status", "bench"], 100),
    ("covey completion words", ["-m", "covey", "completion", "words", "--", "status", "b"], 100),
    ("python -c pass", ["-c", "pass"], None),
)
"""What is measured, its words, and what it should stay under, in milliseconds."""
IMPORTS = (("import covey", 40), ("from covey import Peer", None))
PARTS = {
    "asyncio and ssl": ("asyncio", "ssl", "_ssl", "socket", "_socket"),
    "uvloop": ("uvloop",),
    "native core": ("covey._core",),
}
"""What an import is made of, by the packages that come with each."""
COVEY, OTHER = "covey's Python", "other libraries"
READY_MS, IDLE_MB = 300, 40
"""What a start should stay under: milliseconds until ready, and megabytes of an idle peer."""
SETTLED_SECONDS = 5.0
"""Multicast is loaded and registered by then."""
AGENT = '[identity]\nname = "bench"\nrole = "generic"\n[mesh]\n[model]\nadapter = "scripted"\n'
RULE = '[[scripted.rules]]\nwhen = { author = "nobody" }\nemit = { focus = "heard" }\n'


@dataclass(frozen=True, slots=True)
class Plan:
    """How often each is measured, and how long a peer settles."""

    rounds: int = 10
    short_rounds: int = 30
    settle_seconds: float = SETTLED_SECONDS


QUICK = Plan(1, 1, 0.0)


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a peer: seconds to its first line, processor seconds, resident memory then and later."""

    seconds: float
    processor_seconds: float
    resident_bytes: int
    settled_bytes: int


def started(words: Sequence[str], environment: Mapping[str, str], settle_seconds: float = 0.0) -> Start:
    """Start a command, wait for its first line, look at its memory, once more when it has settled, end it."""
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
        ready, worked = resident_bytes(process.pid), processor_seconds(process.pid)
        time.sleep(settle_seconds)
        return Start(seconds, worked, ready, resident_bytes(process.pid))
    finally:
        process.terminate()
        process.communicate(timeout=20)


def ended(words: Sequence[str], environment: Mapping[str, str]) -> float:
    """Run a command to its end; return the seconds it took."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], env=dict(environment), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def imported(statement: str, environment: Mapping[str, str]) -> float:
    """Run an import in a fresh interpreter; return the milliseconds it took by itself."""
    code = f"import time; began = time.perf_counter(); {statement}; print(time.perf_counter() - began)"
    words = [sys.executable, "-c", code]
    said = subprocess.run(words, env=dict(environment), capture_output=True, check=True, text=True)
    return float(said.stdout) * 1_000


def modules(environment: Mapping[str, str], statement: str) -> list[tuple[int, str, float]]:
    """Import under `-X importtime`; return depth, name, own milliseconds of each module, parents first."""
    words = [sys.executable, "-X", "importtime", "-c", statement]
    said = subprocess.run(words, env=dict(environment), capture_output=True, check=True, text=True).stderr
    rows = [line.removeprefix("import time:").split("|") for line in said.splitlines()[1:]]
    indented = [(own, name.removeprefix(" ").rstrip()) for own, _, name in rows]
    found = [((len(name) - len(name.lstrip())) // 2, name.lstrip(), int(own) / 1e3) for own, name in indented]
    return found[::-1]  # it prints a module when all that it imports is there


def parted(found: Sequence[tuple[int, str, float]], before: Container[str] = ()) -> dict[str, float]:
    """Add up milliseconds by part: a module's own, else its importer's; not of what was there `before`."""
    parts = dict.fromkeys((*PARTS, COVEY, OTHER), 0.0)
    above: list[str] = []
    for depth, name, own in found:
        under = above[depth - 1] if depth else OTHER
        named = next((part for part, names in PARTS.items() if _is_of(name, names)), None)
        # What covey imports is the library's own, unless it is one of the parts or imported by one.
        part = named or (COVEY if _is_of(name, ("covey",)) else OTHER if under == COVEY else under)
        del above[depth:]
        above.append(part)
        if name not in before:
            parts[part] += own
    return parts


def _is_of(name: str, packages: Iterable[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def parts_line(environment: Mapping[str, str], statement: str, rounds: int) -> str:
    """Say what an import is made of, in medians: what is there before covey's own is its limit."""
    before = {name for _, name, _ in modules(environment, "pass")}
    runs = [parted(modules(environment, statement), before) for _ in range(rounds)]
    parts = {part: statistics.median(run[part] for run in runs) for part in runs[0]}
    whole = sum(parts.values())
    said = ", ".join(f"{part} {own:.1f} ms ({own / whole:.0%})" for part, own in parts.items())
    rest = whole - parts[COVEY]
    return f"by part, under -X importtime, which slows it: {said}; without covey's own {rest:.1f}"


def import_lines(plan: Plan, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each way to begin a program."""
    for statement, bound in IMPORTS:
        times = sorted(imported(statement, environment) for _ in range(plan.rounds))
        kept = "" if bound is None else f", to stay under {bound} ms"
        median = f"{statistics.median(times):.1f} ms (median of {plan.rounds}, best {times[0]:.1f})"
        yield f"{statement}: {median}{kept}"
        if bound is None:
            yield f"{statement}: {parts_line(environment, statement, plan.rounds)}"


def peer_line(plan: Plan, what: str, words: Sequence[str], environment: Mapping[str, str]) -> str:
    """Start a peer some times; return what that took and what it holds, and what it should stay under."""
    starts = [started(words, environment) for _ in range(plan.rounds)]
    starts.append(started(words, environment, plan.settle_seconds))
    times = sorted(start.seconds * 1_000 for start in starts)
    ready = f"ready in {statistics.median(times):.0f} ms (median of {len(times)}, best {times[0]:.0f}"
    memory = max(start.resident_bytes for start in starts) / 1e6
    worked = sorted(start.processor_seconds * 1_000 for start in starts)
    return (
        f"{what}: {ready}; to stay under {READY_MS}), "
        f"{statistics.median(worked):.0f} ms of processor time (best {worked[0]:.0f}), "
        f"{memory:.1f} MB resident then (to stay under {IDLE_MB}), "
        f"{starts[-1].settled_bytes / 1e6:.1f} MB with multicast {plan.settle_seconds:.0f} s later"
    )


def short_lines(plan: Plan, environment: Mapping[str, str], run: Sequence[str]) -> Iterator[str]:
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
            times = sorted(ended(words, environment) * 1_000 for _ in range(plan.short_rounds))
            kept = "" if bound is None else f", to stay under {bound} ms"
            median = f"{statistics.median(times):.0f} ms (median of {plan.short_rounds}, best {times[0]:.0f})"
            yield f"{what}: {median}{kept}"
    finally:
        process.terminate()
        process.communicate(timeout=20)


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process (Linux)."""
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(row.split()[1]) * 1024 for row in rows if row.startswith("VmRSS:"))


def processor_seconds(pid: int) -> float:
    """Return the processor time that all threads of a process took so far (Linux, in steps of 10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def agent_file(folder: Path) -> Path:
    """Write the configuration of an agent that needs no model."""
    path = folder / "agent.toml"
    path.write_text(AGENT + RULE)
    return path


def main(words: Sequence[str] | None = None) -> int:
    """Measure short commands and both kinds of peer, and print a line for each."""
    parser = argparse.ArgumentParser(prog="python -m benches.startup", description="how soon covey is there")
    parser.add_argument("--quick", action="store_true", help="one of each: does it all run?")
    plan = QUICK if parser.parse_args(words).quick else Plan()
    with tempfile.TemporaryDirectory() as name:
        environment = {**os.environ, "COVEY_HOME": str(Path(name) / "home")}
        run = ["run", "--config", str(agent_file(Path(name)))]
        for line in (*import_lines(plan, environment), *short_lines(plan, environment, run)):
            print(line)
        for what, start in (("covey listen", ["listen"]), ("covey run", run)):
            print(peer_line(plan, what, start, environment))
    return 0


if __name__ == "__main__":
    sys.exit(main())
