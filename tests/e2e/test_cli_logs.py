"""logs: the end of a log, what follows, and what one looks for in it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from covey.system.clock import SystemClock
from covey.system.log import Log, LogFile, Rotation, timestamp
from tests.e2e.program import Program


class At:
    """A clock that a test sets."""

    def __init__(self, now_ms: int) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1_000


@pytest.fixture
def clock() -> At:
    return At(SystemClock().now_ms() - 3_600_000)


@pytest.fixture
def log(covey: Program, clock: At) -> Log:
    """Return a log of 40 lines a minute apart, the newest 21 minutes old, in several files."""
    folder = covey.home / "logs"
    folder.mkdir(parents=True, mode=0o700)
    made = Log(LogFile(folder / "writer.log", Rotation(1_024, keep=9)), clock, peer="writer", level="debug")
    for number in range(40):
        level = ("debug", "info", "warn", "error")[number % 4]
        made.write(level, "agent-woke" if number % 2 else "session-opened", {"number": number})
        clock.ms += 60_000
    return made


def numbers(covey: Program, *words: str) -> list[int]:
    ended = covey("logs", "writer", "--json", *words)
    assert (ended.code, ended.err) == (0, "")
    return [json.loads(line)["data"]["number"] for line in ended.out.splitlines()]


def test_the_newest_lines_come_from_rotated_files_too(covey: Program, log: Log) -> None:
    assert (covey.home / "logs" / "writer.log.3").exists()
    assert numbers(covey) == list(range(40))
    assert numbers(covey, "--lines", "25") == list(range(15, 40))
    assert numbers(covey, "--lines", "0") == []


def test_lines_are_found_by_level_event_and_time(covey: Program, log: Log) -> None:
    assert numbers(covey, "--level", "warn") == [n for n in range(40) if n % 4 >= 2]
    assert numbers(covey, "--level", "error", "--lines", "2") == [35, 39]
    assert numbers(covey, "--event", "agent-*") == list(range(1, 40, 2))
    assert numbers(covey, "--event", "session-opened", "--event", "nothing") == list(range(0, 40, 2))
    assert numbers(covey, "--since", "30m") == list(range(31, 40))
    assert numbers(covey, "--since", timestamp(0)) == list(range(40))
    assert numbers(covey, "--since", "1s") == []


def test_a_person_reads_time_level_event_and_facts(covey: Program, log: Log, clock: At) -> None:
    log.write(
        "warn", "odd", {"text": "a\nb\x1b[2J", "list": [1, 2], "long": "x" * 500, "api_key": "secret-1"}
    )
    with (covey.home / "logs" / "writer.log").open("a") as file:
        file.write("no json\x1b[2J\n")
    said = covey("logs", "writer", "--lines", "2").out
    line, other = said.splitlines()
    assert line.startswith(f"{timestamp(clock.ms)} warn  odd  text=a\\nb\\x1b[2J  list=[1, 2]  long=xxx")
    assert "xxx… (--json shows all)" in line
    assert line.endswith("api_key=[scrubbed]")
    assert other == "no json\\x1b[2J"
    assert covey("logs", "writer", "--level", "debug", "--event", "o*").out.splitlines() == [line]
    assert json.loads(covey("logs", "writer", "--json", "--lines", "1").out) == {"raw": "no json\x1b[2J"}


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_following_goes_on_through_a_rotation_and_ends_well(
    covey: Program, log: Log, end: signal.Signals
) -> None:
    with covey.start("logs", "writer", "--follow", "--lines", "1", "--level", "info", "--json") as following:
        lines = following.lines()
        assert json.loads(next(lines))["data"]["number"] == 39
        for number in range(100, 130):
            log.write("info", "more", {"number": number})
            log.write("debug", "less", {"number": number})
        seen = [json.loads(next(lines))["data"]["number"] for _ in range(30)]
        following.signal(end)
        ended = following.end()
    assert seen == list(range(100, 130))
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_the_log_of_a_real_peer_is_readable(covey: Program, tmp_path: Path) -> None:
    with covey.start("listen", "ear", "--json") as ear:
        ear.event("listening")
        assert covey("observe", "--focus", "hello").code == 0
        ear.event("delivered")
    ended = covey("logs", "ear", "--level", "debug")
    assert ended.code == 0
    assert ended.out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["ghost"], 1, "no log: nothing at "),
        (["writer", "--since", "yesterday"], 2, "--since: expected 30s, 10m, 2h, 3d, or a time such as "),
        (["writer", "--level", "wran"], 2, "unknown --level: wran\n  did you mean warn?"),
        (["writer", "--lines", "x"], 2, "--lines: expected a whole number from 0 to 100000, got 'x'"),
        (["../x"], 2, "peer name '../x': expected none of"),
    ],
)
def test_what_cannot_be_read_is_said(covey: Program, words: list[str], code: int, message: str) -> None:
    ended = covey("logs", *words)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith(f"covey logs: {message}")
    assert not covey.home.exists()
