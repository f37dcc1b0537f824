"""`covey invite`: make one line that brings another peer into this peer's room."""

from __future__ import annotations

import argparse
import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.cli import mesh_flags, passphrase
from covey.cli.console import Console
from covey.cli.parser import Parser, amount, path
from covey.errors import EXIT_OK, NotRunningError, StoreError, UsageError
from covey.names import peer_name
from covey.net.ipc.client import IpcClient
from covey.settings import grammar
from covey.system.home import Home

if TYPE_CHECKING:
    from covey.cli.peer import PeerPlan
    from covey.runtime.inviting import Offer
    from covey.settings import Settings

EXAMPLE: Final = "covey invite writer --hours 2 --once"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", nargs="?", help="who invites: a running peer, or the one of --config")
    parser.add_argument("--config", type=path, metavar="PATH", help="its agent.toml, when it does not run")
    parser.add_argument(
        "--listen", action="store_true", help="start it too, as covey listen does, and print what comes"
    )
    parser.add_argument(
        "--hours",
        type=amount(0.01, limits.INVITE_HOURS),
        default=limits.INVITE_HOURS_USUAL,
        help=f"how long it holds (default {limits.INVITE_HOURS_USUAL:g}, at most {limits.INVITE_HOURS:g})",
    )
    parser.add_argument("--once", action="store_true", help="only the first who comes with it is welcome")
    parser.add_argument("--for", dest="guest", metavar="NODEID", help="for this node only; needs --key")
    parser.add_argument("--key", help="its public key, as `covey fingerprint` prints it")
    parser.add_argument(
        "--address",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="where this peer can be dialled too, a forwarded port for instance (may be given several times)",
    )
    parser.add_argument("--out", type=path, metavar="PATH", help="file to write it to; else it is printed")
    mesh_flags.add(parser)
    passphrase.add(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Ask the running peer for an invite, or make one for a peer that does not run."""
    home = Home.resolve(console.env)
    offer = _offer(arguments)
    settings = _settings(arguments.config)
    name = _name(arguments, home, settings)
    try:
        running = IpcClient(home.socket_path(name))
    except NotRunningError:
        if arguments.listen:
            return _listen(arguments, console, home, name, settings, offer)
        return _offline(arguments, console, home, name, settings, offer)
    if arguments.listen:
        raise UsageError(f'peer "{name}" runs already', hint=f"without --listen: covey invite {name}")
    with running:
        mesh_flags.refuse_other_room(arguments, name, running.request("status")["node"]["room"])
        show(console, running.request("invite", _wire(arguments, offer)), arguments.out)
    return EXIT_OK


def show(console: Console, facts: Mapping[str, Any], out: Path | None) -> None:
    """Print or write an invite, and say beside it what it is worth.

    Raises:
        StoreError: The file cannot be written.
    """
    if out is None:
        console.result(facts, facts["invite"])
    else:
        from covey.system.private_file import replace_whole

        try:
            replace_whole(out, f"{facts['invite']}\n".encode())
        except OSError as error:
            raise StoreError(
                f"cannot write {out}: {error.strerror or error}", hint="name a folder that is there and yours"
            ) from error
        console.result({**facts, "invite": None, "path": str(out)}, f"written to {out}")
    if not console.as_json:
        for line in _worth(facts):
            console.note(console.style(line, "dim"))


def _worth(facts: Mapping[str, Any]) -> Iterator[str]:
    token = ", and it carries the relay's token" if facts["token"] else ""
    use = "the first who comes with it" if facts["once"] else "whoever reads it"
    yield f"it brings {use} into room {facts['room']} until {facts['expires']}{token}"
    yield "send it as you would send a password"
    yield "the other side: covey join --listen, and paste it there"
    if facts["loopback_only"]:
        yield "it leads to this machine only: for others say --lan or --relay"
    if facts["grant_needed"]:
        yield "the room's owner must grant entry too: covey grant"


def _offer(arguments: argparse.Namespace) -> Offer:
    from covey.runtime.inviting import Guest, Offer

    try:
        addresses = tuple(str(grammar.StaticPeer.parse_plain(each)) for each in arguments.address)
    except ValueError as error:
        raise UsageError(f"--address: expected {error}") from error
    if (arguments.guest is None) != (arguments.key is None):
        raise UsageError("--for and --key belong together: a node and the key it proves")
    if arguments.guest is None:
        return Offer(arguments.hours, arguments.once, None, addresses)
    try:
        node_id, key = grammar.node_id(arguments.guest), grammar.public_key(arguments.key)
    except ValueError as error:
        raise UsageError(f"--for, --key: expected {error}") from error
    guest = Guest(node_id, base64.urlsafe_b64decode(key + "="))
    return Offer(arguments.hours, arguments.once, guest, addresses)


def _wire(arguments: argparse.Namespace, offer: Offer) -> dict[str, object]:
    return {
        "hours": offer.hours,
        "once": offer.once,
        "for": arguments.guest,
        "key": arguments.key,
        "addresses": list(offer.addresses),
    }


def _settings(config: Path | None) -> Settings | None:
    if config is None:
        return None
    from covey.models import others
    from covey.settings import load

    return load(config, others=others)


def _name(arguments: argparse.Namespace, home: Home, settings: Settings | None) -> str:
    if settings is not None:
        said = settings.identity.name
        if arguments.peer not in (None, said):
            raise UsageError(
                f'{arguments.config} is the configuration of "{said}", not of "{arguments.peer}"'
            )
        return said
    if arguments.peer is not None:
        return peer_name(arguments.peer)
    if arguments.listen:
        from covey.cli.listen import DEFAULT_NAME

        return DEFAULT_NAME
    from covey.cli.reach import the_one

    return the_one(home, None)


def _plan(
    arguments: argparse.Namespace, console: Console, home: Home, name: str, settings: Settings | None
) -> PeerPlan:
    """Return what the peer is made of: agent.toml, or the flags."""
    from dataclasses import replace

    from covey.cli.peer import PeerPlan

    opened = passphrase.opened(home, name, arguments.passphrase_file, console.env)
    if settings is None:
        options = mesh_flags.options(arguments, console.env, outbound_only=False)
        return PeerPlan(home, name, options, opened=opened)
    if arguments.room or arguments.relay or arguments.dial or arguments.lan:
        raise UsageError("--config says where the peer sits: change it there")
    from covey.cli.run import peer_plan

    return replace(peer_plan(home, settings, console.env), opened=opened)


def _listen(
    arguments: argparse.Namespace,
    console: Console,
    home: Home,
    name: str,
    settings: Settings | None,
    offer: Offer,
) -> int:
    from covey.cli.listen import Shown, start
    from covey.cli.peer import OpenPeer

    async def began(peer: OpenPeer) -> None:
        facts = await peer.offers.make(offer)
        if console.as_json:
            console.event({"event": "invite", **facts}, "")
        else:
            show(console, facts, arguments.out)
            console.flush()

    return start(_plan(arguments, console, home, name, settings), Shown(console, None), began)


def _offline(
    arguments: argparse.Namespace,
    console: Console,
    home: Home,
    name: str,
    settings: Settings | None,
    offer: Offer,
) -> int:
    """Make an invite for a peer that does not run; it is kept for when the peer does."""
    if settings is None:
        from covey.cli.reach import not_running

        error = not_running(home, name)
        error.hint = f"start it with the invite: covey invite {name} --listen; or give its --config"
        raise error
    from covey.cli.offers import offer_offline

    show(console, offer_offline(_plan(arguments, console, home, name, settings), offer), arguments.out)
    return EXIT_OK
