"""A team's purse: one SQLite file, in which its peers set money aside before they spend it.

Rules: the look at the caps and the reserve are one transaction (BEGIN IMMEDIATE), so that processes that
race cannot both take the last of it. What was reserved and never settled — its process was killed — counts
as spent. Caps are what the peers state; where they differ the lowest counts, and a peer that was not seen
for a day has none. Time is the boot's monotonic clock, which all processes share; over a reboot the wall
clock bridges, and one that went back forgives nothing. Amounts are whole nano-USD.
"""

from __future__ import annotations

import math
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from covey import limits
from covey.errors import StoreError
from covey.model import PurseRefused, Usage
from covey.ports import Clock
from covey.values import dataclass

Found = TypeVar("Found")

_NANO: Final = 1_000_000_000
_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400
_PRIMARY: Final = 0xFF  # of an error's code; the bits above say which kind of busy
_WINDOWS: Final = {"hour": _HOUR_S, "day": _DAY_S}
_VERSION: Final = 1
_APPLICATION: Final = 0x636F7670  # "covp": another program's database is not taken for a purse
_SCHEMA: Final = """
CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), era TEXT NOT NULL, at_s INTEGER NOT NULL,
                    wall_ms INTEGER NOT NULL) STRICT;
CREATE TABLE member (name TEXT PRIMARY KEY, hour INTEGER, day INTEGER, seen_s INTEGER NOT NULL,
                     calls INTEGER NOT NULL DEFAULT 0, input_tokens INTEGER NOT NULL DEFAULT 0,
                     output_tokens INTEGER NOT NULL DEFAULT 0, emitted INTEGER NOT NULL DEFAULT 0,
                     nano INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE spent (until_s INTEGER NOT NULL, member TEXT NOT NULL, nano INTEGER NOT NULL,
                    PRIMARY KEY (until_s, member)) STRICT, WITHOUT ROWID;
CREATE TABLE reserve (member TEXT NOT NULL, token INTEGER NOT NULL, nano INTEGER NOT NULL,
                      at_s INTEGER NOT NULL, PRIMARY KEY (member, token)) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class TeamCaps:
    """What one peer states of its team, in USD; None states nothing."""

    per_hour_usd: float | None
    per_day_usd: float | None


class SqlitePurse:
    """One peer's hand in its team's purse.

    Args:
        path: The file; its folder must exist.
        member: The peer's name; only one process at a time may be it (its lock says so).
        caps: What this peer states.
        clock: Wall and monotonic time.
        era: Names the boot; empty where nobody knows, and then the wall clock counts.

    Raises:
        StoreError: The file cannot be used.
    """

    def __init__(self, path: Path, member: str, caps: TeamCaps, clock: Clock, era: str) -> None:
        self._path = path
        self._member = member
        self._clock = clock
        self._era = era
        self._emitted = 0
        self._database = _opened(path)
        self._done(lambda: self._join(caps))

    def reserve(self, token: int, usd: float) -> PurseRefused | None:
        """Set aside what a call may cost, in one transaction with the look at every cap; None is a yes."""
        return self._done(lambda: self._reserve(token, math.ceil(round(usd * _NANO, 3))))

    def settle(self, token: int, usd: float, usage: Usage | None) -> None:
        """Replace what was set aside by what the call cost; 0 without usage gives it back."""
        self._done(lambda: self._settle(token, math.ceil(round(usd * _NANO, 3)), usage))

    def emitted(self) -> None:
        """Count one message; it becomes durable with the next reserve, settlement or close."""
        self._emitted += 1

    def view(self) -> Mapping[str, Any]:
        """Return caps, sums and members as JSON values."""
        return self._done(lambda: _view(self._database, self._path.stem, self._now()))

    def close(self) -> None:
        """Write what is counted, and let go of the file."""
        self._done(lambda: None)
        self._database.close()

    def _done(self, work: Callable[[], Found]) -> Found:
        """Do work in one transaction that no other process shares."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                found = work()
                self._count_messages()
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from error
        self._emitted = 0
        return found

    def _join(self, caps: TeamCaps) -> None:
        now = self._now()
        known = self._database.execute("SELECT count(*) FROM member").fetchone()[0]
        self._database.execute(
            "INSERT INTO member (name, hour, day, seen_s) VALUES (?1, ?2, ?3, ?4)"
            " ON CONFLICT (name) DO UPDATE SET hour = ?2, day = ?3, seen_s = ?4",
            (self._member, _nano(caps.per_hour_usd), _nano(caps.per_day_usd), now),
        )
        if known >= limits.TEAM_MEMBERS:
            self._database.execute(
                "DELETE FROM member WHERE name ="
                " (SELECT name FROM member WHERE seen_s <= ? ORDER BY seen_s LIMIT 1)",
                (now - _DAY_S,),
            )
        # What this peer had set aside when its process was killed may have been charged: it is spent.
        self._sweep("member = ?", (self._member,))

    def _reserve(self, token: int, nano: int) -> PurseRefused | None:
        now = self._now()
        # No call outlives the longest timeout: what is older belongs to a process that is no more.
        self._sweep("at_s <= ?", (now - limits.TEAM_RESERVE_SECONDS,))
        self._database.execute("UPDATE member SET seen_s = ? WHERE name = ?", (now, self._member))
        held = self._database.execute("SELECT coalesce(sum(nano), 0) FROM reserve").fetchone()[0]
        caps = _caps(self._database, now)
        for window, seconds in _WINDOWS.items():
            cap = caps[window]
            spent = _spent(self._database, now, seconds)
            over = 0 if cap is None else spent + held + nano - cap
            if cap is not None and over > 0:
                return self._refusal(window, cap, spent, held, nano, now)
        self._database.execute("INSERT INTO reserve VALUES (?, ?, ?, ?)", (self._member, token, nano, now))
        return None

    def _refusal(self, window: str, cap: int, spent: int, held: int, nano: int, now: int) -> PurseRefused:
        team = self._path.stem
        detail = (
            f"a call may cost ${nano / _NANO:.6f}; of the ${cap / _NANO:g} per {window} of team {team} "
            f"${spent / _NANO:.6f} are spent and ${held / _NANO:.6f} set aside"
        )
        if spent + nano <= cap:
            return PurseRefused(f"team-cost-{window}", detail, limits.TEAM_AGAIN_SECONDS)
        too_much, wait = spent + nano - cap, _WINDOWS[window]
        rows = self._database.execute("SELECT until_s, nano FROM spent ORDER BY until_s").fetchall()
        for until_s, amount in rows:
            left = until_s + _WINDOWS[window] - now
            if left > 0:
                too_much -= amount
                if too_much <= 0:
                    wait = left
                    break
        return PurseRefused(f"team-cost-{window}", detail, float(wait))

    def _settle(self, token: int, nano: int, usage: Usage | None) -> None:
        now = self._now()
        self._database.execute("DELETE FROM reserve WHERE member = ? AND token = ?", (self._member, token))
        self._spend(self._member, now, nano)
        if usage is not None:
            self._database.execute(
                "UPDATE member SET calls = calls + 1, input_tokens = input_tokens + ?,"
                " output_tokens = output_tokens + ? WHERE name = ?",
                (usage.input_tokens, usage.output_tokens, self._member),
            )

    def _sweep(self, which: str, values: tuple[object, ...]) -> None:
        """Let reserves that nobody will settle count as spent, from the moment they were made."""
        rows = self._database.execute(f"SELECT member, token, nano, at_s FROM reserve WHERE {which}", values)
        for member, token, nano, at_s in rows.fetchall():
            self._spend(member, at_s, nano)
            self._database.execute("DELETE FROM reserve WHERE member = ? AND token = ?", (member, token))

    def _spend(self, member: str, at_s: int, nano: int) -> None:
        if nano:
            bucket = limits.COST_BUCKET_SECONDS
            until_s = (at_s // bucket + 1) * bucket
            self._database.execute(
                "INSERT INTO spent VALUES (?1, ?2, ?3)"
                " ON CONFLICT (until_s, member) DO UPDATE SET nano = nano + ?3",
                (until_s, member, nano),
            )
            self._database.execute("UPDATE member SET nano = nano + ? WHERE name = ?", (nano, member))

    def _count_messages(self) -> None:
        if self._emitted:
            self._database.execute(
                "UPDATE member SET emitted = emitted + ? WHERE name = ?", (self._emitted, self._member)
            )

    def _now(self) -> int:
        """Return the purse's own second, which never goes back, and forget what left the day."""
        wall_ms = self._clock.now_ms()
        own = int(self._clock.monotonic()) if self._era else wall_ms // 1000
        row = self._database.execute("SELECT era, at_s, wall_ms FROM clock").fetchone()
        now = own
        if row is not None and row[0] == self._era:
            now = max(own, row[1])
        elif row is not None:
            away_s = max(0, wall_ms - row[2]) // 1000
            shift = own - (row[1] + away_s)
            for table, column in (("spent", "until_s"), ("reserve", "at_s"), ("member", "seen_s")):
                # Growing keys must not meet keys that were not moved yet.
                order = "DESC" if shift > 0 else "ASC"
                _shift(self._database, table, column, shift, order)
        self._database.execute(
            "INSERT INTO clock VALUES (1, ?1, ?2, ?3)"
            " ON CONFLICT (one) DO UPDATE SET era = ?1, at_s = ?2, wall_ms = max(wall_ms, ?3)",
            (self._era, now, wall_ms),
        )
        self._database.execute("DELETE FROM spent WHERE until_s <= ?", (now - _DAY_S,))
        return now


def look(path: Path, clock: Clock, era: str) -> Mapping[str, Any]:
    """Return what a purse holds, without joining its team.

    Raises:
        StoreError: There is none, or it cannot be read.
    """
    if not path.exists():
        raise StoreError(
            f"no such team: {path.stem}: looked at {path}",
            code="unknown_team",
            hint="a team's purse is made by the first peer that runs with [budget] team",
        )
    database = _opened(path)
    try:
        wall_ms = clock.now_ms()
        own = int(clock.monotonic()) if era else wall_ms // 1000
        row = database.execute("SELECT era, at_s, wall_ms FROM clock").fetchone()
        now = own
        if row is not None:
            now = max(own, row[1]) if row[0] == era else row[1] + max(0, wall_ms - row[2]) // 1000
        return _view(database, path.stem, now)
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    finally:
        database.close()


def _view(database: sqlite3.Connection, team: str, now: int) -> dict[str, Any]:
    caps = _caps(database, now)
    held = dict(database.execute("SELECT member, sum(nano) FROM reserve GROUP BY member").fetchall())
    members = database.execute(
        "SELECT name, calls, input_tokens, output_tokens, emitted, nano, seen_s FROM member ORDER BY name"
    ).fetchall()
    listed = [
        {
            "peer": name,
            "calls": calls,
            "input_tokens": tokens_in,
            "output_tokens": tokens_out,
            "emitted": emitted,
            "cost_usd": nano / _NANO,
            "hour_usd": _spent(database, now, _HOUR_S, name) / _NANO,
            "day_usd": _spent(database, now, _DAY_S, name) / _NANO,
            "reserved_usd": held.get(name, 0) / _NANO,
            "seen_s_ago": max(0, now - seen_s),
        }
        for name, calls, tokens_in, tokens_out, emitted, nano, seen_s in members
    ]
    return {
        "team": team,
        "hour_usd": _spent(database, now, _HOUR_S) / _NANO,
        "day_usd": _spent(database, now, _DAY_S) / _NANO,
        "reserved_usd": sum(held.values()) / _NANO,
        "caps": {window: None if cap is None else cap / _NANO for window, cap in caps.items()},
        "peers": listed,
    }


def _caps(database: sqlite3.Connection, now: int) -> dict[str, int | None]:
    row = database.execute(
        "SELECT min(hour), min(day) FROM member WHERE seen_s > ?", (now - _DAY_S,)
    ).fetchone()
    return {"hour": row[0], "day": row[1]}


def _spent(database: sqlite3.Connection, now: int, seconds: int, member: str | None = None) -> int:
    query = "SELECT coalesce(sum(nano), 0) FROM spent WHERE until_s > ?"
    values: tuple[object, ...] = (now - seconds,)
    if member is not None:
        query, values = f"{query} AND member = ?", (*values, member)
    found: int = database.execute(query, values).fetchone()[0]
    return found


def _shift(database: sqlite3.Connection, table: str, column: str, shift: int, order: str) -> None:
    rows = database.execute(f"SELECT DISTINCT {column} FROM {table} ORDER BY {column} {order}").fetchall()
    for (value,) in rows:
        database.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (value + shift, value))


