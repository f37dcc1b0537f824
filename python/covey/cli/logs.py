"""`covey logs`: read a peer's log, from its end or as it grows, the rotated files included."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser, path, whole
from covey.errors import EXIT_OK, StoreError, UsageError
from covey.limits import LOG_SHOWN_CHARS, LOG_SHOWN_LINES
from covey.system.clock import SystemClock
from covey.system.home import Home
from covey.system.log import LEVELS, timestamp
from covey.system.log_reader import Backwards, Follower
from covey.values import dataclass

EXAMPLE: Final = "covey logs writer --level warn --since 2h --follow"
_POLL_SECONDS: Final = 0.2
_COLOURS: Final = {"error": "red", "warn": "yellow", "info": "green", "debug": "dim"}
_SPANS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="whose log; `covey` is that of the commands themselves")
    parser.add_argument(
        "--lines", type=whole(0, LOG_SHOWN_LINES), default=50, metavar="N", help="newest lines (default 50)"
    )
    parser.add_argument("--follow", action="store_true", help="go on with what is written, until Ctrl-C")
    parser.add_argument("--level", choices=LEVELS, help="this level and what is more important")
    parser.add_argument(
        "--event",
        action="append",
        default=[],
        metavar="NAME",
        help="only these events; * stands for any letters (may be given several times)",
    )
    parser.add_argument(
        "--since", metavar="WHEN", help="not older: 30s, 10m, 2h, 3d, or a time as the log writes it"
    )
    parser.add_argument("--file", type=path, metavar="PATH", help="another log, as [logging] file_path says")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are shown. `since` is a time as logs write it, `level` an index of LEVELS."""

    level: int = len(LEVELS) - 1
    events: tuple[str, ...] = ()
    since: str = ""

    @property
    def everything(self) -> bool:
        """Say whether nothing is filtered out."""
        return self == Wanted()

    def too_old(self, line: Mapping[str, Any]) -> bool:
        """Tell whether a line, and with it all before it, is older than asked for."""
        stamp = line.get("ts")
        return isinstance(stamp, str) and stamp < self.since

    def takes(self, line: Mapping[str, Any]) -> bool:
        """Tell whether a line is shown; a line that is no JSON only where nothing is filtered."""
        level, event = line.get("level"), line.get("evt")
        if level not in LEVELS or not isinstance(event, str):
            return self.everything
        named = not self.events or any(fnmatchcase(event, name) for name in self.events)
        return named and LEVELS.index(level) <= self.level and not self.too_old(line)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Show the newest lines that are wanted, then, where asked, what follows."""
    home = Home.resolve(console.env)
    file: Path = arguments.file or home.log_path(arguments.peer)
    wanted = _wanted(arguments)
    with Backwards(file) as lines:
        if not lines.found:
            known = ", ".join(home.peers()) or "none"
            raise StoreError(
                f"no log: nothing at {file}", code="no_log", hint=f"peers of this machine: {known}"
            )
        follower = lines.follower() if arguments.follow else None
        newest = _newest(lines, wanted, arguments.lines)
    for line in reversed(newest):
        _show(console, line)
    if follower is not None:
        _follow(console, follower, wanted)
    return EXIT_OK


def _newest(lines: Iterable[str], wanted: Wanted, most: int) -> list[dict[str, Any]]:
    """Return up to `most` wanted lines, newest first; stop where all that follow are too old."""
    found: list[dict[str, Any]] = []
    if not most:
        return found
    for text in lines:
        line = _read(text)
        if wanted.since and wanted.too_old(line):
            break
        if wanted.takes(line):
            found.append(line)
        if len(found) == most:
            break
    return found


def _follow(console: Console, follower: Follower, wanted: Wanted) -> None:
    from covey.cli.interrupt import Interrupt

    with Interrupt() as interrupt:
        while not interrupt.came:
            for text in follower.lines():
                line = _read(text)
                if wanted.takes(line):
                    _show(console, line)
            console.flush()
            interrupt.wait(_POLL_SECONDS)
    follower.close()


def _read(text: str) -> dict[str, Any]:
    """Return a line as an object; what is none is kept as it is."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        line = None
    return line if isinstance(line, dict) else {"raw": text}


def _show(console: Console, line: Mapping[str, Any]) -> None:
    console.result(line, "" if console.as_json else told(console, line))


def told(console: Console, line: Mapping[str, Any]) -> str:
    """Return one line of a log as people read it."""
    if "raw" in line:
        return printable(str(line["raw"]))
    level = str(line.get("level"))
    shown = console.style(f"{level:<5}", _COLOURS.get(level, "bold"))
    head = (
        f"{printable(str(line.get('ts')))} {shown} {console.style(printable(str(line.get('evt'))), 'bold')}"
    )
    data = line.get("data")
    facts = "  ".join(_facts(data)) if isinstance(data, dict) else ""
    return f"{head}  {facts}".rstrip()


def _facts(data: Mapping[str, Any]) -> Iterator[str]:
    for name, value in data.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        cut = text if len(text) <= LOG_SHOWN_CHARS else f"{text[:LOG_SHOWN_CHARS]}… (--json shows all)"
        yield f"{printable(name)}={printable(cut)}"


def _wanted(arguments: argparse.Namespace) -> Wanted:
    level = len(LEVELS) - 1 if arguments.level is None else LEVELS.index(arguments.level)
    since = "" if arguments.since is None else _since(arguments.since, SystemClock().now_ms)
    return Wanted(level, tuple(arguments.event), since)


def _since(text: str, now_ms: Callable[[], int]) -> str:
    """Return a time as logs write it.

    Raises:
        UsageError: It is neither a span nor a time.
    """
    span = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if span is not None:
        return timestamp(max(0, now_ms() - int(span[1]) * _SPANS[span[2]] * 1_000))
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,3})?)?Z?)?", text):
        return text
    raise UsageError(
        f"--since: expected 30s, 10m, 2h, 3d, or a time such as {timestamp(now_ms())}, got {text!r}"
    )
