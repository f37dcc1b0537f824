"""`covey stop`: let a peer finish what it has begun, and end."""

from __future__ import annotations

import argparse
from typing import Final

from covey.cli.console import Console
from covey.cli.parser import Parser, seconds
from covey.cli.reach import client
from covey.errors import IpcError
from covey.limits import AGENT_DRAIN_SECONDS, AGENT_DRAIN_SECONDS_MOST, STOP_SECONDS
from covey.system.home import Home
from covey.system.lock import wait_until_free

EXAMPLE: Final = "covey stop writer --timeout 60"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="name of the peer")
    parser.add_argument(
        "--timeout",
        type=seconds(0, AGENT_DRAIN_SECONDS_MOST),
        default=AGENT_DRAIN_SECONDS,
        metavar="SECONDS",
        help="how long it may finish what it has begun; then that is cut off (default 30)",
    )
    parser.add_argument(
        "--wait",
        type=seconds(0, 3_600),
        metavar="SECONDS",
        help="how long to wait for its end (default: the timeout and 12 more; 0 only asks)",
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the peer to stop, and wait until its process has let go of its lock."""
    home, name = Home.resolve(console.env), arguments.peer
    with client(home, name) as peer:
        accepted = bool(peer.request("stop", {"timeout_seconds": arguments.timeout})["accepted"])
    wait = arguments.timeout + STOP_SECONDS if arguments.wait is None else arguments.wait
    ended = wait_until_free(home.lock_path(name), wait)
    if wait and not ended:
        raise IpcError(
            f'peer "{name}" accepted, and still runs after {wait:g} s',
            code="still_running",
            hint=f"see what it is doing: covey status {name}",
        )
    text = f"stop accepted: {str(accepted).lower()}" + ("\nstopped" if ended else "")
    console.result({"peer": name, "accepted": accepted, "stopped": ended}, text)
    return 0
