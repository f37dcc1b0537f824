"""The flags of commands that may start a peer by themselves, and the options they make."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from covey.cli.parser import Parser
from covey.errors import UsageError
from covey.names import room_name

if TYPE_CHECKING:
    from covey.proto.options import NodeOptions


def add(parser: Parser) -> None:
    """Declare --room, --lan and --dial."""
    parser.add_argument("--room", metavar="ROOM", help='which room (default "default")')
    parser.add_argument("--lan", action="store_true", help="reach beyond this machine, to the local network")
    parser.add_argument(
        "--dial",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="dial this address too (may be given several times)",
    )


def refuse_other_room(arguments: argparse.Namespace, name: str, room: str) -> None:
    """Refuse a room that the running peer, which is asked to do it, does not sit in.

    Raises:
        UsageError: It names both rooms.
    """
    if arguments.room is not None and arguments.room != room:
        raise UsageError(
            f'peer "{name}" is running in room "{room}", not in "{arguments.room}"',
            code="other_room",
            hint="a peer sits in one room: give this one another name",
        )


def options(arguments: argparse.Namespace, *, outbound_only: bool) -> NodeOptions:
    """Return the options for a peer without a configuration file.

    Raises:
        UsageError: A room or an address is none.
    """
    from covey.proto.options import NodeOptions
    from covey.settings import StaticPeer

    room = room_name("default" if arguments.room is None else arguments.room)
    try:
        addresses = tuple((found.host, found.port) for found in map(StaticPeer.parse, arguments.dial))
    except ValueError as error:
        raise UsageError(f"--dial: expected {error}") from error
    return NodeOptions(
        room=room,
        lan=arguments.lan,
        host="0.0.0.0" if arguments.lan else "127.0.0.1",
        addresses=addresses,
        outbound_only=outbound_only,
    )
