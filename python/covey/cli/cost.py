"""`covey cost`: show what the model calls of a peer cost, and those of its team."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from covey.cli.console import Console, printable
from covey.cli.parser import Parser
from covey.cli.reach import saved_state, the_one
from covey.cli.status import flat
from covey.errors import EXIT_OK, NotRunningError, UsageError
from covey.net.ipc.client import IpcClient
from covey.system.home import Home

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE: Final = "covey cost writer"
_LEDGER: Final = "safety.ledger"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", nargs="?", help="name of the peer; not needed when only one runs")
    parser.add_argument("--team", metavar="NAME", help="show a team's purse, and each peer's part of it")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer, or read what it or its team kept."""
    home = Home.resolve(console.env)
    if arguments.team is not None:
        if arguments.peer is not None:
            raise UsageError("a peer or --team, not both")
        team = _team(home.team_path(arguments.team))
        console.result(dict(team), "\n".join(_team_lines(team)))
        return EXIT_OK
    found = _peer(home, the_one(home, arguments.peer))
    shown = {name: value for name, value in found.items() if name != "team" and value is not None}
    rows = list(flat(shown))
    width = max(len(name) for name, _ in rows) + 1
    lines = [f"{name + ':':<{width}} {printable(str(value))}" for name, value in rows]
    if found.get("team") is not None:
        lines += ["", *_team_lines(found["team"])]
    console.result(found, "\n".join(lines))
    return EXIT_OK


def _peer(home: Home, name: str) -> dict[str, Any]:
    """Ask the running peer, or read the ledger of one that does not run."""
    try:
        peer = IpcClient(home.socket_path(name))
    except NotRunningError:
        from covey.safety.ledger import Ledger

        saved, ledger = saved_state(home, name, _LEDGER)[_LEDGER], Ledger()
        if saved is not None:
            ledger.restore(saved)
        return {"peer": name, "running": False, "lifetime": ledger.lifetime.as_dict()}
    with peer:
        return peer.request("cost")


def _team(path: Path) -> Mapping[str, Any]:
    from covey.store.purse import look
    from covey.system.clock import SystemClock

    clock = SystemClock()
    return look(path, clock, clock.era())


def _team_lines(team: Mapping[str, Any]) -> Iterator[str]:
    """Yield the purse, then a line for each peer."""
    caps = {window: "no cap" if cap is None else f"${cap:g}" for window, cap in team["caps"].items()}
    yield (
        f"team {printable(team['team'])}: ${team['hour_usd']:.6f} of {caps['hour']} this hour, "
        f"${team['day_usd']:.6f} of {caps['day']} this day, ${team['reserved_usd']:.6f} set aside"
    )
    heads = ("PEER", "CALLS", "TOKENS in/out", "MESSAGES", "HOUR", "DAY", "EVER")
    rows = [
        (
            printable(each["peer"]),
            str(each["calls"]),
            f"{each['input_tokens']}/{each['output_tokens']}",
            str(each["emitted"]),
            f"${each['hour_usd']:.6f}",
            f"${each['day_usd']:.6f}",
            f"${each['cost_usd']:.6f}",
        )
        for each in team["peers"]
    ]
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for row in (heads, *rows):
        yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
