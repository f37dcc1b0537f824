"""Invites of a peer as commands make and show them: by a running peer, or for one that does not run."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from covey import limits
from covey.errors import IpcError, RefusedArgumentError, UsageError
from covey.proto.peers import fingerprint, spelled
from covey.runtime.first_use import Verb
from covey.runtime.inviting import Guest, InvitePlugin, Offer, compose, given_of
from covey.settings import grammar
from covey.settings.grammar import leads_away
from covey.system.invites import InviteFile
from covey.system.log import timestamp

if TYPE_CHECKING:
    from covey import _core
    from covey.cli.parts import Ground
    from covey.cli.peer import PeerPlan
    from covey.proto.options import NodeOptions
    from covey.runtime.node import Node
    from covey.runtime.plugin import Plugin


class Offers:
    """Invites of a running peer: the verb, and what lets in whom was invited.

    Args:
        ground: What it stands on.
    """

    def __init__(self, ground: Ground) -> None:
        home, name = ground.plan.home, ground.plan.name
        keeper = InviteFile(home.invites_path(name), home.trust_path(name))
        self._plugin = InvitePlugin(keeper, clock=ground.clock, entropy=ground.entropy, log=ground.log.write)
        self._node: Node | None = None
        self.plugins: tuple[Plugin, ...] = (self._plugin,)
        self.verbs: Mapping[str, Verb] = {"invite": self.handle}

    def attach(self, node: Node) -> None:
        """Take the node whose place invites name; called before it starts."""
        self._node = node

    async def make(self, offer: Offer) -> dict[str, Any]:
        """Make an invite to where the peer sits now; return it with its facts.

        Raises:
            UsageError: It cannot be made.
            StoreError: It cannot be kept.
        """
        node = self._node
        if node is None:
            raise UsageError("invite: this peer does not run")
        options, port = node.options, node.port
        found = [spelled(host, port) for host in node.hosts if port and "%" not in host]
        whole = Offer(offer.hours, offer.once, offer.guest, (*offer.addresses, *found))
        return facts(await self._plugin.offer(node.identity, options, whole), options)

    async def handle(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the verb on the control socket.

        Raises:
            CoveyError: An argument is wrong, or it cannot be made.
        """
        return await self.make(read(arguments))


def read(arguments: Mapping[str, Any]) -> Offer:
    """Read the arguments of the verb: hours, once, for, key, addresses.

    Raises:
        IpcError: It names the argument that is wrong.
    """
    known = {"hours", "once", "for", "key", "addresses"}
    unknown = sorted(arguments.keys() - known)
    if unknown:
        raise _wrong(f"unknown argument: {unknown[0][:64]}")
    hours, once = arguments.get("hours", limits.INVITE_HOURS_USUAL), arguments.get("once", False)
    addresses = arguments.get("addresses", [])
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= limits.INVITE_HOURS:
        raise _wrong(f"hours: expected a number up to {limits.INVITE_HOURS:g}")
    if not isinstance(once, bool):
        raise _wrong("once: expected true or false")
    if not isinstance(addresses, list) or len(addresses) > limits.INVITE_ADDRESSES:
        raise _wrong(f"addresses: expected a list of at most {limits.INVITE_ADDRESSES}")
    node_id, key = arguments.get("for"), arguments.get("key")
    try:
        places = tuple(str(grammar.StaticPeer.parse_plain(str(each))) for each in addresses)
        if node_id is None and key is None:
            return Offer(hours, once, None, places)
        raw = base64.urlsafe_b64decode(grammar.public_key(str(key)) + "=")
        return Offer(hours, once, Guest(grammar.node_id(str(node_id)), raw), places)
    except ValueError as error:
        raise _wrong(f"expected {error}") from error


def reachable(options: NodeOptions, port: int | None) -> tuple[str, ...]:
    """Return where a peer that listens on `port` can be dialled.

    A link-local IPv6 address is left out: its scope means something on this machine only.
    """
    if not port:
        return ()
    if not options.lan:
        return (spelled("127.0.0.1", port),)
    from covey.net.interfaces import places

    return tuple(spelled(each.host, port) for each in places(options.interfaces) if not each.link_local)


def facts(invite: _core.Invite, options: NodeOptions) -> dict[str, Any]:
    """Return an invite and what it says, its secrets only within itself."""
    away = [each for each in invite.addresses if not each.startswith("127.")]
    gated = options.gate is not None
    return {
        "invite": invite.line,
        "room": invite.room,
        "node_id": invite.node_id,
        "name": invite.name,
        "fingerprint": invite.fingerprint,
        "relays": invite.relays,
        "token": invite.token is not None,
        "addresses": invite.addresses,
        "expires": timestamp(invite.expires_ms),
        "once": invite.once,
        "loopback_only": not away and not any(map(leads_away, invite.relays)),
        "grant_needed": gated and invite.grant is None,
    }


def offer_offline(plan: PeerPlan, offer: Offer) -> dict[str, Any]:
    """Make an invite for a peer that does not run, and keep it for its next start.

    Raises:
        CollisionError: It has just been started.
        IdentityError: It has no identity yet, or it cannot be read.
        UsageError: Nobody could reach it by the invite.
        StoreError: It cannot be kept.
    """
    from covey.cli.passphrase import needed
    from covey.system import identity as ids
    from covey.system.clock import SystemClock
    from covey.system.entropy import SystemEntropy
    from covey.system.lock import PeerLock

    home, name, options = plan.home, plan.name, plan.options
    home.prepare_peer(name)
    lock = PeerLock.acquire(home.lock_path(name), name)
    try:
        clock, entropy = SystemClock(), SystemEntropy()
        kept = ids.load_or_create(home.identity_path(name), name, clock, entropy)
        identity = kept if isinstance(kept, ids.PeerIdentity) else plan.opened
        if identity is None:
            raise needed(name)
        whole = Offer(offer.hours, offer.once, offer.guest, _with_fixed(offer.addresses, options))
        now_ms = clock.now_ms()
        invite = compose(ids.native(identity), options, whole, now_ms=now_ms, invite_id=entropy.bytes(16))
        file = InviteFile(home.invites_path(name), home.trust_path(name))
        if offer.guest is not None:
            mark = fingerprint(offer.guest.public_key)
            file.trust(offer.guest.node_id, mark, now_ms, f"invited to {options.room}")
        file.offer(given_of(invite), now_ms)
    finally:
        lock.release()
    return facts(invite, options)


def _with_fixed(addresses: Sequence[str], options: NodeOptions) -> tuple[str, ...]:
    """Add where the peer will listen, where its configuration fixes the port."""
    return (*addresses, *reachable(options, options.port))


def _wrong(message: str) -> IpcError:
    return RefusedArgumentError(message)
