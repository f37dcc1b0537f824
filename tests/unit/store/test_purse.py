"""A team's purse: caps hold whoever races for the last of it, and what nobody settles stays spent."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from covey import limits
from covey.errors import StoreError
from covey.model import PurseRefused, Usage
from covey.store.purse import SqlitePurse, TeamCaps, _write_ahead, look

PACKAGE = Path(__file__).parents[3] / "python"
RACER = """
import json, sys
from pathlib import Path
from covey.store.purse import SqlitePurse, TeamCaps
from covey.system.clock import SystemClock
path, name, tries, hold = sys.argv[1:]
clock = SystemClock()
purse = SqlitePurse(Path(path), name, TeamCaps(1.0, None), clock, clock.era())
print("ready", flush=True)
sys.stdin.readline()
given = 0.0
for token in range(int(tries)):
    if purse.reserve(token, 0.07) is None:
        given += 0.07
        if hold == "settle":
            purse.settle(token, 0.07, None)
print(json.dumps(given), flush=True)
sys.stdin.readline()
purse.close()
"""


class Time:
    """Both clocks, set by hand."""

    def __init__(self) -> None:
        self.wall, self.mono = 1_000_000.0, 50_000.0

    def now_ms(self) -> int:
        return int(self.wall * 1000)

    def monotonic(self) -> float:
        return self.mono

    def passes(self, seconds: float) -> None:
        self.wall, self.mono = self.wall + seconds, self.mono + seconds


@contextmanager
def racer(path: Path, name: str, tries: int = 10, hold: str = "settle") -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", RACER, str(path), name, str(tries), hold],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def purse(
    path: Path, name: str = "ann", clock: Time | None = None, *, hour: float | None = 1.0
) -> SqlitePurse:
    return SqlitePurse(path / "alpha.db", name, TeamCaps(hour, 10.0), clock or Time(), "one boot")


def test_x13_four_processes_that_race_take_no_more_than_there_is(tmp_path: Path) -> None:
    path = tmp_path / "alpha.db"
    with (
        racer(path, "ann") as ann,
        racer(path, "bob") as bob,
        racer(path, "cat", hold="keep") as cat,
        racer(path, "dan", hold="keep") as dan,
    ):
        everybody = (ann, bob, cat, dan)
        assert [heard(each) for each in everybody] == ["ready"] * 4
        for each in everybody:
            tell(each)
        total = sum(json.loads(heard(each)) for each in everybody)
    assert total == pytest.approx(14 * 0.07), "all that fits under the cap of a dollar, and no more"


def test_x13_a_purse_that_another_process_is_making_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "alpha.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        asked = itertools.count()

        def monotonic() -> float:
            if next(asked) == 1:  # the journal was refused
                other.execute("ROLLBACK")
            return 0.0

        monkeypatch.setattr("covey.store.purse.time.monotonic", monotonic)
        purse(tmp_path, "ann", Time()).close()
        assert next(asked) == 2, "SQLite itself waits for nobody there"


def test_every_kind_of_busy_is_waited_for_where_the_journal_is_chosen() -> None:
    said: list[str] = []

    class Recovering:
        def execute(self, statement: str) -> None:
            said.append(statement)
            if len(said) == 1:
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY_RECOVERY
                raise error

    _write_ahead(cast("sqlite3.Connection", Recovering()))
    journal = "PRAGMA journal_mode = WAL"
    assert said == [journal, "BEGIN EXCLUSIVE", "ROLLBACK", journal]


def test_x13_a_purse_that_another_process_holds_for_too_long_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TEAM_BUSY_SECONDS", 0.0)
    with closing(sqlite3.connect(tmp_path / "alpha.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="database is locked") as refused:
            purse(tmp_path, "ann", Time())
        assert refused.value.code == "purse_unusable"


def test_x13_what_a_killed_process_had_set_aside_stays_counted(tmp_path: Path) -> None:
    path = tmp_path / "alpha.db"
    with racer(path, "ann", tries=20, hold="keep") as ann:
        assert heard(ann) == "ready"
        tell(ann)
        assert json.loads(heard(ann)) == pytest.approx(0.98)
        ann.send_signal(signal.SIGKILL)
        ann.wait()
    with racer(path, "ann") as again:
        assert heard(again) == "ready"
        tell(again)
        assert json.loads(heard(again)) == 0.0, "its successor finds it spent"


def test_x13_the_reserve_of_a_peer_that_never_came_back_is_spent_in_the_end(tmp_path: Path) -> None:
    clock = Time()
    dead, other = purse(tmp_path, "ann", clock), purse(tmp_path, "bob", clock)
    assert dead.reserve(1, 0.9) is None
    refused = other.reserve(1, 0.2)
    assert isinstance(refused, PurseRefused)
    assert (refused.reason, refused.retry_in_s) == ("team-cost-hour", limits.TEAM_AGAIN_SECONDS)
    clock.passes(limits.TEAM_RESERVE_SECONDS)
    refused = other.reserve(1, 0.2)
    assert isinstance(refused, PurseRefused)
    assert 2_800 < refused.retry_in_s < 3_100, "an hour after it was set aside"
    clock.passes(refused.retry_in_s)
    assert other.reserve(1, 0.2) is None
    other.close()
    dead.close()


def test_x13_the_lowest_cap_counts_and_a_peer_that_left_has_none(tmp_path: Path) -> None:
    clock = Time()
    rich, poor = purse(tmp_path, "ann", clock, hour=5.0), purse(tmp_path, "bob", clock, hour=0.5)
    assert isinstance(rich.reserve(1, 0.6), PurseRefused)
    poor.close()
    clock.passes(86_401)
    assert rich.reserve(2, 0.6) is None
    rich.close()


def test_x13_the_books_name_each_peer(tmp_path: Path) -> None:
    clock = Time()
    ann, bob = purse(tmp_path, "ann", clock), purse(tmp_path, "bob", clock)
    assert ann.reserve(1, 0.3) is None
    ann.emitted()
    ann.settle(1, 0.1, Usage(100, 20, 0.1))
    assert bob.reserve(1, 0.2) is None
    bob.settle(1, 0.0, None)
    bob.emitted()
    bob.close()
    shown = look(tmp_path / "alpha.db", clock, "one boot")
    assert (shown["team"], shown["hour_usd"], shown["reserved_usd"]) == ("alpha", 0.1, 0.0)
    assert shown["caps"] == {"hour": 1.0, "day": 10.0}
    first, second = shown["peers"]
    assert (first["peer"], first["calls"], first["input_tokens"], first["emitted"]) == ("ann", 1, 100, 1)
    assert (first["cost_usd"], second["cost_usd"], second["emitted"]) == (0.1, 0.0, 1)
    ann.close()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.floats(0, 0.6), st.floats(0, 1), st.floats(0, 2_000)), max_size=20
    ),
    st.lists(st.floats(-(10**6), 10**6), min_size=20, max_size=20),
)
def test_a_wall_clock_that_jumps_neither_frees_nor_blocks(
    tmp_path_factory: pytest.TempPathFactory,
    calls: list[tuple[str, float, float, float]],
    jumps: list[float],
) -> None:
    answers = []
    for moving in (False, True):
        folder, clock = tmp_path_factory.mktemp("purse"), Time()
        hands = {name: purse(folder, name, clock) for name in "ab"}
        said = []
        for token, ((name, usd, share, gap), jump) in enumerate(zip(calls, jumps, strict=False)):
            clock.passes(gap)
            clock.wall = max(0.0, clock.wall + (jump if moving else 0.0))
            refused = hands[name].reserve(token, usd)
            said.append(None if refused is None else (refused.reason, refused.retry_in_s))
            if refused is None:
                hands[name].settle(token, usd * share, None)
        assert hands["a"].view()["hour_usd"] <= 1.0 + 1e-6
        answers.append(said)
        for hand in hands.values():
            hand.close()
    assert answers[0] == answers[1]


def test_a_reboot_is_bridged_by_the_wall_and_one_that_went_back_forgives_nothing(tmp_path: Path) -> None:
    clock = Time()
    before = purse(tmp_path, "ann", clock)
    assert before.reserve(1, 0.9) is None
    before.settle(1, 0.9, None)
    before.close()
    for wall, spent in ((-5_000.0, 0.9), (1_000.0, 0.9), (3_700.0, 0.0)):
        booted = Time()
        booted.mono, booted.wall = 3.0, clock.wall + wall
        again = SqlitePurse(tmp_path / "alpha.db", "bob", TeamCaps(1.0, None), booted, f"boot {wall}")
        assert again.view()["hour_usd"] == spent
        again.close()


@pytest.mark.parametrize("content", [b"no database", b""])
def test_a_file_that_is_no_purse_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "alpha.db"
    path.write_bytes(content)
    if content:
        with pytest.raises(StoreError):
            purse(tmp_path)
    else:
        purse(tmp_path).close()
    import sqlite3

    other = tmp_path / "beta.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE x (y)")
    database.close()
    with pytest.raises(StoreError, match="not a team's purse"):
        SqlitePurse(other, "ann", TeamCaps(1.0, None), Time(), "")


def test_the_purse_is_private(tmp_path: Path) -> None:
    hand = purse(tmp_path)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    hand.close()


def test_there_is_no_purse_of_a_team_that_nobody_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such team: beta"):
        look(tmp_path / "beta.db", Time(), "")
    assert list(tmp_path.iterdir()) == []
