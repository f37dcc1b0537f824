"""`covey observe`: put a block on the mesh, through a running peer or through one that lives just for it."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from covey.cli import mesh_flags, passphrase
from covey.cli.blocks import send_line, sends_summary
from covey.cli.console import Console, printable
from covey.cli.follow import REACHED, States, follow
from covey.cli.parser import Parser, seconds
from covey.errors import EXIT_OK, CoveyError, NetworkError, NotRunningError, UsageError
from covey.limits import IPC_RECEIPT_SECONDS
from covey.model import CAT7
from covey.names import peer_name
from covey.net.ipc.client import IpcClient
from covey.system.home import Home
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.cli.loop import Stop
    from covey.proto.options import NodeOptions
    from covey.runtime.node import Node
    from covey.system.identity import PeerIdentity

EXAMPLE: Final = 'covey observe --focus "the release notes are ready" --mood relieved'
DEFAULT_NAME: Final = "observer"
LOCK_SECONDS: Final = 10.0
"""How long commands of one name that say something wait for each other."""
_GRACE_SECONDS: Final = 0.1
"""After a peer was met, how long another may take to come too; on one machine all come within 20 ms."""
_LAN_GRACE_SECONDS: Final = 1.0
"""The same on a network: multicast answers come within a second (RFC 6762 §6)."""
_PATIENCE_SECONDS: Final = 0.7
"""When nobody came by then, a person who watches is told what is waited for."""


@dataclass(frozen=True, slots=True)
class Saying:
    """What is said, to whom (None: the room), and how its short-lived speaker sits on the mesh and signs."""

    categories: Mapping[str, str]
    to: str | None
    options: NodeOptions
    opened: PeerIdentity | None


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    configure_block(parser)
    parser.add_argument(
        "--wait",
        dest="timeout",
        type=seconds(0, 600),
        default=IPC_RECEIPT_SECONDS,
        metavar="SECONDS",
        help=f"longest wait for peers, and then for their answers (default {IPC_RECEIPT_SECONDS:g})",
    )
    parser.set_defaults(wait=None, deadline=None)
    parser.add_argument("--peer", metavar="NAME", help=f"who says it (default {DEFAULT_NAME})")


def configure_block(parser: Parser) -> None:
    """Declare the seven categories and what `observe` and `send` share."""
    for name in CAT7:
        parser.add_argument(f"--{name}", metavar="TEXT", help=f"the block's {name}")
    parser.add_argument(
        "--parent",
        action="append",
        default=[],
        metavar="KEY",
        help="a block this one answers (may be given several times)",
    )
    mesh_flags.add(parser)
    passphrase.add(parser)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Say it, and report what became of it at each peer."""
    return say(arguments, console, arguments.peer, None)


def say(arguments: argparse.Namespace, console: Console, name: str | None, to: str | None) -> int:
    """Emit a block as `name`, to `to` or to the room.

    Raises:
        UsageError: The block says nothing.
        NetworkError: Nobody took it; it is kept.
    """
    categories = {each: text for each in CAT7 if (text := getattr(arguments, each))}
    if not categories:
        raise UsageError("nothing to say: give at least one of --" + ", --".join(CAT7))
    home = Home.resolve(console.env)
    speaker = peer_name(name or DEFAULT_NAME)
    options = mesh_flags.options(arguments, console.env, outbound_only=True)
    found = _through_running(arguments, console, home, speaker, categories, to)
    if found is None:
        opened = passphrase.opened(home, speaker, arguments.passphrase_file, console.env)
        saying = Saying(categories, to, options, opened)
        found = _by_itself(arguments, console, home, speaker, saying)
    return report(console, f"covey {'observe' if to is None else 'send'}", found, shown=bool(arguments.wait))


def report(console: Console, said: str, found: Mapping[str, Any], *, shown: bool = False) -> int:
    """Print what became of a block, and return 0 when a peer took it, else 1.

    Args:
        console: Where to.
        said: The command.
        found: What became of it.
        shown: The states were shown as they came.

    Raises:
        CoveyError: It was not emitted at all.
    """
    if found["result"] == "refused":
        raise CoveyError(f"not emitted: {found['reason']}: {found['detail']}", code=found["reason"])
    if found["result"] == "duplicate":
        raise CoveyError(
            f"not sent: {found['speaker']} holds the same block already: {found['key']}",
            code="duplicate",
            hint="a block is what it says: say something new",
        )
    block, sends = found["block"], found["sends"]
    lines = [f"observed as {block['key']} in room {block['room']}"]
    lines += [] if shown else [f"  {send_line(console, send)}" for send in sends]
    if found["taken"]:
        lines.append(sends_summary(sends))
        console.result({"ok": True, **found}, "\n".join(lines))
        return EXIT_OK
    error = _not_taken(found)
    console.result({"ok": False, **found, "error": error.as_dict()}, "\n".join(lines))
    console.complain(said, error, error.hint)
    return error.exit_code


