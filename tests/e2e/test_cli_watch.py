"""watch: a live table on a terminal, lines elsewhere; it ends with its peers, and when it is told to."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import ROOM, Program, Running

AGENT = f"""
[identity]
name = "writer"
role = "writer"
[mesh]
room = "{ROOM}"
[model]
adapter = "scripted"
[[scripted.rules]]
emit = {{ focus = "heard: {{focus}}", commitment = "done" }}
"""
HEADS = "PEER    MODEL"


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, covey: Program, *words: str, **env: str) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            covey.words(words),
            env={**covey.env, "TERM": "xterm", "COLUMNS": "160", "LINES": "40", **env},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *failure: object) -> None:
        self.process.kill()
        self.process.wait(timeout=30)
        os.close(self.master)

    def until(self, pattern: str) -> str:
        """Read until the pattern is on the screen; return all that was written so far."""
        deadline = time.monotonic() + 30
        while not re.search(pattern, self.seen):
            assert self.read(deadline), f"no {pattern!r} in {self.seen!r}"
        return self.seen

    def read(self, deadline: float) -> bool:
        """Read what comes next; False at the end, or when the time is over."""
        ready, _, _ = select.select([self.master], [], [], max(0.0, deadline - time.monotonic()))
        try:
            chunk = os.read(self.master, 65_536) if ready else b""
        except OSError:  # how Linux says that the other side is closed
            chunk = b""
        self.seen += chunk.decode()
        return bool(chunk)

    def end(self) -> int:
        """Wait for its own end; return its exit code."""
        deadline = time.monotonic() + 30
        while self.read(deadline):
            pass
        return self.process.wait(timeout=30)


@pytest.fixture
def writer(covey: Program, tmp_path: Path) -> Iterator[Running]:
    path = tmp_path / "agent.toml"
    path.write_text(AGENT)
    with covey.start("run", "--config", str(path), "--json") as running:
        running.event("ready")
        yield running


def test_x05_watch_is_a_live_table_on_a_terminal_and_ctrl_c_ends_it_well(
    covey: Program, writer: Running
) -> None:
    with Terminal(covey, "watch", "--interval", "100") as terminal:
        terminal.until(r"writer.*closed")
        screen = terminal.until(r"\x1b\[\d*A")  # the second look goes up and writes over the first
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 0
    assert "covey watch — 1 peer(s) — refresh 100 ms — Ctrl+C to exit" in screen
    assert "scripted/rules" in screen
    assert ROOM in screen
    assert "E0/S0" in screen
    assert "Traceback" not in terminal.seen
    assert terminal.seen.rstrip().endswith("\x1b[?25h"), "the cursor is shown again"
    assert covey("status", "writer").code == 0, "only the watching ended"


def test_defect_watch_colours_what_is_no_terminal_and_ignores_no_color(
    covey: Program, writer: Running
) -> None:
    with Terminal(covey, "watch", "--interval", "100", NO_COLOR="1") as terminal:
        terminal.until(r"(?s)writer.*writer.*writer")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 0
    assert "\x1b" not in terminal.seen
    ended = covey("watch", "--once")
    assert (ended.code, ended.err) == (0, "")
    head, row = ended.out.splitlines()
    assert re.fullmatch(
        r" {10}PEER {4}MODEL {11}ROOM +UPTIME {2}PEERS {2}CMBs {3}COST +BUDGET m/h/d +BREAKER", head
    )
    assert re.fullmatch(
        rf"\d\d:\d\d:\d\d  writer  scripted/rules  {ROOM} +\d+s +0 +E0/S0  \$0\.000000  0m/0h/0d +closed", row
    )


def test_watch_of_a_peer_ends_when_the_peer_dies(covey: Program, writer: Running) -> None:
    with covey.start("watch", "writer", "--interval", "100", "--json") as watching:
        lines = watching.lines()
        assert json.loads(next(lines))["peers"][0]["state"] == "alive"
        writer.signal(signal.SIGKILL)
        states = [json.loads(line)["peers"][0]["state"] for line in lines]
        ended = watching.end()
    assert states[-1] == "ended"
    assert (ended.code, ended.err) == (0, "")


def test_watch_shows_who_comes_goes_and_hangs(covey: Program) -> None:
    with covey.start("watch", "--interval", "100", "--json") as watching:
        looks = (json.loads(line)["peers"] for line in watching.lines())
        assert next(looks) == []
        with covey.start("listen", "ear", "--json") as ear:
            ear.event("listening")
            alive = next(look for look in looks if look and look[0]["state"] == "alive")
            assert alive[0]["status"]["node"]["room"] == ROOM
            ear.signal(signal.SIGSTOP)
            silent = next(look for look in looks if look[0]["state"] == "silent")
            assert "does not answer" in silent[0]["note"]
            ear.signal(signal.SIGCONT)
            next(look for look in looks if look[0]["state"] == "alive")
            ear.signal(signal.SIGTERM)
            next(look for look in looks if look[0]["state"] == "ended")
        watching.signal(signal.SIGTERM)
        assert watching.end().code == 0


@pytest.mark.parametrize("interval", ["abc", "0", "-5", "nan", "1e9"])
def test_defect_an_interval_that_is_no_number_makes_watch_spin(covey: Program, interval: str) -> None:
    """`--interval abc` became NaN there, and a loop without a pause."""
    ended = covey("watch", "--interval", interval)
    assert ended.code == 2
    assert ended.err.startswith(
        f"covey watch: --interval: expected a whole number from 100 to 3600000, got '{interval}'"
    )


def test_watch_of_nobody_says_what_to_start(covey: Program) -> None:
    said = "no peers running. start one with `covey run --config <path>`\n"
    assert covey("watch", "--once").out == said
    ghost = covey("watch", "ghost")
    assert (ghost.code, ghost.out) == (1, "")
    assert 'no running peer named "ghost"' in ghost.err
    assert not covey.home.exists()
