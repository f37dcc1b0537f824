"""`covey join`: come into a room by an invite. Everything is checked and shown before anything is written."""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from covey import limits
from covey.cli import passphrase
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, path
from covey.errors import EXIT_OK, CoveyError, IdentityError, StoreError, UsageError
from covey.names import peer_name
from covey.settings import grammar
from covey.settings.scaffold import invited
from covey.system.clock import SystemClock
from covey.system.home import Home
from covey.system.lock import PeerLock
from covey.system.log import timestamp
from covey.values import dataclass

if TYPE_CHECKING:
    from covey import _core
    from covey.system.identity import StoredIdentity

EXAMPLE: Final = "covey join --listen"
DEFAULT_NAME: Final = "guest"
_HINTS: Final = {
    "malformed_invite": "an invite is one line that begins with covey:invite.",
    "invite_damaged": "copy the whole line again, with nothing behind it",
    "invite_version": "it was made by another release of covey: one of the two sides should be updated",
    "bad_signature": "somebody changed it: ask for a new one over a way you trust",
    "expired": "ask for a new one",
    "future_timestamp": "look at this machine's clock, and at the inviter's",
}


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("link", nargs="?", help="-: read the invite from standard input; else you are asked")
    parser.add_argument("--file", type=path, metavar="PATH", help="file that holds the invite")
    parser.add_argument("--name", default=DEFAULT_NAME, help=f"who joins (default {DEFAULT_NAME})")
    parser.add_argument(
        "--config", type=path, metavar="PATH", help="the agent.toml to write (default NAME.toml)"
    )
    parser.add_argument("--listen", action="store_true", help="start it at once, and print what comes")
    parser.add_argument("--lan", action="store_true", help="let it be reached from the local network too")
    parser.add_argument("--plain", action="store_true", help="accept a relay without TLS (ws://) too")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    passphrase.add(parser)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What joining will do."""

    invite: _core.Invite
    home: Home
    name: str
    file: Path
    text: str
    identity: StoredIdentity | None
    """None: it will be made."""


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Read and check the invite, show what follows from it, ask, write, and start the peer if told to."""
    home, name = Home.resolve(console.env), peer_name(arguments.name)
    invite = _read(_line(arguments, console))
    plan = _planned(arguments, home, name, invite)
    if not console.as_json:
        for line in _shown(plan):
            console.note(line)
    _ask(arguments, console)
    _write(plan)
    console.result(
        _facts(plan), f"joined room {invite.room} as {name}\nstart it: covey run --config {plan.file}"
    )
    console.flush()
    return _listen(arguments, console, plan) if arguments.listen else EXIT_OK


# --- reading and checking -----------------------------------------------------------------------------


def _line(arguments: argparse.Namespace, console: Console) -> str:
    """Return the invite from a file, from standard input, or from a person; never from the command line.

    Raises:
        UsageError: It stands on the command line, cannot be read, or nobody can be asked.
    """
    if arguments.link not in (None, "-"):
        raise UsageError(
            "an invite is a secret, and other users can see command lines",
            code="invite_on_command_line",
            hint="covey join, and paste it; or --file PATH; or - to read standard input",
        )
    if arguments.file is not None:
        if arguments.link is not None:
            raise UsageError("two places for one invite: --file and -")
        return _of_file(arguments.file)
    if arguments.link is None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise UsageError(
                "nobody can be asked for the invite here", hint="--file PATH, or - for standard input"
            )
        console.note("paste the invite, then press Enter:")
    # one line of a person's; all of a pipe's, since mail programs break long lines
    text = (
        sys.stdin.readline(limits.INVITE_CHARS + 1)
        if arguments.link is None
        else sys.stdin.read(limits.INVITE_CHARS + 1)
    )
    if not text.strip():
        raise UsageError("no invite was given")
    return text


