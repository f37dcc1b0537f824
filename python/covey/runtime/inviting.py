"""Invites of a running peer: made, kept, and answered for when somebody comes with one.

Writes happen on worker threads, one after the other; the engine hears of each once it is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from covey import _core, limits
from covey.errors import CoveyError, UsageError
from covey.proto.inviting import (
    Answered,
    Given,
    Inviting,
    Named,
    Offered,
    Restored,
    Welcome,
    Welcomed,
    digest_of,
    living,
    with_given,
)
from covey.proto.peers import fingerprint
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.ports import Clock, Entropy, InviteKeeper
    from covey.proto.extension import Extension
    from covey.proto.options import NodeOptions
    from covey.runtime.plugin import Tell

Logger = Callable[[str, str, Mapping[str, Any]], None]
GRANT_MS = 86_400_000
"""The longest a room's grant may last (MMP 2.0 update 1, §5.8.1)."""


@dataclass(frozen=True, slots=True)
class Guest:
    """For whom an invite is meant: a node under its raw key."""

    node_id: str
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Offer:
    """What an invite is to be: how long it holds, for how many, for whom, and where to come."""

    hours: float = limits.INVITE_HOURS_USUAL
    once: bool = False
    guest: Guest | None = None
    addresses: tuple[str, ...] = ()


def compose(
    signer: _core.Identity, options: NodeOptions, offer: Offer, *, now_ms: int, invite_id: bytes
) -> _core.Invite:
    """Sign an invite to where a peer sits.

    Args:
        signer: Who invites.
        options: Its room, relays and the room's owner.
        offer: Terms; its addresses are where the peer can be dialled.
        now_ms: Wall time.
        invite_id: 16 unpredictable bytes.

    Raises:
        UsageError: Nobody could reach the peer by it, or it owns a room and does not say for whom it is.
    """
    relays = [each.url for each in options.relays]
    addresses = list(dict.fromkeys(offer.addresses))[: limits.INVITE_ADDRESSES]
    if not relays and not addresses:
        raise UsageError(
            "nobody could reach this peer: it has no relay and no address",
            hint="name one: --relay wss://…, --address host:port, or invite while it runs with --lan",
        )
    tokens = {each.token for each in options.relays}
    try:
        return _core.Invite.sign(
            signer,
            room=options.room,
            relays=relays,
            token=next(iter(tokens)) if len(tokens) == 1 else None,
            addresses=addresses,
            owner_key=options.gate.owner_key if options.gate is not None else None,
            grant=_grant(signer, options, offer, now_ms),
            created_ms=now_ms,
            expires_ms=now_ms + int(offer.hours * 3_600_000),
            invite_id=invite_id,
            once=offer.once,
        )
    except _core.CoreError as error:
        raise UsageError(f"no invite was made: {error.detail}") from error


def _grant(signer: _core.Identity, options: NodeOptions, offer: Offer, now_ms: int) -> bytes | None:
    """Return the owner's grant for the guest; None where the room has no owner, or another one."""
    gate, guest = options.gate, offer.guest
    if gate is None or gate.owner_key != signer.public_key:
        return None
    if guest is None:
        raise UsageError(
            f'room "{options.room}" lets in only who has a grant, and a grant names its guest',
            hint="name the guest: --for <nodeId> --key <public key>, as their covey fingerprint prints them",
        )
    expires_ms = now_ms + min(int(offer.hours * 3_600_000), GRANT_MS)
    return _core.RoomGrant.sign(
        signer,
        room=options.room,
        node_id=guest.node_id,
        public_key=guest.public_key,
        granted_ms=now_ms,
        expires_ms=expires_ms,
    ).to_json()


def given_of(invite: _core.Invite) -> Given:
    """Return what its giver keeps of an invite."""
    return Given(digest_of(invite.invite_id.hex()), invite.expires_ms, invite.once)


class InvitePlugin:
    """The shell of `proto/inviting`.

    Args:
        keeper: Where invites and trust are kept.
        clock: Wall time.
        entropy: For the ids of invites.
        log: Takes log lines.
    """

    def __init__(self, keeper: InviteKeeper, *, clock: Clock, entropy: Entropy, log: Logger) -> None:
        self.extension: Extension = Inviting()
        self._keeper = keeper
        self._clock = clock
        self._entropy = entropy
        self._log = log
        self._kept = Restored()
        self._tell: Tell = lambda _: None
        self._writing = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()

    async def start(self, tell: Tell) -> None:
        """Restore what was kept; called after the node listens.

        Raises:
            StoreError: The file cannot be read.
        """
        self._tell = tell
        kept = await asyncio.to_thread(self._keeper.load)
        self._kept = replace(kept, given=living(kept.given, self._clock.now_ms()))
        tell(self._kept)

    def perform(self, what: object) -> None:
        """Do what the engine wants, on a thread."""
        work = self._welcome(what) if isinstance(what, Welcome) else self._done(what)
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def stop(self) -> None:
        """Finish what is being written."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def offer(self, signer: _core.Identity, options: NodeOptions, offer: Offer) -> _core.Invite:
        """Make an invite and keep what is needed to answer for it; a named guest is trusted at once.

        Raises:
            UsageError: It cannot be made.
            StoreError: It cannot be kept.
        """
        now_ms = self._clock.now_ms()
        invite = compose(signer, options, offer, now_ms=now_ms, invite_id=self._entropy.bytes(16))
        given = given_of(invite)
        if offer.guest is not None:
            mark = fingerprint(offer.guest.public_key)
            await self._trust(offer.guest.node_id, mark, f"invited to {options.room}")
            self._tell(Named(offer.guest.node_id, mark))
        await self._keep(lambda kept: replace(kept, given=with_given(kept.given, given, now_ms)))
        self._tell(Offered(given))
        return invite

    # --- below ----------------------------------------------------------------------------------

    async def _welcome(self, what: Welcome) -> None:
        try:
            await self._trust(what.node_id, what.fingerprint, f"came by invite as {what.name}")
            await self._keep(lambda kept: replace(kept, given=_with(kept.given, what.given)))
            ok = True
        except CoveyError as error:
            self._log("error", "invite-not-kept", {"error": error.message, "node_id": what.node_id})
            ok = False
        self._tell(Welcomed(what.given.digest, what.node_id, what.fingerprint, ok))

    async def _done(self, what: object) -> None:
        if not isinstance(what, Answered):
            return
        taken = what.taken
        try:
            await self._keep(
                lambda kept: replace(kept, taken=tuple(each for each in kept.taken if each != taken))
            )
        except CoveyError as error:  # it is shown once more, and answered again
            self._log("error", "invite-not-kept", {"error": error.message, "node_id": taken.node_id})

    async def _trust(self, node_id: str, fingerprint: str, note: str) -> None:
        async with self._writing:
            await asyncio.to_thread(self._keeper.trust, node_id, fingerprint, self._clock.now_ms(), note)

    async def _keep(self, change: Callable[[Restored], Restored]) -> None:
        async with self._writing:
            changed = change(self._kept)
            await asyncio.to_thread(self._keeper.save, changed)
            self._kept = changed


def _with(given: Sequence[Given], changed: Given) -> tuple[Given, ...]:
    return tuple(changed if each.digest == changed.digest else each for each in given)
