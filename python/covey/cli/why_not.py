"""`covey why-not`: show why memory did not take a block, or what it turned away lately; running or not."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, Final

from covey import limits
from covey.cli.blocks import because, clock, word
from covey.cli.console import Console, printable
from covey.cli.parser import Parser
from covey.cli.why import reasons, show
from covey.errors import IpcError, NotRunningError
from covey.system.home import Home

EXAMPLE: Final = "covey why-not writer cmb-5e41…"

_DIGITS: Final = len("cmb-") + 12


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="whose memory")
    parser.add_argument(
        "key",
        nargs="?",
        help="the block's content key, or its first digits; without one: what was turned away lately",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer, or read its store when it does not run."""
    if arguments.key is None:
        return _lately(arguments.peer, console)
    found = reasons(arguments, console)
    turned_away = [each for each in found["decisions"] if each["outcome"] != "admitted"]
    if not turned_away:
        raise IpcError(
            f"memory of {arguments.peer} holds {found['key'][:16]}, and never turned it away",
            code="held",
            hint=f"covey why {arguments.peer} {found['key'][:16]} says why",
        )
    show(arguments, console, {**found, "decisions": turned_away})
    return 0


def _lately(name: str, console: Console) -> int:
    """List what was turned away among the newest decisions, the newest first."""
    looked = _decisions(Home.resolve(console.env), name)
    found = [each for each in looked if each["kind"] != "admitted"]
    if found:
        lines = [_line(console, each) for each in found]
        lines.append(
            console.style(f"one of them in full: covey why-not {name} {found[0]['key'][:_DIGITS]}", "dim")
        )
    else:
        lines = [f"{name} turned nothing away: {len(looked)} newest decisions looked at"]
    console.result({"peer": name, "looked_at": len(looked), "turned_away": found}, "\n".join(lines))
    return 0


def _line(console: Console, decided: Mapping[str, Any]) -> str:
    judged = decided["evaluation"]
    why = decided["reason"] if judged is None else because(decided["kind"], judged["explanation"])
    said = ": ".join(part for part in (str(why), decided["detail"] or "") if part)
    at = f"{clock(decided['at_ms'])}  {decided['key'][:_DIGITS]}"
    return f"{at}  {word(console, decided['kind'])}  of {decided['node_id']}: {printable(said)}"


def _decisions(home: Home, name: str) -> list[dict[str, Any]]:
    from covey.net.ipc.client import IpcClient

    asked = {"limit": limits.IPC_RECALL_BLOCKS}
    try:
        peer = IpcClient(home.socket_path(name))
    except NotRunningError:
        return _kept(home, name)
    with peer:
        rows: list[dict[str, Any]] = peer.request("decisions", asked)["decisions"]
    return rows


def _kept(home: Home, name: str) -> list[dict[str, Any]]:
    from covey.cli.peer import stored
    from covey.cli.reach import known
    from covey.runtime.reading import decisions

    known(home, name)
    with stored(home, name) as (store, _):
        rows: list[dict[str, Any]] = decisions(store, None, limits.IPC_RECALL_BLOCKS)["decisions"]
    return rows
