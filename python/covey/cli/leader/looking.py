"""`covey peer version`, `deps` and `logs`: what a leader says of itself, without changing anything."""

from __future__ import annotations

import argparse
import contextlib
import threading
from collections.abc import Mapping
from typing import Any, Final

from covey import __version__, limits
from covey.cli.console import Console, printable
from covey.cli.leader import reach
from covey.cli.leader.book import Connection
from covey.cli.logs import told as told_line
from covey.cli.peers import table
from covey.errors import EXIT_OK, NetworkError
from covey.system.home import Home

_LINES: Final = 50
_AGAIN_SECONDS: Final = 1.0


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Do one of them."""
    target = reach.target(arguments, Home.resolve(console.env))
    if arguments.verb == "logs":
        return _logs(arguments, console, reach.as_admin(arguments, target))
    with reach.client(target) as made:
        found = reach.ask(made, "GET", f"/covey/{arguments.verb}")
    if arguments.verb == "deps":
        packages = found["packages"]
        rows = [
            (printable(name), printable(str(each["version"] or "not installed")), str(each["extra"] or ""))
            for name, each in packages.items()
        ]
        console.result(found, table(console, ("package", "version", "extra"), rows))
        return EXIT_OK
    same = "the same" if found["version"] == __version__ else "another"
    facts = {"here": __version__, "leader": found}
    there = ", ".join(f"{name} {found[name]}" for name in ("python", "system") if name in found)
    console.result(
        facts,
        f"here:   {__version__}\nleader: {printable(str(found['version']))} ({same}; {printable(there)})",
    )
    return EXIT_OK


def _logs(arguments: argparse.Namespace, console: Console, target: Connection) -> int:
    """Show the newest lines; with --follow what comes, going on by number after every break."""
    page = _page(target, 0, wait=False)
    rows = list(page["rows"])
    while len(page["rows"]) == limits.DOOR_LOG_PAGE:
        page = _page(target, int(page["next"]), wait=False)
        rows += page["rows"]
    for row in rows[-(arguments.lines or _LINES) :]:
        _show(console, row)
    console.flush()
    if not arguments.follow:
        return EXIT_OK
    # Ctrl-C is how one stops following, also in the middle of a wait.
    with contextlib.suppress(KeyboardInterrupt):
        _follow(console, target, int(page["next"]))
    return EXIT_OK


def _follow(console: Console, target: Connection, since: int) -> None:
    away, pause = False, threading.Event()
    while True:
        try:
            page = _page(target, since, wait=True)
        except NetworkError as error:
            if not away:
                console.note(f"covey peer logs: {printable(error.message)}; trying again")
            away = True
            pause.wait(_AGAIN_SECONDS)
            continue
        if page["missed"]:
            console.note(f"covey peer logs: {page['missed']} lines are gone already")
        for row in page["rows"]:
            _show(console, row)
        console.flush()
        since, away = int(page["next"]), False


def _page(target: Connection, since: int, *, wait: bool) -> dict[str, Any]:
    seconds = limits.DOOR_LOG_WAIT_SECONDS + limits.PEER_STAGE_SECONDS
    with reach.client(target, seconds) as made:
        return reach.ask(made, "GET", f"/covey/logs?since={since}{'&wait=1' if wait else ''}")


def _show(console: Console, row: Mapping[str, Any]) -> None:
    console.result(row, "" if console.as_json else told_line(console, row))