def _not_taken(found: Mapping[str, Any]) -> NetworkError:
    key, speaker = found["block"]["key"], found["speaker"]
    kept = f"the block is kept in {speaker}'s store: covey recall {speaker}"
    if found["block"]["to"] and any(send["state"] in ("unknown", "delivered") for send in found["sends"]):
        kept = f"what becomes of it: covey outbox {speaker}"
    if not found["sends"]:
        room, waited = found["block"]["room"], found["waited_seconds"]
        when = f"within {waited:g} s" if waited is not None else f"is connected to {speaker}"
        return NetworkError(
            f'nobody was there: no peer in room "{room}" {when}',
            code="nobody",
            hint=f"{kept}\nstart somebody: covey listen --room {room}",
        )
    by = "; ".join(
        f"{send['name'] or send['node_id']}: {send['state']}"
        + (f" ({why})" if (why := _why(send, found)) else "")
        for send in found["sends"]
    )
    wanted = found.get("wanted")
    if wanted is not None:
        return NetworkError(f"{key[:16]} is not {wanted}: {printable(by)}", code=f"not_{wanted}", hint=kept)
    return NetworkError(f"no peer took {key[:16]}: {printable(by)}", code="not_taken", hint=kept)


def _why(send: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Return the receiver's reason; one that only stays silent may have a store in trouble."""
    if send["reason"]:
        return str(send["reason"])
    silent = send["state"] == "accepted" and not found["settled"]
    return "given to it, no answer yet: covey status there says more" if silent else ""


def _through_running(
    arguments: argparse.Namespace,
    console: Console,
    home: Home,
    name: str,
    categories: Mapping[str, str],
    to: str | None,
) -> dict[str, Any] | None:
    """Emit through the running peer called `name`; None when it does not run."""
    try:
        peer = IpcClient(home.socket_path(name))
    except NotRunningError:
        return None
    asked: dict[str, object] = {
        "categories": dict(categories),
        "parents": arguments.parent,
        "fresh": "person",
        "wait_seconds": 0 if arguments.wait else arguments.timeout,
    }
    if to is not None:
        asked["to"] = to
    if arguments.deadline is not None:
        asked["within_seconds"] = arguments.deadline
    with peer:
        mesh_flags.refuse_other_room(arguments, name, peer.request("status")["node"]["room"])
        found = peer.request(
            "observe" if to is None else "send",
            asked,
            timeout_seconds=arguments.timeout + IPC_RECEIPT_SECONDS,
        )
        if arguments.wait:
            found = follow(peer, found, arguments.wait, arguments.timeout, States(console))
    return {**found, "speaker": name, "waited_seconds": None, "wanted": arguments.wait}


def _by_itself(
    arguments: argparse.Namespace, console: Console, home: Home, name: str, saying: Saying
) -> dict[str, Any]:
    """Emit through a peer that lives as long as this command."""
    from covey.cli import loop
    from covey.cli.peer import PeerPlan, open_peer
    from covey.model import Proposal, SendState
    from covey.runtime.answers import emission_as_dict
    from covey.runtime.emit import addressee, emit_and_wait

    plan = PeerPlan(
        home,
        name,
        saying.options,
        wait_for_lock_seconds=LOCK_SECONDS,
        multicast_after_seconds=0.0 if saying.options.lan else _GRACE_SECONDS * 2,
        opened=saying.opened,
    )
    found: dict[str, Any] = {}
    shown = States(console)

    async def emit() -> None:
        async with open_peer(plan) as peer:
            grace = _LAN_GRACE_SECONDS if saying.options.lan else _GRACE_SECONDS
            nobody = f'nobody yet in room "{saying.options.room}": waiting up to {arguments.timeout:g} s'
            patience = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, console.remark, nobody)
            await meet(peer.node, arguments.timeout, saying.to, grace)
            patience.cancel()
            to = None if saying.to is None else addressee(saying.to, peer.node.peers())
            parents = tuple(arguments.parent)
            proposal = Proposal(dict(saying.categories), parents, to, arguments.deadline, fresh="person")
            emission = await emit_and_wait(
                peer.node,
                proposal,
                arguments.timeout,
                until=SendState(arguments.wait or SendState.DELIVERED),
                tell=(lambda send: shown(asdict(send))) if arguments.wait else None,
            )
        found.update(emission_as_dict(emission), speaker=name, waited_seconds=arguments.timeout)
        found["wanted"] = arguments.wait
        if arguments.wait and found["result"] == "minted":
            found["taken"] = any(send["state"] in REACHED[arguments.wait] for send in found["sends"])

    async def work(stop: Stop) -> int:
        return await loop.until_stopped(emit(), stop)

    if loop.run(work) != EXIT_OK:
        raise KeyboardInterrupt
    return found


async def meet(node: Node, wait_seconds: float, to: str | None, grace_seconds: float) -> None:
    """Wait until the addressee is there, or somebody is and for a grace period nobody else came."""
    came = asyncio.Event()
    unsubscribe = node.subscribe(lambda news: came.set())
    try:
        async with asyncio.timeout(wait_seconds):
            while not _present(node, to):
                came.clear()
                await came.wait()
        if to is None:
            known = 0
            while len(node.peers()) > known:
                known = len(node.peers())
                await asyncio.sleep(grace_seconds)
    except TimeoutError:
        pass  # nobody came; what that means is said by the emission's own report
    finally:
        unsubscribe()


def _present(node: Node, to: str | None) -> bool:
    return any(to is None or to in (peer.name, peer.node_id) for peer in node.peers())
