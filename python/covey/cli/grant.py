"""`covey grant`: sign, as the owner of a room, that a peer may enter it."""

from __future__ import annotations

import argparse
import base64
import json
from pathlib import Path
from typing import Final

from covey.cli import passphrase
from covey.cli.console import Console
from covey.cli.parser import Parser, path, seconds
from covey.errors import StoreError, UsageError
from covey.names import COMMON_ROOMS, room_name
from covey.settings import grammar
from covey.system import identity as ids
from covey.system.clock import SystemClock
from covey.system.home import Home
from covey.system.log import timestamp
from covey.system.private_file import replace_whole

EXAMPLE: Final = "covey grant owner --room lab --to <nodeId> --key <public key> --out writer.grant"
_HOURS: Final = 24.0
"""The longest a grant may last (MMP 2.0 update 1, §5.8.1)."""


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("peer", help="name of the peer that owns the room")
    parser.add_argument("--room", required=True, help="the room")
    parser.add_argument("--to", required=True, metavar="NODEID", help="who may enter")
    parser.add_argument("--key", required=True, help="its public key, as `covey fingerprint` prints it")
    parser.add_argument(
        "--hours",
        type=seconds(0.01, _HOURS, "hours"),
        default=_HOURS,
        help="how long it holds (default and most 24)",
    )
    parser.add_argument("--out", type=path, metavar="PATH", help="file to write it to; else it is printed")
    passphrase.add(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Sign a grant and print or write it."""
    home, room = Home.resolve(console.env), room_name(arguments.room)
    if room in COMMON_ROOMS:
        raise UsageError(f'room: expected one that can be owned, got "{room}"')
    try:
        node_id, key = grammar.node_id(arguments.to), grammar.public_key(arguments.key)
    except ValueError as error:
        raise UsageError(f"expected {error}") from error
    owner = ids.native(passphrase.signing(home, arguments.peer, arguments.passphrase_file, console.env))

    from covey import _core

    now_ms = SystemClock().now_ms()
    expires_ms = now_ms + int(arguments.hours * 3_600_000)
    try:
        grant = _core.RoomGrant.sign(
            owner,
            room=room,
            node_id=node_id,
            public_key=base64.urlsafe_b64decode(key + "="),
            granted_ms=now_ms,
            expires_ms=expires_ms,
        )
    except _core.CoreError as error:
        raise UsageError(f"no grant was made: {error.detail}") from error
    _hand_out(grant.to_json(), arguments.out, timestamp(expires_ms), console)
    return 0


def _hand_out(content: bytes, out: Path | None, until: str, console: Console) -> None:
    facts = {"grant": json.loads(content), "expires": until, "path": None if out is None else str(out)}
    if out is None:
        console.result(facts, content.decode())
        return
    try:
        replace_whole(out, content + b"\n")
    except OSError as error:
        raise StoreError(
            f"cannot write {out}: {error.strerror or error}", hint="name a folder that is there and yours"
        ) from error
    console.result(facts, f"written to {out}\nholds until {until}")
