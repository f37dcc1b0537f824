"""`covey peer test`, and the test that connect makes before it saves."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from covey.cli.console import Console, printable
from covey.cli.leader import book, reach
from covey.cli.leader.book import Connection
from covey.cli.leader.stages import CODES, Stage, Test
from covey.errors import EXIT_OK, StoreError
from covey.system.clock import SystemClock
from covey.system.home import Home
from covey.system.log import timestamp
from covey.system.private_file import replace_whole

_PROBES = 5


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Test the leader that is named, or the saved one; keep what was found of the saved one."""
    home = Home.resolve(console.env)
    if arguments.words:
        saved = book.load(home) if arguments.key_file is None else None
        ca = None if arguments.ca is None else str(arguments.ca)
        # The saved key goes to the saved leader and to nobody else.
        same = saved is not None and _same(saved.url, arguments.words[0])
        key = saved.key if saved is not None and same else key_for(arguments)
        connection = Connection(arguments.words[0], key, ca=ca)
    else:
        connection = reach.target(arguments, home)
    stages = tested(connection, arguments, console)
    told = told_of(connection, stages)
    saved = book.load(home)
    if saved is not None and _same(saved.url, connection.url):
        keep(home, told)
    if console.as_json:
        console.result(told, "")
    return EXIT_OK if stages[-1].good else CODES[stages[-1].name]


def key_for(arguments: argparse.Namespace) -> str:
    """Return the key for the address that is named; nobody is asked for one where that is no address.

    Raises:
        UsageError: There is none, or it can be none.
    """
    try:
        book.address(arguments.words[0])
    except ValueError:
        return ""  # the first stage says so, with its own code
    return book.key_of(arguments.key_file, "key")


def tested(connection: Connection, arguments: argparse.Namespace, console: Console) -> list[Stage]:
    """Go through the stages and say each as it ends; return them."""
    found: list[Stage] = []
    for stage in Test(connection, arguments.model or "", arguments.probes or _PROBES).run():
        found.append(stage)
        mark = console.style("ok  ", "green") if stage.good else console.style("FAIL", "red")
        console.say(f"{mark} {stage.name:<8} {printable(stage.said)}")
        if stage.fix is not None:
            console.say(f"     next: {printable(stage.fix)}")
        console.flush()
    return found


def told_of(connection: Connection, stages: list[Stage]) -> dict[str, Any]:
    """Return what a test found, as JSON values; the key is not among it."""
    last = stages[-1]
    return {
        "url": connection.url,
        "at": timestamp(SystemClock().now_ms()),
        "ok": last.good,
        "failed": None if last.good else last.name,
        "exit_code": 0 if last.good else CODES[last.name],
        "stages": [asdict(stage) for stage in stages],
    }


def keep(home: Home, told: dict[str, Any]) -> None:
    """Keep what a test found, for `covey peer show`.

    Raises:
        StoreError: It cannot be written.
    """
    try:
        replace_whole(home.leader_probe_path, json.dumps(told, indent=2).encode() + b"\n")
    except OSError as error:
        raise StoreError(f"cannot write {home.leader_probe_path}: {error.strerror or error}") from error


def _same(saved: str, said: str) -> bool:
    try:
        return saved == book.address(said)
    except ValueError:
        return False
