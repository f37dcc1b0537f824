"""`covey share`: share a model with other peers, and say who may use it."""

from __future__ import annotations

import argparse
from typing import Final

from covey.cli import mesh_flags, passphrase
from covey.cli.console import Console
from covey.cli.parser import Parser, path, whole
from covey.errors import UsageError
from covey.limits import DOOR_REQUESTS_PER_MINUTE, JSON_INTEGER
from covey.names import peer_name
from covey.system.home import Home

EXAMPLE: Final = "covey share start --backend http://127.0.0.1:11434/v1"
DEFAULT_NAME: Final = "leader"
_VERBS: Final = ("start", "status", "add", "keys", "revoke")
_OF_START: Final = ("config", "backend", "listen", "dial", "relay", "room", "lan")
_OF_ADD: Final = ("per_minute", "tokens_per_day", "priority", "node", "fingerprint", "admin", "out")


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "verb",
        choices=_VERBS,
        help="start the door; status of one that runs; add a peer's key; list keys; revoke one of them",
    )
    parser.add_argument("who", nargs="?", help="of add: the peer's account; of revoke: that, or the key's id")
    parser.add_argument(
        "--name", default=DEFAULT_NAME, help=f"name of the peer that shares (default {DEFAULT_NAME})"
    )
    parser.add_argument("--config", type=path, metavar="PATH", help="of start: door.toml (docs/share.md)")
    parser.add_argument("--backend", metavar="URL", help="of start, without a file: the one server to share")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="of start: where to serve HTTP (default, without a file, :8099)"
    )
    parser.add_argument(
        "--per-minute", type=whole(1, DOOR_REQUESTS_PER_MINUTE), metavar="N", help="of add: requests a minute"
    )
    parser.add_argument(
        "--tokens-per-day", type=whole(1, JSON_INTEGER), metavar="N", help="of add: tokens in a UTC day"
    )
    parser.add_argument(
        "--priority", choices=("high", "normal", "low"), help="of add: the highest it may ask"
    )
    parser.add_argument("--node", metavar="NODEID", help="of add: a node that comes through the mesh instead")
    parser.add_argument("--fingerprint", metavar="KEY", help="of add: that node's key, as 64 digits")
    parser.add_argument("--admin", action="store_true", help="of add: a key for upkeep, and for nothing else")
    parser.add_argument(
        "--out", type=path, metavar="PATH", help="of add: write the key here, not to the screen"
    )
    mesh_flags.add(parser)
    passphrase.add(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Do one of them."""
    home, name, verb = Home.resolve(console.env), peer_name(arguments.name), arguments.verb
    _refuse_others(arguments, verb)
    if verb == "start":
        from covey.cli.share.start import start

        return start(arguments, console, home, name)
    if verb == "status":
        from covey.cli.share import status

        return status.shown(home, name, console)
    from covey.cli.share import keys

    if verb == "keys":
        return keys.listed(home, name, console)
    if arguments.who is None:
        raise UsageError(f"{verb}: expected whom", hint=f"covey share {verb} <account>")
    if verb == "add":
        return keys.add(arguments, home, name, console)
    return keys.revoke(home, name, arguments.who, console)


def _refuse_others(arguments: argparse.Namespace, verb: str) -> None:
    """Refuse flags that belong to another verb: a limit that is not heard must not seem set."""
    foreign = {"start": _OF_ADD, "add": _OF_START}.get(verb, (*_OF_ADD, *_OF_START))
    for flag in foreign:
        if getattr(arguments, flag):
            owner = "add" if flag in _OF_ADD else "start"
            raise UsageError(f"--{flag.replace('_', '-')} belongs to {owner}: covey share {owner} --help")
