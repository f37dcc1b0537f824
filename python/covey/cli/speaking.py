"""Asking a peer to speak about blocks: one that runs, or one that lives as long as the command."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from covey.cli import mesh_flags, passphrase
from covey.cli.blocks import send_line
from covey.cli.console import Console
from covey.cli.parser import Parser, seconds
from covey.errors import EXIT_OK, CoveyError, NotRunningError
from covey.limits import IPC_RECEIPT_SECONDS
from covey.net.ipc.client import IpcClient
from covey.system.home import Home

if TYPE_CHECKING:
    from covey.cli.loop import Stop

_LOCK_SECONDS: Final = 10.0


def add_flags(parser: Parser) -> None:
    """Declare what all commands that speak about blocks share."""
    parser.add_argument(
        "--wait",
        type=seconds(0, 600),
        default=IPC_RECEIPT_SECONDS,
        metavar="SECONDS",
        help=f"longest wait for peers and their answers (default {IPC_RECEIPT_SECONDS:g}; 0: none)",
    )
    mesh_flags.add(parser)
    passphrase.add(parser)


def spoken(
    arguments: argparse.Namespace, console: Console, name: str, verb: str, request: Mapping[str, object]
) -> dict[str, Any]:
    """Do one request of `runtime.words` as the peer called `name`.

    Raises:
        IpcError: It was not said; it says why.
        CoveyError: The peer cannot be opened.
    """
    home = Home.resolve(console.env)
    try:
        peer = IpcClient(home.socket_path(name))
    except NotRunningError:
        return _by_itself(arguments, console, home, name, verb, request)
    with peer:
        asked = dict(request) if verb == "about" else {**request, "wait_seconds": arguments.wait}
        return peer.request(verb, asked, timeout_seconds=2 * arguments.wait + IPC_RECEIPT_SECONDS)


def told(console: Console, found: Mapping[str, Any], said: str) -> int:
    """Print what became of a word; kept here is done, whoever took it.

    Raises:
        CoveyError: It was refused.
    """
    if found["result"] == "refused":
        raise CoveyError(f"not said: {found['reason']}: {found['detail']}", code=found["reason"])
    again = " (said before: the same block)" if found["result"] == "duplicate" else ""
    lines = [f"{said}: {found['key']}{again}"]
    lines += [f"  {send_line(console, send)}" for send in found.get("sends", ())]
    console.result({"ok": True, **found}, "\n".join(lines))
    return EXIT_OK


def _by_itself(
    arguments: argparse.Namespace,
    console: Console,
    home: Home,
    name: str,
    verb: str,
    request: Mapping[str, object],
) -> dict[str, Any]:
    from covey.cli import loop
    from covey.cli.observe import meet
    from covey.cli.peer import PeerPlan, open_peer

    options = mesh_flags.options(arguments, console.env, outbound_only=True)
    opened = passphrase.opened(home, name, arguments.passphrase_file, console.env)
    plan = PeerPlan(home, name, options, wait_for_lock_seconds=_LOCK_SECONDS, opened=opened)
    found: dict[str, Any] = {}

    async def speak() -> None:
        async with open_peer(plan) as peer:
            shows = verb == "about" or request.get("action") == "show"
            if arguments.wait and not shows:
                await meet(peer.node, arguments.wait, None, 0.1)
            asked = dict(request) if shows else {**request, "wait_seconds": arguments.wait}
            found.update(await peer.words.verbs[verb](asked))

    async def work(stop: Stop) -> int:
        return await loop.until_stopped(speak(), stop)

    if loop.run(work) != EXIT_OK:
        raise KeyboardInterrupt
    return found
