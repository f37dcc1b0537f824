"""The flags of commands that may start a peer by themselves, and the options they make."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.cli.parser import Parser
from covey.errors import UsageError
from covey.names import room_name

if TYPE_CHECKING:
    from covey.proto.options import NodeOptions, RelayOptions
    from covey.settings import StaticPeer

RELAY_TOKEN: Final = "COVEY_RELAY_TOKEN"
RELAY_PROXY: Final = "COVEY_RELAY_PROXY"


def add(parser: Parser) -> None:
    """Declare --room, --lan, --dial and --relay."""
    parser.add_argument("--room", metavar="ROOM", help='which room (default "default")')
    parser.add_argument("--lan", action="store_true", help="reach beyond this machine, to the local network")
    parser.add_argument(
        "--dial",
        action="append",
        default=[],
        metavar="HOST:PORT[#KEY]",
        help="dial this address too, where only that key fingerprint may answer (may be given several times)",
    )
    parser.add_argument(
        "--relay",
        action="append",
        default=[],
        metavar="URL",
        help=f"be reachable through this relay too (its token in {RELAY_TOKEN})",
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


def options(arguments: argparse.Namespace, env: Mapping[str, str], *, outbound_only: bool) -> NodeOptions:
    """Return the options for a peer without a configuration file.

    Raises:
        UsageError: A room, an address or a relay is none.
    """
    from covey.proto.options import NodeOptions
    from covey.settings import StaticPeer
    from covey.settings.grammar import needs_tls, relay_url

    room = room_name("default" if arguments.room is None else arguments.room)
    try:
        static = tuple(map(StaticPeer.parse, arguments.dial))
    except ValueError as error:
        raise UsageError(f"--dial: expected {error}") from error
    try:
        urls = tuple(map(relay_url, arguments.relay))
    except ValueError as error:
        raise UsageError(f"--relay: expected {error}") from error
    if len(urls) > limits.RELAYS or len(set(urls)) != len(urls):
        raise UsageError(f"--relay: at most {limits.RELAYS}, each once")
    if any(map(needs_tls, urls)):
        raise UsageError(
            "--relay: beyond this machine a relay needs wss://",
            hint="[mesh] relay_plain = true in agent.toml allows ws:// where the way there is trusted",
        )
    return NodeOptions(
        room=room,
        lan=arguments.lan,
        host="0.0.0.0" if arguments.lan else "127.0.0.1",
        addresses=tuple((each.host, each.port) for each in static),
        address_keys=keys(static),
        outbound_only=outbound_only,
        relays=relays(urls, None, env),
    )


def keys(static: Sequence[StaticPeer]) -> dict[tuple[str, int], str]:
    """Return the keys that are pinned for static addresses."""
    return {(each.host, each.port): each.fingerprint for each in static if each.fingerprint}


def relays(
    urls: Sequence[str], token: str | None, env: Mapping[str, str], proxy: str | None = None
) -> tuple[RelayOptions, ...]:
    """Return the relays of a peer. The environment's token and proxy come before the file's.

    A relay on this machine is never asked for through a proxy.

    Raises:
        UsageError: The environment's token or proxy cannot be one.
    """
    from covey.proto.options import RelayOptions
    from covey.settings.grammar import header_value, leads_away, proxy_url

    said = env.get(RELAY_TOKEN) or token
    if said is not None and len(said) > limits.RELAY_TOKEN_CHARS:
        raise UsageError(f"{RELAY_TOKEN}: longer than {limits.RELAY_TOKEN_CHARS} characters")
    try:
        header_value(said or "")
    except ValueError as error:
        raise UsageError(f"{RELAY_TOKEN}: expected {error}") from error  # not what it says: it is secret
    try:
        way = proxy_url(env[RELAY_PROXY]) if env.get(RELAY_PROXY) else proxy
    except ValueError as error:
        raise UsageError(f"{RELAY_PROXY}: expected {error}") from error  # not what it says: it may be secret
    return tuple(RelayOptions(url, said, way if leads_away(url) else None) for url in urls)