def _nano(usd: float | None) -> int | None:
    return None if usd is None else math.floor(round(usd * _NANO, 3))


def _opened(path: Path) -> sqlite3.Connection:
    try:
        # Made by this user alone before SQLite writes into it; its journal takes the same mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        database = sqlite3.connect(
            path, isolation_level=None, timeout=limits.TEAM_BUSY_SECONDS, check_same_thread=False
        )
        try:
            _prepared(path, database)
        except BaseException:
            database.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, error) from error
    return database


def _prepared(path: Path, database: sqlite3.Connection) -> None:
    _write_ahead(database)
    database.execute("PRAGMA synchronous = FULL")
    database.execute("BEGIN IMMEDIATE")
    try:
        if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for statement in _SCHEMA.split(";\n"):
                if statement.strip():
                    database.execute(statement)
            database.execute(f"PRAGMA user_version = {_VERSION}")
            database.execute(f"PRAGMA application_id = {_APPLICATION}")
        _check_stamp(path, database)
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _write_ahead(database: sqlite3.Connection) -> None:
    """Choose the journal. Here SQLite waits for nobody; where another process writes, wait for its end."""
    until = time.monotonic() + limits.TEAM_BUSY_SECONDS
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= until:
                raise
            database.execute("BEGIN EXCLUSIVE")
            database.execute("ROLLBACK")
        else:
            return


def _check_stamp(path: Path, database: sqlite3.Connection) -> None:
    """Refuse a file that is no purse, or another version's."""
    version = database.execute("PRAGMA user_version").fetchone()[0]
    application = database.execute("PRAGMA application_id").fetchone()[0]
    if application != _APPLICATION:
        raise StoreError(f"not a team's purse: {path}", hint="move the file away, or name another team")
    if version != _VERSION:
        raise StoreError(
            f"purse {path}: version {version}; this covey reads {_VERSION}", hint="upgrade every peer"
        )


def _unusable(path: Path, error: Exception) -> StoreError:
    return StoreError(
        f"purse {path}: {error}", code="purse_unusable", hint="check the file, its folder and the space left"
    )