def _of_file(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            raw = stream.read(limits.INVITE_CHARS + 1)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from error
    if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077:
        raise UsageError(
            f"the invite in {file} can be read by others: mode {stat.S_IMODE(mode):04o}",
            code="invite_too_open",
            hint=f"if nobody else has seen it: chmod 600 {file}",
        )
    return raw.decode("utf-8", "replace")


def _read(text: str) -> _core.Invite:
    """Return the invite of a line, signed and in its time.

    Raises:
        UsageError: There is none, or it cannot be used; it says why.
    """
    from covey import _core

    try:
        invite = _core.Invite.parse(text)
        invite.check_time(SystemClock().now_ms())
    except _core.CoreError as error:
        raise UsageError(error.detail, code=error.reason, hint=_HINTS.get(error.reason)) from error
    return invite


def _planned(arguments: argparse.Namespace, home: Home, name: str, invite: _core.Invite) -> _Plan:
    """Hold an invite against what is here; nothing is written.

    Raises:
        CoveyError: It cannot be used here; it says why.
    """
    file = arguments.config or Path(f"{name}.toml")
    if file.exists() or file.is_symlink():
        raise StoreError(
            f"{file} already exists", code="exists", hint="--config names another, or --name another peer"
        )
    if not file.parent.is_dir():
        raise UsageError(f"no folder: {file.parent}", hint="make it first, or give another --config")
    identity = _identity(home, name)
    if identity is not None and identity.node_id == invite.node_id:
        raise UsageError(f'"{name}" itself made this invite', hint="--name says who joins")
    _check_key(home, name, invite)
    _check_grant(home, name, invite, identity)
    return _Plan(invite, home, name, file, _config(arguments, home, name, invite), identity)


def _identity(home: Home, name: str) -> StoredIdentity | None:
    from covey.system import identity as ids

    try:
        return ids.load(home.identity_path(name))
    except IdentityError as error:
        if error.code != "identity_missing":
            raise
    return None


def _check_key(home: Home, name: str, invite: _core.Invite) -> None:
    """Refuse an inviter whom this peer knows by another key: a re-pinning is never silent."""
    from covey.cli.trust import bound
    from covey.system import trust as books

    held = books.load(home.trust_path(name)).find(invite.node_id)
    known = {held.fingerprint} if held is not None and held.fingerprint else set()
    known |= bound(home, name, invite.node_id)
    others = sorted(known - {invite.fingerprint})
    if others:
        raise IdentityError(
            f"{name} knows {invite.node_id} by another key: fingerprint {others[0]}",
            code="identity_conflict",
            hint="somebody invites in that name; ask them over another way",
        )


def _check_grant(home: Home, name: str, invite: _core.Invite, identity: StoredIdentity | None) -> None:
    """Refuse an invite to a room with an owner that would not let this peer in.

    Raises:
        UsageError: It carries no grant, or another's.
    """
    from covey import _core

    if invite.owner_key is None:
        return
    mine = None if identity is None else base64.urlsafe_b64encode(identity.public_key).rstrip(b"=").decode()
    if identity is None or invite.grant is None:
        told = (
            f"covey invite … --for {identity.node_id} --key {mine}"
            if identity
            else f"first covey keygen {name}"
        )
        raise UsageError(
            f'room "{invite.room}" lets in only who has a grant, and this invite has none for "{name}"',
            code="grant_missing",
            hint=f"the owner makes one for whom it is told: {told}",
        )
    try:
        _core.RoomGrant.parse(invite.grant).verify(
            invite.owner_key,
            room=invite.room,
            node_id=identity.node_id,
            public_key=identity.public_key,
            now_ms=SystemClock().now_ms(),
        )
    except _core.CoreError as error:
        raise UsageError(
            f"the grant in this invite does not let {name} in: {error.detail}",
            code=error.reason,
            hint=f"{name} is {identity.node_id} with the public key {mine}",
        ) from error


def _config(arguments: argparse.Namespace, home: Home, name: str, invite: _core.Invite) -> str:
    """Return the text of the agent.toml, read back once: what an inviter wrote may say nothing else.

    Raises:
        UsageError: A relay or address in the invite cannot stand in it.
    """
    from covey.settings import parse

    try:
        relays = [grammar.relay_url(each) for each in invite.relays]
        addresses = [str(grammar.StaticPeer.parse_plain(each)) for each in invite.addresses]
    except ValueError as error:
        raise UsageError(f"this invite leads nowhere: expected {error}") from error
    if any(map(grammar.needs_tls, relays)) and not arguments.plain:
        raise UsageError(
            "this invite names a relay without TLS: its token would travel in the clear",
            code="relay_plain",
            hint="ask for one with a wss:// relay; --plain accepts this one where the way there is trusted",
        )
    mesh: dict[str, Any] = {"room": invite.room, "lan": arguments.lan}
    if addresses:
        mesh["peers"] = [f"{each}#{invite.fingerprint}" for each in addresses]
    if relays:
        mesh |= {"relay": relays, "relay_plain": arguments.plain}
    if invite.token is not None:
        mesh["relay_token"] = invite.token
    if invite.owner_key is not None:
        owner = base64.urlsafe_b64encode(invite.owner_key).rstrip(b"=").decode()
        mesh |= {"room_owner": owner, "room_grant": str(home.grant_path(name))}
    text = invited(name, mesh)
    try:
        read = parse(text, file=str(arguments.config or f"{name}.toml"))
    except CoveyError as error:
        raise UsageError(f"this invite cannot be used: {error.message}") from error
    if (read.mesh.room, read.identity.name) != (invite.room, name):
        raise StoreError("the new configuration does not say what the invite says; nothing was written")
    return text


# --- showing and asking -------------------------------------------------------------------------------


def _shown(plan: _Plan) -> Iterator[str]:
    invite = plan.invite
    yield f"{printable(invite.name)} invites you to room {invite.room}"
    yield f"  node id:      {invite.node_id}"
    yield f"  fingerprint:  {invite.fingerprint}"
    yield "                an invite proves a key, not a person: compare it over another way"
    for each in invite.relays:
        yield f"  relay:        {each}{' (the invite brings its token)' if invite.token else ''}"
    for each in invite.addresses:
        yield f"  address:      {each} (only under that key)"
    yield f"  holds until:  {timestamp(invite.expires_ms)}{', for one peer' if invite.once else ''}"
    yield "this writes:"
    made = "made now" if plan.identity is None else "already there"
    yield f"  {plan.home.peer_folder(plan.name)}: the identity of {plan.name} ({made})"
    yield f"  {plan.home.trust_path(plan.name)}: trusts {printable(invite.name)} under this key, and no other"
    yield f"  {plan.file}: where to meet" + (", with the relay's token" if invite.token else "")


def _ask(arguments: argparse.Namespace, console: Console) -> None:
    """Go on only when told to.

    Raises:
        UsageError: Nobody can be asked.
        CoveyError: The answer is no.
    """
    if arguments.yes:
        return
    if console.as_json or arguments.link == "-" or sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("nobody can be asked here: nothing was written", hint="--yes goes on without asking")
    console.note("go on? [y/N]")
    if sys.stdin.readline(16).strip().lower() not in ("y", "yes"):
        raise CoveyError("not joined: nothing was written", code="declined")


# --- writing ------------------------------------------------------------------------------------------


def _write(plan: _Plan) -> None:
    """Write it all; the configuration comes last, and without it nothing was joined.

    Raises:
        CollisionError: The peer runs.
        StoreError: A file cannot be written.
    """
    from covey.proto.inviting import Taken
    from covey.system import identity as ids
    from covey.system.entropy import SystemEntropy
    from covey.system.invites import InviteFile
    from covey.system.private_file import create_whole, replace_whole

    home, name, invite, clock = plan.home, plan.name, plan.invite, SystemClock()
    home.prepare_peer(name)
    lock = PeerLock.acquire(home.lock_path(name), name)
    try:
        ids.load_or_create(home.identity_path(name), name, clock, SystemEntropy())
        kept = InviteFile(home.invites_path(name), home.trust_path(name))
        now_ms = clock.now_ms()
        kept.trust(invite.node_id, invite.fingerprint, now_ms, f"invited us to {invite.room}")
        taken = Taken(invite.invite_id.hex(), invite.node_id, invite.fingerprint, invite.expires_ms)
        kept.take(taken, now_ms)
        if invite.grant is not None:
            replace_whole(home.grant_path(name), invite.grant + b"\n")
        create_whole(plan.file, plan.text.encode())
    except FileExistsError as error:
        raise StoreError(
            f"{plan.file} already exists", code="exists", hint="--config names another"
        ) from error
    except OSError as error:
        raise StoreError(f"cannot write {plan.file}: {error.strerror or error}") from error
    finally:
        lock.release()


def _facts(plan: _Plan) -> dict[str, object]:
    invite = plan.invite
    return {
        "event": "joined",
        "peer": plan.name,
        "room": invite.room,
        "config": str(plan.file),
        "inviter": {"name": invite.name, "node_id": invite.node_id, "fingerprint": invite.fingerprint},
        "relays": invite.relays,
        "addresses": invite.addresses,
        "expires": timestamp(invite.expires_ms),
        "once": invite.once,
        "invite": hashlib.sha256(invite.invite_id).hexdigest()[:16],
    }


def _listen(arguments: argparse.Namespace, console: Console, plan: _Plan) -> int:
    from dataclasses import replace

    from covey.cli.listen import Shown, start
    from covey.cli.run import peer_plan
    from covey.models import others
    from covey.settings import load

    opened = passphrase.opened(plan.home, plan.name, arguments.passphrase_file, console.env)
    made = peer_plan(plan.home, load(plan.file, others=others), console.env)
    return start(replace(made, opened=opened), Shown(console, None))
