"""`covey listen`: print blocks as they are admitted, with their verdicts."""

from __future__ import annotations

import argparse
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from covey.cli import mesh_flags, passphrase
from covey.cli.blocks import event_lines
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, amount, whole
from covey.cli.troubles import Troubles
from covey.errors import EXIT_OK, NotRunningError, UsageError
from covey.limits import IPC_SUBSCRIBER_EVENTS
from covey.names import peer_name
from covey.net.ipc.client import IpcClient
from covey.system.clock import SystemClock
from covey.system.home import Home

if TYPE_CHECKING:
    from covey.cli.loop import Stop
    from covey.cli.peer import OpenPeer, PeerPlan

EXAMPLE: Final = "covey listen --room planning"
DEFAULT_NAME: Final = "listener"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", nargs="?", help=f"a running peer, or the new one's name ({DEFAULT_NAME})")
    parser.add_argument("--name", metavar="NAME", help="the same as PEER")
    parser.add_argument(
        "--count", type=whole(1, 1_000_000_000), metavar="N", help="end after N blocks were delivered"
    )
    parser.add_argument(
        "--attest", action="store_true", help="tell the room what was decided about each open block, signed"
    )
    parser.add_argument(
        "--weigh",
        metavar="WEIGHTS",
        help="hear only what matters under these weights, focus=2,mood=0.8; the peer remembers all the same",
    )
    parser.add_argument(
        "--up-to",
        type=amount(0, 1),
        metavar="DRIFT",
        help="with --weigh: the largest drift that is heard",
    )
    parser.add_argument(
        "--forward", action="store_true", help="hand on what others wrote to peers that hold no source of it"
    )
    mesh_flags.add(parser)
    passphrase.add(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Listen through the running peer of that name, or start it."""
    if arguments.peer and arguments.name and arguments.peer != arguments.name:
        raise UsageError(f"two names: {arguments.peer} and {arguments.name}")
    home, name = Home.resolve(console.env), peer_name(arguments.peer or arguments.name or DEFAULT_NAME)
    wish = _wish(arguments)
    shown = Shown(console, arguments.count, _hears(wish))
    try:
        running = IpcClient(home.socket_path(name))
    except NotRunningError:
        from covey.cli.peer import PeerPlan

        opened = passphrase.opened(home, name, arguments.passphrase_file, console.env)
        options = replace(
            mesh_flags.options(arguments, console.env, outbound_only=False), forward=arguments.forward
        )
        plan = PeerPlan(
            home, name, options, opened=opened, attest=arguments.attest, sinks=(Troubles(console),)
        )
        return start(plan, shown)
    # Ctrl-C is how one stops listening; the peer itself runs on.
    with running, contextlib.suppress(KeyboardInterrupt):
        return _attach(arguments, running, name, shown, wish)
    return EXIT_OK


def _wish(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.weigh is None:
        if arguments.up_to is not None:
            raise UsageError("--up-to: of which weights?", hint="--weigh focus=2,mood=0.8 --up-to 0.3")
        return {}
    from covey.cognition.hearing import read  # loaded where weights are said

    wish: dict[str, Any] = {"weights": read(arguments.weigh)}
    return wish if arguments.up_to is None else {**wish, "threshold": arguments.up_to}


def _hears(wish: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bool] | None:
    if not wish:
        return None
    from covey.cognition.hearing import narrowed

    return narrowed(wish)


class Shown:
    """Prints news, and counts the blocks among it."""

    def __init__(
        self, console: Console, count: int | None, hears: Callable[[Mapping[str, Any]], bool] | None = None
    ) -> None:
        self._console = console
        self._hears = hears
        self._left = count
        self._clock = SystemClock()

    @property
    def env(self) -> Mapping[str, str]:
        """Return the environment the command runs in."""
        return self._console.env

    def __call__(self, event: Mapping[str, Any]) -> bool:
        """Show one event, unless it is none for who listens; return True when enough were shown."""
        if self._hears is not None and not self._hears(event):
            return False
        lines = list(event_lines(self._console, event, self._clock.now_ms()))
        if lines or self._console.as_json:
            self._console.event(event, "\n".join(lines))
        if self._left is not None and event["event"] == "delivered":
            self._left -= 1
        return self._left == 0

    def began(self, facts: Mapping[str, Any], text: str) -> None:
        """Say that listening has begun."""
        if self._console.as_json:
            self._console.event({"event": "listening", **facts}, "")
        else:
            self._console.note(self._console.style(text, "dim"))


def _attach(
    arguments: argparse.Namespace, peer: IpcClient, name: str, shown: Shown, wish: Mapping[str, Any]
) -> int:
    room = peer.request("status")["node"]["room"]
    mesh_flags.refuse_other_room(arguments, name, room)
    events = peer.subscribe(**wish)
    shown.began(
        {"peer": name, "room": room, "attached": True},
        f"listening through the running peer {printable(name)} in room {room}; Ctrl-C ends only this",
    )
    for event in events:
        if shown(event):
            break
    return EXIT_OK


def start(plan: PeerPlan, shown: Shown, began: Callable[[OpenPeer], Awaitable[None]] | None = None) -> int:
    """Start a peer and print what it hears, until it is told to end.

    Args:
        plan: What the peer is made of.
        shown: Prints its news.
        began: Called once it listens, before anything else is said.
    """
    from covey.cli import loop
    from covey.cli.peer import open_peer
    from covey.proto.news import News, as_dict
    from covey.system import collector

    name = plan.name

    async def work(stop: Stop) -> int:
        failure: list[BaseException] = []
        early: deque[News] = deque(maxlen=IPC_SUBSCRIBER_EVENTS)
        """What comes before it is said that we listen: a peer of this machine is there in no time."""
        began_to_show: list[bool] = []

        def hear(news: News) -> None:
            if began_to_show:
                show(news)
            else:
                early.append(news)

        def joined(peer: OpenPeer) -> None:
            peer.node.subscribe(hear)

        def show(news: News) -> None:
            try:
                if shown(as_dict(news)):
                    stop.request("count")
            except Exception as error:  # a closed pipe must end the command, not count as a node's bug
                failure.append(error)
                stop.request("output")

        async with open_peer(
            plan,
            on_stop=lambda _: stop.request("IPC_STOP"),
            join=joined,
        ) as peer:
            if began is not None:
                await began(peer)
            room, port = peer.node.options.room, peer.node.port
            shown.began(
                {"peer": name, "room": room, "port": port, "attached": False},
                f"listening as {printable(name)} in room {room}, port {port}; Ctrl-C ends it",
            )
            began_to_show.append(True)
            for news in early:
                show(news)
            collector.settle()
            await stop.wait()
        if failure:
            raise failure[0]
        return EXIT_OK

    return loop.run(work)
